"""Damaged and made-up HTTP requests against a running server: no fault of ours, no answer but a refusal or what was asked, no hanging."""

import asyncio
import random

import pytest
import structlog
from pydantic import BaseModel

from edge_agent.testing.clock import ManualClock
from edge_agent.web import endpoint, server
from edge_agent.web.answers import Event, Events
from edge_agent.web.app import build_app
from edge_agent.web.routes import LastEventId, Route
from edge_agent.web.session import Officer
from edge_agent.web.settings import WebTable


class Entry(BaseModel):
    """A body with one of everything."""

    word: str
    number: int = 0
    share: float = 0.0
    boxes: list[tuple[float, float]] = []


async def enter(officer: Officer, site: str, entry: Entry, page: int = 0) -> Entry:
    return entry


async def watch(officer: Officer, last_event_id: LastEventId) -> Events:
    async def source():
        yield Event("{}", "tick", last_event_id)

    return Events(source())


ROUTES = [Route("POST", "/api/{site}/enter", enter), Route("GET", "/api/watch", watch)]
BODY = b'{"word": "caf\\u00e9", "number": 3, "share": 0.5, "boxes": [[1, 2], [3.5, 4]]}'
WHOLE = [
    b"GET /me?a=1&b=%20 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: session=abc\r\nAccept: */*\r\n\r\n",
    b"GET /api/watch HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nLast-Event-ID: 7\r\n\r\n",
    b"POST /api/north/enter?page=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Edge-Agent: 1\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY,
    b"POST /api/north/enter HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Edge-Agent: 1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + f"{len(BODY):x}".encode() + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
]
SPLICES = [
    *(b"\r\n", b"\n", b"\x00", b"\xff\xfe", b"%00", b"%ff", b"../", b": ", b"Host: evil.example\r\n", b"Content-Length: -1\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"9" * 400, b"[" * 3000, b'"\\ud800"', b"NaN", b"1e999", b"Cookie: session=b\r\n", b"\xc0\xaf"),
    *(b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Last-Event-ID: " + b"x" * 300 + b"\r\n"),
]
REQUESTS, AT_ONCE = 300, 30
ANSWERED_WITHIN_S, AND_THEN_S = 40.0, 1.0
"""Until the first of an answer, and until more of it: a connection that was not asked to close stays open for the next request."""


def damaged(chance: random.Random) -> bytes:
    """A whole request after one to four accidents."""
    raw = bytearray(chance.choice(WHOLE))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(raw) + 1)
        match chance.randrange(4):
            case 0:
                raw[place:place] = chance.choice(SPLICES)
            case 1:
                del raw[place : place + chance.randint(1, 30)]
            case 2:
                raw[place : place + 1] = bytes([chance.randrange(256)])
            case _:
                raw[place:place] = raw[: chance.randrange(len(raw) + 1)]
    return bytes(raw)


async def answered(port: int, raw: bytes) -> bytes:
    """Send a request and give all that comes back: the first of it however busy the machine is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    parts = []
    try:
        writer.write(raw)
        while part := await asyncio.wait_for(reader.read(1 << 16), AND_THEN_S if parts else ANSWERED_WITHIN_S):
            parts.append(part)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    return b"".join(parts)


def statuses(raw: bytes) -> set[int]:
    return {int(part[:3]) for part in raw.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()}


@pytest.mark.parametrize("seed", range(2))
def test_no_damaged_request_meets_a_fault_of_ours_or_holds_its_place(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(server, "_HEADERS_WITHIN_S", 0.3)
    monkeypatch.setattr(endpoint, "_BODY_WITHIN_S", 0.3)
    chance = random.Random(seed)

    async def run() -> tuple[set[int], list[bytes]]:
        stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
        app = build_app(ROUTES, WebTable(login="none", bind="127.0.0.1:0"), ManualClock())
        serving = asyncio.create_task(server.serve(app, stop, url.set_result))
        port = int((await url).rstrip("/").rpartition(":")[2])
        seen: set[int] = set()
        faults = []
        async with asyncio.timeout(150):
            for _ in range(REQUESTS // AT_ONCE):
                group = [damaged(chance) for _ in range(AT_ONCE)]
                for raw, answer in zip(group, await asyncio.gather(*(answered(port, raw) for raw in group)), strict=True):
                    seen |= statuses(answer)
                    faults += [raw] if 500 in statuses(answer) else []
            assert statuses(await answered(port, WHOLE[0])) == {200}, "it still serves"
        stop.set()
        await serving
        return seen, faults

    with structlog.testing.capture_logs() as log:
        seen, faults = asyncio.run(run())
    assert faults == []
    assert [line for line in log if line["event"] == "request_failed"] == []
    assert {200, 400, 404, 422} <= seen, "the accidents reach every depth"
