"""A console in the background of a test: what it was handed, and the phases its link went through."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from types import TracebackType

from edge_agent.console.client import ConsoleClient, LinkState, Phase, SeenFact, Site, Wish
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.loopback import LoopbackSite
from edge_agent.transport.keys import KeyPair


class Watch:
    """Reads a console's events until the block is left; waits by events, never by time."""

    def __init__(
        self,
        site: LoopbackSite,
        pair: KeyPair | None = None,
        after: int = 0,
        sync: str = "",
        wish: Wish | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Watch ``site`` with the key ``pair`` (the enrolled console's), at another endpoint than its own if ``sync`` says one."""
        where = Site(sync or site.sync, site.keys.client(pair or site.keys.console))
        self.client = ConsoleClient(site.context, where, clock or SystemClock(), wish or Wish(Seq(after)))
        self.facts: list[SeenFact] = []
        self.phases: list[LinkState] = []
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._run())
        self.task.add_done_callback(lambda _: self._news.set())

    async def until(self, holds: Callable[["Watch"], bool], within_s: float = 40.0) -> None:
        """Wait until ``holds``; raises what ended the console, if something did."""
        async with asyncio.timeout(within_s):
            while not holds(self):
                if self.task.done():
                    self.task.result()
                self._news.clear()
                await self._news.wait()

    async def live(self) -> None:
        """Wait for LIVE."""
        await self.turned(Phase.LIVE)

    async def turned(self, phase: Phase, within_s: float = 40.0) -> None:
        """Wait until the last phase told is ``phase``."""
        await self.until(lambda watch: bool(watch.phases) and watch.phases[-1].phase is phase, within_s)

    async def seqs(self, expected: Iterable[int]) -> None:
        """Wait until as many facts came, and compare their numbers."""
        numbers = list(expected)
        await self.until(lambda watch: len(watch.facts) >= len(numbers))
        assert [fact.seq for fact in self.facts] == numbers  # noqa: S101

    async def __aenter__(self) -> "Watch":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.client.close()

    async def _run(self) -> None:
        async with aclosing(self.client.events()) as events:
            async for event in events:
                if isinstance(event, SeenFact):
                    self.facts.append(event)
                else:
                    self.phases.append(event)
                self._news.set()
