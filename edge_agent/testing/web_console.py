"""A browser console in the test's own process, over real links to sites; asked as a browser's pages ask, without a socket of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from edge_agent.console.app import WebConsole, build_console
from edge_agent.console.client import ConsoleClient, Phase, Recent, Site, Wish
from edge_agent.console.desk import SiteLink
from edge_agent.console.web_config import WebConsoleConfig
from edge_agent.domain.clock import Clock
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.loopback import LoopbackSite
from edge_agent.transport.context import open_context

HOST = "http://127.0.0.1:8080"


@dataclass
class TestConsole:
    """A running console. ``browser``: of the officer ``officer``, who has every role unless the test says otherwise."""

    __test__ = False

    console: WebConsole
    browser: httpx.AsyncClient
    links: list[SiteLink]

    async def get(self, address: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        """Ask, and give the JSON of the answer."""
        answer = await self.browser.get(address)
        assert answer.status_code == status, answer.text  # noqa: S101
        return answer.json()

    async def post(self, address: str, entry: dict[str, Any], status: int = 200) -> Any:  # noqa: ANN401 - JSON
        """Send, and give the JSON of the answer."""
        answer = await self.browser.post(address, json=entry)
        assert answer.status_code == status, answer.text  # noqa: S101
        return answer.json()

    async def until(self, holds: Callable[[], bool], within_s: float = 40.0) -> None:
        """Wait until something about the queue or the links holds."""
        async with asyncio.timeout(within_s):
            while True:
                turn = self.console.desk.queue.turn()
                if holds():
                    return
                try:
                    async with asyncio.timeout(0.2):
                        await turn.wait()
                except TimeoutError:
                    continue

    async def live(self) -> None:
        """Wait until every site is live."""
        await self.until(lambda: all(link.client.state.phase is Phase.LIVE for link in self.links))

    async def rows(self, query: str = "") -> list[dict[str, Any]]:
        """Give the rows of the queue."""
        rows: list[dict[str, Any]] = (await self.get(f"/api/queue{query}"))["rows"]
        return rows


def console_config(folder: Path, **tables: Any) -> WebConsoleConfig:  # noqa: ANN401 - TOML
    """Give a configuration without login. ``tables``: ``web``, ``queue``, ``blind``; its sites are not used."""
    web = {"login": "none", "bind": "127.0.0.1:8080", "officer": "officer", "roles": ["analyst", "supervisor", "examiner", "auditor"]}
    site = {"name": "north", "endpoint": "tcp://127.0.0.1:5571", "server_key": "x" * 40}
    read = {"key": "console.key_secret", "state_dir": str(folder / "console"), "site": [site], **tables}
    return WebConsoleConfig.model_validate({**read, "web": {**web, **tables.get("web", {})}})


@asynccontextmanager
async def web_console(
    folder: Path, sites: Sequence[tuple[str, LoopbackSite]], config: WebConsoleConfig | None = None, sync: str = "", rows: int = 10_000
) -> AsyncIterator[TestConsole]:
    """Run a console at ``sites``, each with its name. ``sync``: where the first site answers, if not at its own endpoint.

    ``rows``: newest rows of each journal with which it begins.
    """
    clock = SystemClock()
    with open_context() as context:
        links = []
        for number, (name, site) in enumerate(sites):
            where = Site(sync if sync and not number else site.sync, site.keys.client(site.keys.console))
            links.append(SiteLink(name, ConsoleClient(context, where, clock, Wish(Recent(rows), waits_for_key=True))))
        async with _running(config or console_config(folder), links, clock) as console:
            yield console


@asynccontextmanager
async def _running(config: WebConsoleConfig, links: list[SiteLink], clock: Clock) -> AsyncIterator[TestConsole]:
    console = build_console(config, links, clock)
    running = asyncio.create_task(console.desk.run(console.outbox))
    transport = httpx.ASGITransport(app=console.web)
    try:
        async with httpx.AsyncClient(transport=transport, base_url=HOST, headers={"X-Edge-Agent": "1", "Origin": HOST}) as browser:
            yield TestConsole(console, browser, links)
            if running.done():
                running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for link in links:
            link.client.close()
        console.web.close()
