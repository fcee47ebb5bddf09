"""The one hot reload: the ``[[consumer]]`` tables of ``agent.toml``, read whole and put in force whole while the daemon runs.

The file is looked at five times a second; it counts once it has not changed between two looks, so that half a file is never read. A
file that is wrong in any place changes nothing: the list of before stays in force and health says so. Every other change in the file
waits for a restart.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent.agent.admissions import GateJournal
from edge_agent.agent.config import AgentConfig, WrittenConfig, parse_config, read_file
from edge_agent.agent.sections import AgentSections
from edge_agent.agent.whole import write_whole
from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigError
from edge_agent.telemetry import events
from edge_agent.transport.keys import Admission

LOOK_EVERY_S = 0.2
_TELL_EVERY_S = 60.0
_Stat: TypeAlias = tuple[int, int, int] | None


class GateReport(BaseModel):
    """What the daemon says about the allow-list, in ``state_dir/allow-list.json``.

    ``digest``: SHA-256 of the ``agent.toml`` whose list is in force. ``problem``: code of what is wrong with the file now, empty when
    nothing is. ``waits_for_restart``: keys of the file whose values are not those of the start. ``last_seen``: by name of the consumer,
    since the daemon started.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: str
    problem: str = ""
    since: datetime
    consumers: tuple[str, ...]
    waits_for_restart: tuple[str, ...] = ()
    last_seen: dict[str, datetime] = {}


def report_path(state_dir: Path) -> Path:
    """Give where the daemon says what is in force."""
    return state_dir / "allow-list.json"


def read_report(state_dir: Path) -> GateReport | None:
    """Give what the daemon said last; None when it never ran here, or this user may not read it."""
    try:
        return GateReport.model_validate_json(report_path(state_dir).read_bytes())
    except (OSError, ValidationError):
        return None


@dataclass(frozen=True, slots=True)
class Bells:
    """What the gatekeeper sets off. ``kick``: end every LIVE connection; ``ring``: something was journalled."""

    kick: Callable[[], Awaitable[None]]
    ring: Callable[[], None]


class Gatekeeper:
    """Keeps the file's allow-list in force, puts out whom it no longer lets in, and has every decision journalled."""

    def __init__(self, config: AgentConfig, journal: GateJournal, clock: Clock) -> None:
        self.admission = Admission(config.sections.allow_list(), clock)
        self.journal = journal
        self.problem = ""
        """Code of what is wrong with the file now; empty when its list is in force."""
        self.outbound_problem = ""
        """Code of why headquarters, to which this site connects, is not reached; empty when it is, or is not to be."""
        self._config = config
        self._clock = clock
        self._digest = config.digest
        self._since = clock.now()
        self._waits: tuple[str, ...] = ()
        self._seen_stat: _Stat = None
        self._read_stat: _Stat | str = "never"
        self._inside = self.admission.allowed.inside(clock.now())
        self._is_told = False
        self._told_names = 0
        self._told_at = clock.monotonic()

    def note_outbound(self, why: str) -> None:
        """Note why headquarters is not reached; an empty text when it is."""
        self.outbound_problem = why

    def expired(self) -> list[str]:
        """Give the names in the list in force whose time is over."""
        now = self._clock.now()
        return [consumer.name for consumer in self.admission.allowed.consumers if consumer.has_expired(now)]

    async def run(self, bells: Bells) -> None:
        """Look and journal until cancelled: apart, so that nobody stays inside because the ledger is busy."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(bells.kick))
            tasks.create_task(self._keep(bells.ring))

    async def _watch(self, kick: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._look(kick)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _keep(self, ring: Callable[[], None]) -> None:
        while True:
            await self.journal.flush(ring)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, kick: Callable[[], Awaitable[None]]) -> None:
        """Look once: at the file, at the clock, at who was let in."""
        self._reload()
        if self._put_out():
            await kick()
        for consumer in self.admission.allowed.consumers:
            if consumer.name in self.admission.seen:
                self.journal.admitted(consumer, self.admission.seen[consumer.name])
        self._tell()

    def _reload(self) -> None:
        """Put the file's list in force when the file is another than at the last reading, and whole."""
        stat = _stat(self._config.path)
        is_quiet, self._seen_stat = stat == self._seen_stat, stat
        if not is_quiet or stat == self._read_stat:
            return
        self._read_stat = stat
        try:
            self._take(parse_config(self._config.path, read_file(self._config.path)))
        except ConfigError as problem:
            self.problem, self._is_told = problem.code, False
            self.journal.unreadable(problem.code)
            events.allow_list_refused(problem)

    def _take(self, written: WrittenConfig) -> None:
        allowed = written.sections.allow_list()
        changes = self.admission.allowed.changes(allowed)
        waits = _differences(self._config.sections, written.sections)
        if changes:
            self.admission.replace(allowed)
            self.journal.changed(changes)
            self._since = self._clock.now()
            counts = [len(part) for part in (changes.added, changes.removed, changes.changed)]
            events.allow_list_reloaded(len(allowed.consumers), *counts)
        if waits and waits != self._waits:
            events.configuration_waits(waits)
        self.problem, self._digest, self._waits, self._is_told = "", written.digest, waits, False

    def _put_out(self) -> bool:
        """Tell whether anybody who may have been inside may be no longer: revoked, another key, or expired."""
        allowed = self.admission.allowed
        before, self._inside = self._inside, allowed.inside(self._clock.now())
        gone = [consumer for public, consumer in before.items() if public not in self._inside]
        enrolled = {consumer.public for consumer in allowed.consumers}
        for consumer in gone:
            if consumer.public in enrolled:
                self.journal.expired(consumer)
        return bool(gone)

    def _tell(self) -> None:
        """Say what is in force and who was seen: at once when that is news, else once a minute.

        That it cannot be written must not keep the door from its work.
        """
        now = self._clock.monotonic()
        has_news = not self._is_told or len(self.admission.seen) != self._told_names
        if not has_news and now - self._told_at < _TELL_EVERY_S:
            return
        self._is_told, self._told_at, self._told_names = True, now, len(self.admission.seen)
        report = GateReport(
            digest=self._digest,
            problem=self.problem,
            since=self._since,
            consumers=tuple(consumer.name for consumer in self.admission.allowed.consumers),
            waits_for_restart=self._waits,
            last_seen=dict(self.admission.seen),
        )
        try:
            write_whole(report_path(self._config.sections.state_dir), report.model_dump_json().encode(), 0o600)
        except OSError as problem:
            events.allow_list_untold(problem.strerror or "unknown")


def _stat(path: Path) -> _Stat:
    try:
        found = path.stat()
    except OSError:
        return None  # the reading says what is wrong
    return found.st_mtime_ns, found.st_size, found.st_ino


def _differences(started: AgentSections, now: AgentSections) -> tuple[str, ...]:
    """Give the keys of the file, besides the allow-list, whose values are not those of the start."""
    return tuple(name for name in AgentSections.model_fields if name != "consumer" and getattr(started, name) != getattr(now, name))
