"""All figures of a report from one pass over the cases: counts only, so memory does not grow with the number of scans. Pure.

Adding cases in any order gives the same figures, and figures of two parts added up are those of the whole.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeVar

from edge_agent.kpi.case import Case
from edge_agent.kpi.classes import Classes
from edge_agent.kpi.decisions import Officers
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.flow import Flow
from edge_agent.kpi.hits import Line
from edge_agent.kpi.rates import Outcome, Scope

NOT_DECLARED = "not declared"
OTHER_ORIGIN = "other origin"
ALL = "all"
_CHAPTER = 2

_Key = TypeVar("_Key")


class By(StrEnum):
    """What lines are grouped by."""

    ALL = "all"
    SITE = "site"
    SCANNER = "scanner"
    COMMODITY = "commodity"
    """HS chapter of the first declared good."""
    MODEL = "model"
    SELECTION = "selection"


_KEYS: Mapping[By, Callable[[Case], str]] = {
    By.ALL: lambda _: ALL,
    By.SITE: lambda case: case.site,
    By.SCANNER: lambda case: f"{case.site}/{case.scanner}",
    By.COMMODITY: lambda case: case.commodity[:_CHAPTER] or NOT_DECLARED,
    By.MODEL: lambda case: case.models.replace("|", ", "),
    By.SELECTION: lambda case: case.selection,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. ``now_us``: the moment of the report, microseconds since 1970 UTC; ages count from it.

    ``classes``: finds that a class of the machine stands for, where that is not the find of the same name. ``origins``: group by ISO
    country code. ``asker``: token of the officer who asks for own figures, empty for everybody else.
    """

    scope: Scope
    now_us: int
    classes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    asker: str = ""


class Figures:
    """Counts, as far as the cases that were added go."""

    def __init__(self, question: Question) -> None:
        """Begin with nothing.

        Raises:
            ValueError: the scope mixes kinds of scans; no figure holds over such a mixture.
        """
        if question.scope.wanted is KindFilter.ALL:
            raise ValueError("figures are about one kind of scan")
        self.question = question
        self.lines: dict[By, defaultdict[str, Line]] = {by: defaultdict(Line) for by in By}
        self.days: defaultdict[date, Line] = defaultdict(Line)
        self.origins: defaultdict[str, Line] = defaultdict(Line)
        self.classes = Classes(question.classes)
        self.officers = Officers(question.asker)
        self.flow: defaultdict[str, Flow] = defaultdict(Flow)

    def add(self, case: Case) -> None:
        """Count a case if it is of the wanted kind and period."""
        scope, now_us = self.question.scope, self.question.now_us
        if not scope.covers(case):
            return
        for by, lines in self.lines.items():
            key = _KEYS[by](case)
            if key:
                lines[key].add(case, now_us)
        self.days[scope.day(case)].add(case, now_us)
        if self.question.origins and case.outcome != Outcome.SET_ASIDE:
            self.origins[self._origin(case)].add(case, now_us)
        self.classes.add(case, now_us)
        self.officers.add(case)
        self.flow[case.site].add(case)

    def merge(self, other: "Figures") -> None:
        """Add the figures of other cases for the same question.

        Raises:
            ValueError: the other ones answer another question.
        """
        if other.question != self.question:
            raise ValueError("figures of different questions cannot be added up")
        for by, lines in other.lines.items():
            _add_lines(self.lines[by], lines)
        _add_lines(self.days, other.days)
        _add_lines(self.origins, other.origins)
        self.classes.merge(other.classes)
        self.officers.merge(other.officers)
        for site, flow in other.flow.items():
            self.flow[site].merge(flow)

    @property
    def total(self) -> Line:
        return self.lines[By.ALL][ALL]

    def _origin(self, case: Case) -> str:
        return self.question.origins.get(case.origin, OTHER_ORIGIN) if case.origin else NOT_DECLARED


def figures(cases: Iterable[Case], question: Question) -> Figures:
    """Count ``cases``."""
    counted = Figures(question)
    for case in cases:
        counted.add(case)
    return counted


def all_flow(counted: Figures) -> Flow:
    """Give the times over all sites."""
    every = Flow()
    for flow in counted.flow.values():
        every.merge(flow)
    return every


def _add_lines(lines: defaultdict[_Key, Line], others: Mapping[_Key, Line]) -> None:
    for key, line in others.items():
        lines[key].merge(line)
