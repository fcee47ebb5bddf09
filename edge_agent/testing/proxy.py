"""A TCP proxy that can cut its connections, delay or swallow what they carry, as bad lines do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes between clients and ``target`` (``tcp://host:port``), ``delay_s`` later, while ``is_open``; swallows them while not."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.target = ""
        self.is_open = True
        self.delay_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        host, port = self.target.removeprefix("tcp://").rsplit(":", 1)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.is_open:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Proxy]:
    """Run a proxy on a loopback address, by default on a free port of it; set its ``target`` before anybody connects."""
    proxies: list[Proxy] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await proxies[0].serve(reader, writer)

    server = await asyncio.start_server(serve, host, port)
    proxies.append(Proxy(f"tcp://{host}:{server.sockets[0].getsockname()[1]}"))
    try:
        yield proxies[0]
    finally:
        server.close()
        proxies[0].cut()
        await server.wait_closed()
        await asyncio.sleep(0)
