"""Sends what lies in the outbox through the sites, and waits until it comes back in their journals.

One request of a site after another: the site answers OK after its commit, and the fact is then awaited in the archive like any other. A
site that is silent is asked again later, each time later, up to a minute; the others go on meanwhile. What a site took and did not journal
within an hour is said again: a site that was restored from a backup may have lost it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from edge_agent.collector.archive.outbox import Outbox
from edge_agent.collector.puller import Link
from edge_agent.collector.submission import Committed, Event, Failed, Returned, State, Submission, failed
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, SiteId
from edge_agent.errors import PeerError, PeerSilent, TryLater
from edge_agent.wire import verbs
from edge_agent.wire.verbs import OkReply, Verb

LOOK_EVERY_S = 2.0
REPLY_S = 5.0
_MOST_SITES = 16
_MOST_AT_ONCE = 200
_PAUSE_FIRST_S, _PAUSE_LAST_S = 2.0, 60.0
_SAID_AGAIN_AFTER = timedelta(hours=1)

_T = TypeVar("_T")


class FactStore(Protocol):
    """What tells that a fact has come back: the archive's lane."""

    async def has_facts(self, site: SiteId, facts: Sequence[FactId]) -> frozenset[FactId]:
        """Give those of ``facts`` that are in the archive, in its verified prefix."""


class OutboxLane:
    """The outbox's own thread: its file may be busy with another process's import."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open lazily, on the thread. Errors as of ``Outbox.open`` come from the first call."""
        self._path = path
        self._clock = clock
        self._outbox: Outbox | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")

    async def call(self, work: Callable[[Outbox], _T]) -> _T:
        """Run ``work`` on the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))

    def close(self) -> None:
        """Wait for the call under way and close the file."""
        self._thread.submit(self._close).result()
        self._thread.shutdown(wait=True)

    def _opened(self) -> Outbox:
        self._outbox = self._outbox or Outbox.open(self._path, self._clock)
        return self._outbox

    def _close(self) -> None:
        if self._outbox is not None:
            self._outbox.close()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent, and a way to each site that nobody else uses: the pullers' ways are busy waiting for rows."""

    outbox: OutboxLane
    links: Mapping[SiteId, Link]
    clock: Clock


class Submitter:
    """Empties the outbox. ``step`` looks once; ``run`` looks for ever."""

    def __init__(self, outgoing: Outgoing, facts: FactStore) -> None:
        self._outbox = outgoing.outbox
        self._links = outgoing.links
        self._facts = facts
        self._clock = outgoing.clock
        self._not_before: dict[SiteId, tuple[float, float]] = {}
        self._looked_upto: dict[SiteId, int] = {}
        self._sent_upto: dict[SiteId, int] = {}
        self._talks = asyncio.Semaphore(_MOST_SITES)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                await self.step()
            except* TryLater:
                pass  # a full disk, or a file that an import keeps busy: everything is still where it was
            await asyncio.sleep(LOOK_EVERY_S)

    async def step(self) -> None:
        """Send everything once that is due, and note what came back.

        Raises:
            TryLater, also in a group: outbox or archive cannot be read or written now.
        """
        waiting: defaultdict[SiteId, set[State]] = defaultdict(set)
        for site, state in await self._outbox.call(Outbox.waiting):
            waiting[site].add(state)
        async with asyncio.TaskGroup() as tasks:
            for site, states in waiting.items():
                tasks.create_task(self._attend(site, states))
        if waiting:
            await self._outbox.call(Outbox.fold)

    async def _attend(self, site: SiteId, states: Collection[State]) -> None:
        """Do what is due for one site, one thing after another: a link carries one request at a time."""
        away = await self._look_for(site) if State.SENT in states else []
        if self._is_due(site):
            after = self._sent_upto.get(site, 0)
            due = await self._outbox.call(lambda outbox: outbox.due(site, _MOST_AT_ONCE, after))
            if await self._send(site, [*away, *due]):  # a whole page may be refused for now: it must not hide the next one
                self._sent_upto[site] = due[-1].number if len(due) == _MOST_AT_ONCE else 0

    async def _look_for(self, site: SiteId) -> list[Submission]:
        """Note which of the facts that a site committed have come back, some at a time; give those that stay away too long."""
        after = self._looked_upto.get(site, 0)
        sent = await self._outbox.call(lambda outbox: outbox.of_site(site, State.SENT, _MOST_AT_ONCE, after))
        self._looked_upto[site] = sent[-1].number if len(sent) == _MOST_AT_ONCE else 0
        wanted = [one.fact_id for one in sent if one.fact_id is not None]
        back = await self._facts.has_facts(site, wanted)
        for one in sent:
            if one.fact_id in back:
                await self._note(one, Returned())
        long_ago = self._clock.now() - _SAID_AGAIN_AFTER
        return [one for one in sent if one.fact_id not in back and one.changed_at <= long_ago]

    async def _send(self, site: SiteId, some: Sequence[Submission]) -> bool:
        """Send ``some`` submissions to a site, one after another, until it is silent; tell whether it heard all of them.

        One that it refuses for now stays where it is, and the others go on; the site is then asked again later.
        """
        link = self._links.get(site)
        is_put_off = is_silent = False
        async with self._talks:
            for one in some:
                event = _NO_SITE if link is None else await _told(link, one)
                await self._note(one, event)
                is_put_off |= isinstance(event, Failed) and not event.is_final
                is_silent = isinstance(event, Failed) and event.code in _NOBODY_THERE
                if is_silent:
                    break
        if is_put_off:
            self._put_off(site)
        else:
            self._not_before.pop(site, None)
        return not is_silent

    async def _note(self, one: Submission, event: Event) -> None:
        await self._outbox.call(lambda outbox: outbox.note(one.control_id, event))

    def _is_due(self, site: SiteId) -> bool:
        return self._clock.monotonic() >= self._not_before.get(site, (0.0, 0.0))[0]

    def _put_off(self, site: SiteId) -> None:
        before = self._not_before.get(site, (0.0, _PAUSE_FIRST_S / 2))[1]
        pause_s = min(before * 2, _PAUSE_LAST_S)
        self._not_before[site] = (self._clock.monotonic() + pause_s, pause_s)


_NOBODY_THERE = frozenset({PeerSilent.code, "unknown-site"})
"""Codes of failures that the next submission would meet as well."""
_NO_SITE = Failed("unknown-site", "no such site in this configuration", is_final=False)


async def _told(link: Link, one: Submission) -> Event:
    """Say one submission to its site and give what became of it."""
    try:
        reply = await link.request(Verb.CONTROL, {**one.content, "control_id": one.control_id}, REPLY_S)
        return Committed(FactId(verbs.read(OkReply, reply.content).fact_id))
    except PeerError as problem:
        return failed(problem)
