"""Scans of long ago that still wait for somebody: a console that begins with a site's newest rows asks the site for them.

Newest first, until the queue has no room; from there on for their names only, so that the queue can say how many it does not show.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from edge_agent.console.client import ConsoleClient, SeenFact
from edge_agent.console.queue import Queue
from edge_agent.domain.ids import Seq
from edge_agent.errors import AnswerUnreadable, MalformedMessage, PeerError, PeerFailed, PeerSilent, TryLater
from edge_agent.telemetry import events
from edge_agent.wire.undecided import MAX_UNDECIDED

_AGAIN_S = 1.0
_NOT_ANSWERED = (PeerSilent, PeerFailed, TryLater, AnswerUnreadable)
Take: TypeAlias = Callable[[str, Sequence[SeenFact]], None]


async def take_older(site: str, client: ConsoleClient, queue: Queue, before: Seq, take: Take) -> bool:
    """Take what waits for somebody from row ``before`` back, each scan by ``take``; False where the site cannot tell (an older one).

    Asks until the site has answered; gives way to others between two answers. To be cancelled.
    """
    while True:
        try:
            told = await client.undecided(before, MAX_UNDECIDED if queue.has_room(site) else 0)
        except _NOT_ANSWERED:
            await asyncio.sleep(_AGAIN_S)
            continue
        except PeerError as problem:
            events.console_question_failed(site, problem.code)
            return False
        by_scan = _by_scan(told.facts)
        for scan in told.scans:
            if scan in by_scan:
                take(scan, by_scan[scan])
        queue.note_unshown(site, told.scans)
        if told.after < told.first:
            return True
        if told.after + 1 >= before:
            events.console_question_failed(site, MalformedMessage.code)  # an answer that leads nowhere would be asked for without end
            return False
        before = Seq(told.after + 1)


def _by_scan(facts: Sequence[SeenFact]) -> dict[str, list[SeenFact]]:
    found: dict[str, list[SeenFact]] = {}
    for fact in facts:
        if fact.body is not None and fact.body.scan_id is not None:
            found.setdefault(fact.body.scan_id, []).append(fact)
    return found
