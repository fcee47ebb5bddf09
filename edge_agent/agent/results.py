"""Results written back: each assessment of the journal as a file for the vendor's viewer or the risk system.

The journal is the truth and holds the cursor: a place is acknowledged only when every file before it is on the disk, so a crash
repeats files and never leaves one out. Deleting the folder loses nothing; ``edge-agent journal results`` writes it anew.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ports import JournalStore
from edge_agent.agent.whole import write_whole
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq
from edge_agent.errors import LedgerDamaged, MalformedMessage, TryLater
from edge_agent.ledger.connection import sync_folder
from edge_agent.ledger.records import Acknowledged
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import AssessmentBody
from edge_agent.wire.results import json_bytes, result_of, xml_bytes

ResultFormat: TypeAlias = Literal["json", "xml", "tdr"]

CONSUMER: Final = "@results"
"""Name under which the ledger keeps the cursor; no configured consumer can have it."""
_SUFFIXES: Mapping[ResultFormat, str] = {"json": ".json", "xml": ".xml", "tdr": ".tdr.dcs"}
_PAGE_ROWS = 100
_PAGE_BYTES = 1 << 20
_LOOK_S = 2.0
_RETRY_S = 10.0


class CursorStore(JournalStore, Protocol):
    """The journal, and how far its durable consumers have come."""

    async def acknowledged(self) -> dict[str, Acknowledged]:
        """Give each durable consumer's last word."""


@dataclass(frozen=True, slots=True)
class ResultsPlace:
    """Where results go, and as what."""

    folder: Path
    formats: Sequence[ResultFormat]


class ResultsWriter:
    """Follows the journal from its cursor and writes a file for each assessment."""

    def __init__(self, store: CursorStore, place: ResultsPlace, lane: Lane, clock: Clock, damaged: Callable[[LedgerDamaged], None]) -> None:
        """``damaged`` is told of a row that is not what was journalled: it is not written out, and the rest of the daemon goes on."""
        self._store = store
        self._folder = place.folder
        self._formats = tuple(place.formats)
        self._lane = lane
        self._clock = clock
        self._damaged = damaged

    async def run(self, news: Doorbell) -> None:
        """Write until cancelled; ``news`` rings when rows were published. What refuses is tried again, nothing is skipped."""
        at = await self._start()
        has_failed = False
        while True:
            turn = news.turn()
            try:
                rows = await self._store.rows(at, _PAGE_ROWS, _PAGE_BYTES)
                if not rows:
                    await rung(turn, _LOOK_S)
                    continue
                await self._lane.run(write_results, self._folder, rows, self._formats)
                await self._store.acknowledge(CONSUMER, rows[-1].seq, rows[-1].hash, self._clock.now())
            except (OSError, TryLater, LedgerDamaged) as problem:
                if isinstance(problem, LedgerDamaged):
                    self._damaged(problem)
                if not has_failed:
                    events.results_postponed(_code(problem))
                has_failed = True
                await rung(Doorbell().turn(), _RETRY_S)
                continue
            has_failed = False
            at = rows[-1].seq

    async def _start(self) -> Seq:
        """Give the place to go on from; the journal's oldest row when there is none, or the cursor belongs to another journal."""
        cursor = (await self._store.acknowledged()).get(CONSUMER)
        head = await self._store.head()
        if cursor is not None and cursor.epoch == head.epoch and await self._store.hash_at(cursor.seq) == cursor.hash:
            return cursor.seq
        return Seq(head.first - 1)


def _code(problem: OSError | TryLater | LedgerDamaged) -> str:
    """Give a short word for what is wrong; a path in the error's own text could hold anything."""
    return os.strerror(problem.errno or 0).lower().replace(" ", "-") if isinstance(problem, OSError) else problem.code


def write_results(folder: Path, rows: Iterable[JournalRow], formats: Sequence[ResultFormat]) -> int:
    """Write the files of all assessments among ``rows``, each whole or not at all; give how many assessments there were.

    A later assessment of the same revision replaces the file of the earlier one.

    Raises:
        OSError: the folder refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for row in rows:
        body = _assessment(row)
        if body is not None:
            count += 1
            for form in formats:
                write_whole(folder / f"{body.scan_id}.r{body.revision}{_SUFFIXES[form]}", _content(body, form))
    if count:
        sync_folder(folder)
    return count


def _assessment(row: JournalRow) -> AssessmentBody | None:
    try:
        body = messages.decode(row.body)
    except MalformedMessage:
        return None  # a kind that a newer version wrote: no assessment that this one could write
    return body if isinstance(body, AssessmentBody) else None


def _content(body: AssessmentBody, form: ResultFormat) -> bytes:
    match form:
        case "json":
            return json_bytes(result_of(body))
        case "xml":
            return xml_bytes(result_of(body))
        case "tdr":
            from edge_agent.formats.dicos_report import machine_report
            from edge_agent.formats.dicos_write import tdr_bytes

            return tdr_bytes(machine_report(body, native=True))
