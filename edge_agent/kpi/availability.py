"""Which share of the time a site was healthy, degraded or failing, from what it said of itself. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["healthy", "degraded", "failing", "unknown"]

_US = 1e-6


@dataclass(frozen=True, slots=True)
class HealthChange:
    """From this moment (microseconds since 1970 UTC) on, a site was in this state.

    ``at_us``: by the site's clock, but no later than it was heard; ``ahead_us``: how much later the site's clock had it.
    """

    site: str
    at_us: int
    state: State
    ahead_us: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """When a site spoke first and last; moments and ``ahead_us`` as of ``HealthChange``."""

    first_us: int
    last_us: int
    ahead_us: int = 0

    def with_more(self, other: "Heard") -> "Heard":
        """Give both together."""
        return Heard(min(self.first_us, other.first_us), max(self.last_us, other.last_us), max(self.ahead_us, other.ahead_us))


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time [begin, end) in microseconds since 1970 UTC. ``heard_us``: the last moment the site told anything about itself.

    ``ahead_us``: as of ``HealthChange``.
    """

    begin_us: int
    end_us: int
    heard_us: int
    ahead_us: int = 0


@dataclass(frozen=True, slots=True)
class Spell:
    """A span [begin, end) in one state, in microseconds since 1970 UTC."""

    begin_us: int
    end_us: int
    state: State


@dataclass(frozen=True, slots=True)
class AvailabilityLine:
    """One site. ``spells`` follow one another and fill the window.

    ``ahead_us``: by how much the site's clock was ahead of headquarters' at most, as far as its words show: so much was taken off.
    """

    site: str
    spells: tuple[Spell, ...]
    ahead_us: int = 0

    def seconds(self, state: State) -> float:
        return sum(spell.end_us - spell.begin_us for spell in self.spells if spell.state == state) * _US

    def share(self, state: State) -> float | None:
        """Give the share of the time the site is known for; of ``unknown``, of all the time. None of no time."""
        every = sum(spell.end_us - spell.begin_us for spell in self.spells) * _US
        known = every if state == "unknown" else every - self.seconds("unknown")
        return self.seconds(state) / known if known else None


def availability(changes: Iterable[HealthChange], windows: Mapping[str, Window]) -> list[AvailabilityLine]:
    """Fill each site's window with the states it told. Before its first word and after its last it is unknown.

    ``changes``: in any order, but those of one site and moment as they were said; those before a window say how it begins.
    """
    told: dict[str, list[HealthChange]] = {site: [] for site in windows}
    for change in sorted(changes, key=lambda change: change.at_us):
        if change.site in told:
            told[change.site].append(change)
    return [_line(site, told[site], windows[site]) for site in sorted(windows)]


def _line(site: str, changes: list[HealthChange], window: Window) -> AvailabilityLine:
    return AvailabilityLine(site, _spells(changes, window), max((window.ahead_us, *(change.ahead_us for change in changes))))


def _spells(changes: list[HealthChange], window: Window) -> tuple[Spell, ...]:
    marks: list[tuple[int, State]] = [(change.at_us, change.state) for change in changes]
    heard_us = max((window.heard_us, *(at for at, _ in marks)))
    ends = [*(at for at, _ in marks), heard_us, window.end_us]
    spells: list[Spell] = []
    for (begin, state), end in zip([(window.begin_us, "unknown"), *marks, (heard_us, "unknown")], ends, strict=True):
        _tell(spells, max(begin, window.begin_us), min(end, window.end_us), state)
    return tuple(spells)


def _tell(spells: list[Spell], begin_us: int, end_us: int, state: State) -> None:
    """Add a spell that is not empty; one that goes on in the same state becomes longer."""
    if end_us <= begin_us:
        return
    if spells and spells[-1].state == state:
        begin_us = spells.pop().begin_us
    spells.append(Spell(begin_us, end_us, state))
