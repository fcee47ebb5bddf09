"""Detections and false alarms by class: what the machine called a thing against what the examination found. Pure.

The machine's classes and the control form's words need not be the same: a class may stand for several finds ("bricks" for drugs and
banknotes). Where nothing is said, a class stands for the find of the same name.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from edge_agent.kpi.case import Case, words
from edge_agent.kpi.hits import Hits, Sample, is_mature, sample_of
from edge_agent.kpi.rates import Rate


@dataclass(frozen=True, slots=True)
class ClassLine:
    """One class. ``as_called``: of the scans that it alerted on and that were examined, those where just such a thing was found.

    ``detection``: alerted as this class among examined scans that held such a thing; ``false_alarms``: among those that held none.
    Both over trusted samples (``hits.Line.trusted``). ``biased_detection``, ``biased_false_alarms``: the same over all others.
    """

    label: str
    hits: Hits
    as_called: Rate
    detection: Rate
    false_alarms: Rate
    biased_detection: Rate
    biased_false_alarms: Rate


@dataclass(slots=True)
class Examined:
    """Examined scans of one sample. ``alerts``: (class, what was found); ``finds``: what was found, joined."""

    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    finds: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        if case.is_examined:
            self.finds[case.found] += 1
            self.alerts.update((label, case.found) for label in case.alerted_labels)

    def merge(self, other: "Examined") -> None:
        self.alerts.update(other.alerts)
        self.finds.update(other.finds)

    def rates(self, label: str, means: frozenset[str]) -> tuple[Rate, Rate]:
        """Give detection and false alarms of a class."""
        holding = {found for found in self.finds if not means.isdisjoint(words(found))}
        held = sum(self.finds[found] for found in holding)
        alerts = {found: self.alerts[label, found] for found in self.finds}
        seen = sum(alerts[found] for found in holding)
        return Rate(seen, held), Rate(sum(alerts.values()) - seen, self.finds.total() - held)


@dataclass(slots=True)
class Classes:
    """Counts by class. ``means``: the finds that a class stands for."""

    means: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hits: defaultdict[str, Hits] = field(default_factory=lambda: defaultdict(Hits))
    called: Counter[str] = field(default_factory=Counter)
    """Alerts of a class by which just such a thing was found."""
    samples: defaultdict[Sample, Examined] = field(default_factory=lambda: defaultdict(Examined))

    def add(self, case: Case, now_us: int) -> None:
        for label in case.alerted_labels:
            self.hits[label].add(case, now_us)
            self.called[label] += case.is_confirmed and not self._means(label).isdisjoint(case.found_labels)
        if is_mature(case, now_us):
            self.samples[sample_of(case)].add(case)

    def merge(self, other: "Classes") -> None:
        for label, hits in other.hits.items():
            self.hits[label].merge(hits)
        self.called.update(other.called)
        for sample, examined in other.samples.items():
            self.samples[sample].merge(examined)

    def lines(self, trusted: Collection[Sample]) -> list[ClassLine]:
        """Give every class that alerted, sorted. ``trusted``: the samples from which detection may be concluded."""
        sides = Examined(), Examined()
        for sample, examined in self.samples.items():
            sides[sample not in trusted].merge(examined)
        return [self._line(label, *sides) for label in sorted(self.hits)]

    def _line(self, label: str, unbiased: Examined, biased: Examined) -> ClassLine:
        means = self._means(label)
        detection, false_alarms = unbiased.rates(label, means)
        biased_detection, biased_false_alarms = biased.rates(label, means)
        hits = self.hits[label]
        as_called = Rate(self.called[label], hits.examined)
        return ClassLine(label, hits, as_called, detection, false_alarms, biased_detection, biased_false_alarms)

    def _means(self, label: str) -> frozenset[str]:
        return self.means.get(label) or frozenset((label,))
