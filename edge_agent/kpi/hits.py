"""What became of scans: how many alerted, were examined and were confirmed, and what may be concluded about the machine from it. Pure.

Two kinds of figures, kept apart on purpose. The *hit rate* is over whatever was alerted and examined: it says how useful alerts are.
*Detection*, *misses* and *false alarms* need scans whose examination did not hang on anybody's suspicion: ``random`` or ``scan-all``
selection, and (nearly) all of them examined, whatever was thought of them. Everything else is biased by selection. Only scans of at least
``MATURE_DAYS`` ago count there: of newer ones the results still come in, suspected ones first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.domain.capture import Selection
from edge_agent.kpi.case import Case
from edge_agent.kpi.rates import Outcome, Rate
from edge_agent.kpi.spread import Spread

FOLLOWED_UP_ENOUGH = 0.9
"""Below this share of examined scans, even a random sample is no longer one: somebody chose which of it to examine."""
MATURE_DAYS = 14
_DAY_US = 86_400_000_000


@dataclass(slots=True)
class Hits:
    """Alerted scans by what came of them. ``called_off``: the examination did not take place; ``pending_days``: ages of the pending."""

    alerted: int = 0
    examined: int = 0
    confirmed: int = 0
    called_off: int = 0
    disputed: int = 0
    pending_days: Spread = field(default_factory=Spread)
    oldest_pending_us: int | None = None

    def add(self, case: Case, now_us: int) -> None:
        """Count a scan that alerted. ``now_us``: the moment of the report."""
        self.alerted += 1
        if case.is_disputed:
            self.disputed += 1
        elif case.is_examined:
            self.examined += 1
            self.confirmed += case.is_confirmed
        elif case.is_pending:
            self.pending_days.add(max(0, now_us - case.produced_us) / _DAY_US)
            self._waits_since(case.produced_us)
        else:
            self.called_off += 1

    def merge(self, other: "Hits") -> None:
        self.alerted += other.alerted
        self.examined += other.examined
        self.confirmed += other.confirmed
        self.called_off += other.called_off
        self.disputed += other.disputed
        self.pending_days.merge(other.pending_days)
        if other.oldest_pending_us is not None:
            self._waits_since(other.oldest_pending_us)

    def _waits_since(self, at_us: int) -> None:
        self.oldest_pending_us = at_us if self.oldest_pending_us is None else min(at_us, self.oldest_pending_us)

    @property
    def pending(self) -> int:
        return self.pending_days.n

    @property
    def hit_rate(self) -> Rate:
        """Confirmed among examined, of the alerted scans; pending, called-off and disputed ones are in neither."""
        return Rate(self.confirmed, self.examined)


@dataclass(slots=True)
class Truth:
    """Examined scans by what was in them and whether the machine had alerted.

    A scan that the machine could not assess did not alert: what was found in it counts as missed, and in ``found_unjudged`` besides.
    """

    scans: int = 0
    found_alerted: int = 0
    found_silent: int = 0
    found_unjudged: int = 0
    clean_alerted: int = 0
    clean_silent: int = 0

    def add(self, case: Case) -> None:
        self.scans += 1
        if not case.is_examined:
            return
        if case.is_confirmed:
            self.found_alerted += case.is_alert
            self.found_silent += not case.is_alert
            self.found_unjudged += case.outcome in (Outcome.UNASSESSABLE, Outcome.SET_ASIDE)
        else:
            self.clean_alerted += case.is_alert
            self.clean_silent += not case.is_alert

    def merge(self, other: "Truth") -> None:
        self.scans += other.scans
        self.found_alerted += other.found_alerted
        self.found_silent += other.found_silent
        self.found_unjudged += other.found_unjudged
        self.clean_alerted += other.clean_alerted
        self.clean_silent += other.clean_silent

    @property
    def found(self) -> int:
        return self.found_alerted + self.found_silent

    @property
    def clean(self) -> int:
        return self.clean_alerted + self.clean_silent

    @property
    def detection(self) -> Rate:
        """Alerted among those in which something was found."""
        return Rate(self.found_alerted, self.found)

    @property
    def misses(self) -> Rate:
        """Not alerted among those in which something was found."""
        return Rate(self.found_silent, self.found)

    @property
    def false_alarms(self) -> Rate:
        """Alerted among those in which nothing was found."""
        return Rate(self.clean_alerted, self.clean)

    @property
    def prevalence(self) -> Rate:
        """Those in which something was found among all examined."""
        return Rate(self.found, self.found + self.clean)

    @property
    def followed_up(self) -> Rate:
        """Examined among all scans of the sample."""
        return Rate(self.found + self.clean, self.scans)

    @property
    def is_followed_up(self) -> bool:
        """Whether so many of the sample were examined that it still is one."""
        return (self.followed_up.value or 0.0) >= FOLLOWED_UP_ENOUGH


class Sample(StrEnum):
    """How scans came to be chosen, as far as it matters to what may be concluded from them."""

    RANDOM = "random"
    SCAN_ALL = "scan-all"
    CHOSEN = "chosen"
    """Targeted, of a campaign, or nobody says."""


UNBIASED = (Sample.RANDOM, Sample.SCAN_ALL)
_SAMPLES = {Selection.RANDOM.value: Sample.RANDOM, Selection.SCAN_ALL.value: Sample.SCAN_ALL}


def sample_of(case: Case) -> Sample:
    """Give the sample that a scan belongs to."""
    return _SAMPLES.get(case.selection, Sample.CHOSEN)


def is_mature(case: Case, now_us: int) -> bool:
    """Tell whether a scan is so old that its examination, if there was to be one, has been reported."""
    return now_us - case.produced_us >= MATURE_DAYS * _DAY_US


@dataclass(slots=True)
class Line:
    """All scans of one group. ``unassessable``: of the assessed ones. ``truths``: examined scans by how they were selected."""

    assessed: int = 0
    unassessable: int = 0
    set_aside: int = 0
    hits: Hits = field(default_factory=Hits)
    truths: defaultdict[Sample, Truth] = field(default_factory=lambda: defaultdict(Truth))

    def add(self, case: Case, now_us: int) -> None:
        if case.outcome == Outcome.SET_ASIDE:
            self.set_aside += 1
        else:
            self.assessed += 1
            self.unassessable += case.outcome == Outcome.UNASSESSABLE
        if case.is_alert:
            self.hits.add(case, now_us)
        if is_mature(case, now_us):
            self.truths[sample_of(case)].add(case)

    def merge(self, other: "Line") -> None:
        self.assessed += other.assessed
        self.unassessable += other.unassessable
        self.set_aside += other.set_aside
        self.hits.merge(other.hits)
        for sample, truth in other.truths.items():
            self.truths[sample].merge(truth)

    @property
    def coverage(self) -> Rate:
        """Assessed among accepted; scans that could not be judged were assessed."""
        return Rate(self.assessed, self.assessed + self.set_aside)

    @property
    def alert_rate(self) -> Rate:
        """Alerted among assessed."""
        return Rate(self.hits.alerted, self.assessed)

    @property
    def trusted(self) -> tuple[Sample, ...]:
        """The samples from which something may be concluded about all traffic."""
        return tuple(sample for sample in UNBIASED if sample in self.truths and self.truths[sample].is_followed_up)

    @property
    def unbiased(self) -> Truth | None:
        """The trusted samples together; None without one."""
        return truth_over(self.truths, self.trusted) if self.trusted else None

    @property
    def biased(self) -> Truth:
        """All the others together."""
        return truth_over(self.truths, tuple(sample for sample in Sample if sample not in self.trusted))


def truth_over(truths: Mapping[Sample, Truth], samples: Sequence[Sample]) -> Truth:
    """Add some samples up."""
    both = Truth()
    for sample in samples:
        if sample in truths:
            both.merge(truths[sample])
    return both
