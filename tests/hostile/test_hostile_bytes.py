"""Strangers with a TCP connection and no key: whatever they send, memory stays flat and enrolled peers are served."""

import asyncio
import random
import resource
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edge_agent.testing.loopback import loopback_site

GREETING = b"\xff" + bytes(7) + b"\x01\x7f" + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\0" + bytes(31)
LONG_COMMAND = b"\x06"
LONG_FRAME = b"\x02"


def resident_kib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


@asynccontextmanager
async def stranger(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def is_dropped(reader):
    with suppress(ConnectionError):
        async with asyncio.timeout(40):
            while await reader.read(65536):
                pass
    return True


@pytest.mark.parametrize("opening", [LONG_COMMAND, LONG_FRAME], ids=["command", "frame"])
@pytest.mark.parametrize("door", ["sync", "live"])
def test_a_stranger_that_announces_four_gibibytes_is_cut_off_at_once(tmp_path, door, opening):
    async def law():
        async with loopback_site(tmp_path) as site, stranger(getattr(site, door)) as (reader, writer):
            before = resident_kib()
            writer.write(GREETING + opening + (4 << 30).to_bytes(8, "big"))
            with suppress(ConnectionError):
                for _ in range(256):
                    writer.write(b"x" * 65536)
                    await asyncio.wait_for(writer.drain(), 40)
            assert await is_dropped(reader)
            assert resident_kib() - before < 40_000
            await site.link(site.keys.console).request("PING", {})

    asyncio.run(law())


@pytest.mark.parametrize("seed", range(6))
def test_random_bytes_on_any_door_harm_nobody(tmp_path, seed):
    async def law():
        noise = random.Random(seed)
        async with loopback_site(tmp_path) as site:
            for endpoint in (site.sync, site.live):
                for opening in (b"", GREETING, GREETING[:20]):
                    async with stranger(endpoint) as (_, writer):
                        writer.write(opening + noise.randbytes(noise.randrange(1, 4000)))
                        with suppress(ConnectionError):
                            await writer.drain()
            await site.link(site.keys.console).request("PING", {})

    asyncio.run(law())


def test_hundreds_of_half_open_connections_keep_no_enrolled_peer_out(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            before = resident_kib()
            host, port = site.sync.removeprefix("tcp://").rsplit(":", 1)
            idle = [await asyncio.open_connection(host, int(port)) for _ in range(300)]
            await site.link(site.keys.console).request("PING", {})
            assert resident_kib() - before < 50_000
            for _, writer in idle:
                writer.transport.abort()
            await asyncio.sleep(0.05)

    asyncio.run(law())
