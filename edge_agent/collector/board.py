"""What is known of every site now, what of it is an alarm, and the file that says so."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge_agent.collector.alarms import Durations, alarms_of, usual
from edge_agent.collector.config import CollectorConfig, ExpectedTable, SiteEntry, WatchTable
from edge_agent.collector.puller import SiteState
from edge_agent.collector.states import WRITE_EVERY_S, Alarm, AlarmCode, Phase, SiteNow, States, said, write_states
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId
from edge_agent.telemetry import events
from edge_agent.wire.heartbeat import StatusReply

_MOST, _WORD = 32, 100
"""So many reasons and bundles of a site are kept, and so many letters of each: a site is not asked how much it says."""
_ON_THE_WAY = (Phase.CONNECTING, Phase.DRAINING)
"""Phases that end by themselves, however slow the machine or the line."""
_TRIAL = "shadow"
"""State of a bundle that has no voice: it is tried at some sites and not at others."""


@dataclass(frozen=True, slots=True)
class Known:
    """A site as configured. ``must_sign``: its heads are expected to be signed."""

    site: SiteId
    group: str = ""
    must_sign: bool = False

    @classmethod
    def of(cls, entry: SiteEntry) -> "Known":
        """Give what the board needs of a configured site."""
        return cls(entry.site_id, entry.group, entry.journal_key is not None)


class Board:
    """Satisfies ``puller.Listener``."""

    def __init__(self, sites: Iterable[SiteId | Known], clock: Clock, tell: Callable[[SiteState], None]) -> None:
        """``tell`` hears each new state."""
        self._clock = clock
        self._tell = tell
        known = [site if isinstance(site, Known) else Known(site) for site in sites]
        self._books = {one.site: _Book(one, clock) for one in known}
        self._moved = clock.monotonic()
        self.started = clock.now()

    def post(self, state: SiteState) -> None:
        """Take a site's new state."""
        book = self._books[state.site]
        if state.rows > book.state.rows or book.state.phase in _ON_THE_WAY:
            self._moved = self._clock.monotonic()
        book.post(state)
        self._tell(state)

    def heard(self, site: SiteId) -> None:
        """Note that a site answered, whatever it said."""
        self._books[site].heard()

    def told(self, site: SiteId, status: StatusReply) -> None:
        """Take what a site says of itself."""
        self._books[site].status = status
        if status.clock is not None:
            self._books[site].skew_s = round((status.clock - self._clock.now()) / timedelta(seconds=1), 3)

    @property
    def states(self) -> tuple[SiteState, ...]:
        return tuple(book.state for book in self._books.values())

    @property
    def idle_s(self) -> float:
        """Seconds since a row was last stored, and since the last site was reached or found to be out of reach."""
        if any(book.state.phase in _ON_THE_WAY for book in self._books.values()):
            return 0.0
        return self._clock.monotonic() - self._moved

    @property
    def is_complete(self) -> bool:
        """Whether all that every site has is stored."""
        return all(book.state.phase is Phase.CURRENT for book in self._books.values())

    def look(self, watch: WatchTable, expected: ExpectedTable) -> tuple[SiteNow, ...]:
        """Judge every site as of now; alarms that begin and end go to the log, one line each."""
        sites = [book.now() for book in self._books.values()]
        usual_of = usual(sites, expected)
        return tuple(
            book.judged(site, alarms_of(site, book.durations(), usual_of[site.group], watch))
            for book, site in zip(self._books.values(), sites, strict=True)
        )


class _Book:
    """What is known of one site."""

    def __init__(self, known: Known, clock: Clock) -> None:
        self._known = known
        self._clock = clock
        self.state = SiteState(known.site)
        self.status: StatusReply | None = None
        self.skew_s: float | None = None
        self._phase_since = clock.now()
        self._heard_at: datetime | None = None
        self._last_sound = clock.monotonic()
        self._unsigned_since: float | None = None
        self._alarms: dict[AlarmCode, Alarm] = {}

    def post(self, state: SiteState) -> None:
        if state.phase is not self.state.phase:
            self._phase_since = self._clock.now()
        if state.signed >= state.durable or state.signed != self.state.signed:
            self._unsigned_since = None
        if state.signed < state.durable and self._unsigned_since is None:
            self._unsigned_since = self._clock.monotonic()
        self.state = state

    def heard(self) -> None:
        self._heard_at, self._last_sound = self._clock.now(), self._clock.monotonic()

    def durations(self) -> Durations:
        now = self._clock.monotonic()
        waits = self._known.must_sign and self.state.phase is Phase.CURRENT and self._unsigned_since is not None
        return Durations(now - self._last_sound, now - self._unsigned_since if waits and self._unsigned_since is not None else 0.0)

    def now(self) -> SiteNow:
        """Give the site as of now, but for its alarms."""
        state, status = self.state, self.status
        site = SiteNow(
            site=state.site,
            group=self._known.group,
            phase=state.phase,
            phase_since=self._phase_since,
            code=state.code,
            detail=state.detail,
            epoch=state.epoch,
            durable=state.durable,
            head=state.head,
            newest=max(state.durable, state.live),
            rows=state.rows,
            signed=state.signed,
            last_heard=self._heard_at,
            clock_skew_s=self.skew_s,
        )
        word = None if status is None else status.state
        if word is None:
            return site
        return site.model_copy(
            update={
                "health": word.state,
                "health_reasons": tuple(said(reason.code, _WORD) for reason in word.reasons[:_MOST]),
                "disk_free": word.disk_free,
                "backlog_unacked": word.backlog_unacked,
                "oldest_unpulled_s": word.oldest_unacked_s,
                "daemon": said(word.daemon or "", _WORD),
                "policy_digest": said(word.policy_digest or "", _WORD),
                "bundles": tuple(sorted(said(bundle.ref, _WORD) for bundle in word.bundles[:_MOST] if bundle.state != _TRIAL)),
            }
        )

    def judged(self, site: SiteNow, found: dict[AlarmCode, str]) -> SiteNow:
        """Give the site with its alarms; what begins and ends is told."""
        now = self._clock.now()
        for code in [code for code in self._alarms if code not in found]:
            lasted_s = (now - self._alarms.pop(code).since) / timedelta(seconds=1)
            events.site_alarm_ended(site.site, code, lasted_s)
        for code, detail in found.items():
            if code not in self._alarms:
                events.site_alarm_began(site.site, code, detail)
        self._alarms = {
            code: Alarm(code=code, since=self._alarms[code].since if code in self._alarms else now, detail=detail)
            for code, detail in found.items()
        }
        return site.model_copy(update={"alarms": tuple(self._alarms.values())})


class StatesFile:
    """Keeps the file that tells the states of all sites."""

    def __init__(self, board: Board, config: CollectorConfig, clock: Clock) -> None:
        self._board = board
        self._config = config
        self._clock = clock
        self._is_failing = False

    async def run(self) -> None:
        """Write regularly until cancelled."""
        while True:
            await self.write()
            await asyncio.sleep(WRITE_EVERY_S)

    async def write(self) -> None:
        """Write the states as of now. What cannot be written is told once, and tried again: rows matter more."""
        try:
            await asyncio.to_thread(write_states, self._config.states_file, self.states())
        except OSError as problem:
            if not self._is_failing:
                events.states_postponed(problem.errno or 0)
            self._is_failing = True
        else:
            self._is_failing = False

    def states(self) -> States:
        """Give the states of all sites as of now."""
        sites: Sequence[SiteNow] = self._board.look(self._config.watch, self._config.expected)
        return States(written_at=self._clock.now(), started=self._board.started, collector=self._config.name, sites=tuple(sites))
