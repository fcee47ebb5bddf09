"""The server over real sockets: beside other tasks, with TLS, stopped while streams run, and against clients that speak badly or slowly."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from edge_agent.errors import ConfigInvalid
from edge_agent.testing.clock import ManualClock
from edge_agent.web import server
from edge_agent.web.answers import Blob, Event, Events
from edge_agent.web.app import WebApp, build_app
from edge_agent.web.routes import LastEventId, Route
from edge_agent.web.session import Officer
from edge_agent.web.settings import WebTable


class Text(BaseModel):
    """A body."""

    text: str


async def echo(officer: Officer, text: Text) -> Text:
    return text


async def large() -> Blob:
    return Blob(b"x" * 20_000_000)


class Source:
    """A stream that tells when it was let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.begun_at = ""

    async def watch(self, officer: Officer, last_event_id: LastEventId) -> Events:
        self.begun_at = last_event_id
        return Events(self._events())

    async def _events(self) -> AsyncIterator[Event]:
        try:
            for number in range(10_000):
                yield Event("{}", "tick", str(number))
                await asyncio.sleep(0.01)
        finally:
            self.let_go.set()


Dialogue = Callable[[str, int, Source], Awaitable[object]]


def served(dialogue: Dialogue, settings: WebTable | None = None) -> object:
    """Serve while ``dialogue(host, port, source)`` goes on, then stop; both must end by themselves."""

    async def run() -> object:
        source = Source()
        app = application(source, settings or WebTable(login="none", bind="127.0.0.1:0"))
        stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(server.serve(app, stop, url.set_result))
        host, _, port = (await url).rstrip("/").rpartition("//")[2].rpartition(":")
        try:
            async with asyncio.timeout(40):
                return await dialogue(host, int(port), source)
        finally:
            stop.set()
            async with asyncio.timeout(40):
                await serving

    with structlog.testing.capture_logs():
        return asyncio.run(run())


def application(source: Source, settings: WebTable) -> WebApp:
    routes = [
        Route("POST", "/echo", echo),
        Route("GET", "/large", large),
        Route("GET", "/watch", source.watch, keeps_session=False),
    ]
    return build_app(routes, settings, ManualClock())


async def exchange(host: str, port: int, raw: bytes, *, context: ssl.SSLContext | None = None) -> bytes:
    """Send ``raw`` and give all that comes back until the server closes, or resets because it read no further."""
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(raw)
        return await rest_of(reader)
    finally:
        writer.transport.abort()


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Give all that still comes."""
    parts = []
    try:
        while part := await reader.read(1 << 16):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_it_serves_beside_other_tasks_and_ends_when_told() -> None:
    async def dialogue(host, port, source):
        answers = await asyncio.gather(*(exchange(host, port, get("/me")) for _ in range(20)))
        return {status(answer) for answer in answers}

    assert served(dialogue) == {200}


def test_a_stream_resumes_where_the_browser_says_and_is_let_go_when_it_leaves() -> None:
    async def dialogue(host, port, source):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(get("/watch", "Last-Event-ID: 41"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-type: text/event-stream" in head
        assert b"cache-control: no-store" in head
        await reader.readuntil(b"data: {}\n\n")
        writer.transport.abort()
        await source.let_go.wait()
        return source.begun_at

    assert served(dialogue) == "41"


def test_stopping_ends_streams_by_telling_them() -> None:
    async def run() -> bytes:
        source, stop, url = Source(), asyncio.Event(), asyncio.get_running_loop().create_future()
        app = application(source, WebTable(login="none", bind="127.0.0.1:0"))
        serving = asyncio.create_task(server.serve(app, stop, url.set_result))
        port = int((await url).rstrip("/").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/watch"))
        await reader.readuntil(b"data: {}\n\n")
        stop.set()
        rest = await reader.read()
        writer.close()
        async with asyncio.timeout(40):
            await serving
        assert source.let_go.is_set()
        return rest

    with structlog.testing.capture_logs():
        assert b"event: ended" in asyncio.run(run())


def test_an_address_that_is_taken_or_not_ours_is_told_as_such() -> None:
    async def dialogue(host, port, source):
        for bind in (f"127.0.0.1:{port}", "192.0.2.1:0"):
            settings = WebTable(login="none", bind=bind) if bind.startswith("127") else _encrypted(bind)
            with pytest.raises(ConfigInvalid, match="cannot listen"):
                await server.serve(application(source, settings), asyncio.Event())

    served(dialogue)


def _encrypted(bind: str) -> WebTable:
    return WebTable(login="proxy", proxy_addresses=["127.0.0.1"], behind_proxy=True, bind=bind)


# ------------------------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1 and its key."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(days=9000), now + timedelta(days=9000))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "k.pem").write_bytes(secret)
    return folder


def test_with_a_certificate_it_speaks_https_and_tells_browsers_to_stay_with_it(pem: Path) -> None:
    settings = WebTable(login="none", bind="127.0.0.1:0", tls_certificate=pem / "c.pem", tls_key=pem / "k.pem")

    async def dialogue(host, port, source):
        answer = await exchange(host, port, get("/me"), context=ssl.create_default_context(cafile=pem / "c.pem"))
        assert status(answer) == 200
        assert b"strict-transport-security: max-age=" in answer
        assert await exchange(host, port, get("/me")) == b""

    served(dialogue, settings)


def test_a_certificate_that_does_not_fit_its_key_stops_the_start(pem: Path, tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text("no key")
    settings = WebTable(login="none", bind="127.0.0.1:0", tls_certificate=pem / "c.pem", tls_key=tmp_path / "k.pem")
    with pytest.raises(ConfigInvalid, match="tls_certificate"):
        asyncio.run(server.serve(application(Source(), settings), asyncio.Event()))


# ------------------------------------------------------------------------------------------------------------- clients that are bad


POST = "POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Edge-Agent: 1\r\nContent-Type: application/json\r\nConnection: close\r\n"

SMUGGLED = [
    POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
    POST + "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /me HTTP/1.1\r\n",
    POST + "Transfer-Encoding: xchunked\r\n\r\n",
    POST + "Transfer-Encoding: chunked, identity\r\n\r\n",
    POST + "Content-Length: +2\r\n\r\n{}",
    POST + "Content-Length : 2\r\n\r\n{}",
    POST + "Content-Length: 2\r\n X-Folded: 1\r\n\r\n{}",
    POST + "X: a\x00b\r\n\r\n",
    "GET /me HTTP/1.1\r\nConnection: close\r\n\r\n",
    "GET /me HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "GET http://evil.example/me HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "GET /\x7f HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
]


@pytest.mark.parametrize("raw", SMUGGLED, ids=range(len(SMUGGLED)))
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_answered_once(raw: str) -> None:
    """RFC 9112, sections 3.2 and 6.3: what proxy and server might frame differently ends the connection."""

    async def dialogue(host, port, source):
        return await exchange(host, port, raw.encode("latin-1"))

    answer = served(dialogue)
    assert status(answer) in (400, 413, 421, 422, 505)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_headers_without_end_are_bounded() -> None:
    async def dialogue(host, port, source):
        return await exchange(host, port, b"GET /me HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: " + b"y" * 200_000)

    assert status(served(dialogue)) == 400


@pytest.mark.parametrize(
    "path", ["/static/../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "/static//etc/passwd", "/..%2f..%2fetc/passwd"]
)
def test_no_address_leads_out_of_the_static_files(path: str) -> None:
    async def dialogue(host, port, source):
        return await exchange(host, port, get(path))

    answer = served(dialogue)
    assert status(answer) == 404
    assert b"root:" not in answer


def test_a_request_that_does_not_come_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time runs from the connection and does not begin anew with every byte."""
    monkeypatch.setattr(server, "_HEADERS_WITHIN_S", 0.3)

    async def dialogue(host, port, source):
        reader, writer = await asyncio.open_connection(host, port)
        sent = 0
        for sign in b"GET /me HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Padding: " + b"0" * 600:
            if reader.at_eof() or reader.exception() is not None:
                break
            writer.write(bytes([sign]))
            sent += 1
            await asyncio.sleep(0.02)
        writer.transport.abort()
        return sent

    assert served(dialogue) < 600


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agent.web import endpoint

    monkeypatch.setattr(endpoint, "_BODY_WITHIN_S", 0.2)

    async def dialogue(host, port, source):
        return await exchange(host, port, (POST + "Content-Length: 50\r\n\r\n{").encode())

    answer = served(dialogue)
    assert status(answer) == 408
    assert b'"code":"request-too-slow"' in answer


def test_a_reader_that_stands_still_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_READ_WITHIN_S", 0.3)

    async def dialogue(host, port, source):
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        writer.write(get("/large"))
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(1)
        came = len(await rest_of(reader))
        writer.transport.abort()
        return came

    assert served(dialogue) < 20_000_000


def test_a_body_beyond_its_limit_is_not_taken_in() -> None:
    async def dialogue(host, port, source):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write((POST.replace("Connection: close\r\n", "") + "Content-Length: 900000000\r\n\r\n").encode() + b"x" * 1000)
        answer = await reader.read()
        writer.close()
        return answer

    answer = served(dialogue)
    assert status(answer) == 413
    assert b"connection: close" in answer.lower()


def test_too_many_connections_are_turned_away_and_the_next_ones_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 10)

    async def dialogue(host, port, source):
        idle = [await asyncio.open_connection(host, port) for _ in range(12)]
        turned_away = await exchange(host, port, get("/me"))
        for _, writer in idle:
            writer.transport.abort()
        answer = b""
        while b" 200 " not in answer[:20]:
            await asyncio.sleep(0.02)
            answer = await exchange(host, port, get("/me"))
        return status(turned_away)

    assert served(dialogue) == 503
