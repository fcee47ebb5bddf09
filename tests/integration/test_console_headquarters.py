"""Headquarters' figures on the console: passed on with a token that stays here, and nothing else of what it says."""

import asyncio
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import ValidationError

from edge_agent.console.headquarters import Headquarters, HeadquartersTable
from edge_agent.errors import AddressUnknown, ConfigUnreadable, PeerError, PeerSilent
from edge_agent.testing.clock import ManualClock


@contextmanager
def answering(status=200, body=b'{"days": []}', headers=()):
    """A headquarters that answers everything so; gives its URL and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # whoever had enough has hung up
                self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def headquarters(tmp_path, url, clock=None):
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    return Headquarters(HeadquartersTable(url=url, token=token), clock or ManualClock())


def test_a_page_is_asked_for_with_the_token_and_remembered_for_half_a_minute(tmp_path):
    clock = ManualClock()
    with answering() as (url, asked):
        hq = headquarters(tmp_path, url, clock)
        for _ in range(2):
            assert asyncio.run(hq.page("daily")) == b'{"days": []}'
        assert asked == [("/api/v1/days", "Bearer secret-token")]
        clock.advance(31)
        asyncio.run(hq.page("daily"))
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [(401, b"{}", ()), (302, b"{}", (("Location", "http://elsewhere.example/"),)), (200, b"<html>", ()), (200, b" " * (5 << 20), ())],
    ids=["refused", "sent elsewhere", "no JSON", "too much"],
)
def test_what_is_no_good_answer_is_not_passed_on(tmp_path, status, body, headers):
    with answering(status, body, headers) as (url, asked):
        with pytest.raises(PeerError):
            asyncio.run(headquarters(tmp_path, url).page("daily"))
        assert len(asked) == 1


def test_a_headquarters_that_is_away_is_silent(tmp_path):
    with answering() as (url, _):
        pass
    with pytest.raises(PeerSilent):
        asyncio.run(headquarters(tmp_path, url).page("kpis"))


def test_only_known_pages_are_asked_for(tmp_path):
    with answering() as (url, asked), pytest.raises(AddressUnknown):
        asyncio.run(headquarters(tmp_path, url).page("../users"))
    assert asked == []


@pytest.mark.parametrize("url", ["http://hq.example:8080", "ftp://hq.example", "https://hq.example/elsewhere", "hq.example"])
def test_a_token_never_goes_in_clear_over_a_network(tmp_path, url):
    with pytest.raises(ValidationError):
        HeadquartersTable(url=url, token=tmp_path / "token")


def test_a_token_file_that_is_not_there_is_a_matter_of_configuration(tmp_path):
    with pytest.raises(ConfigUnreadable):
        Headquarters(HeadquartersTable(url="https://hq.example", token=tmp_path / "none"), ManualClock())
