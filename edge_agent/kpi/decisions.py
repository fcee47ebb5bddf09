"""What officers made of the machine's word: how long they took, how often they decided otherwise, and who was right. Pure.

One officer's figures are for that officer alone. Everybody else sees groups in which at least ``MINIMUM_OFFICERS`` decided.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from edge_agent.kpi.case import Case
from edge_agent.kpi.grouping import Group, merge_small
from edge_agent.kpi.rates import Outcome, Rate
from edge_agent.kpi.spread import Spread

MINIMUM_OFFICERS = 5
"""The smallest group whose figures others may see."""
_BLIND = "blind-first"
_CLEARED, _SUSPECTED = "not-suspicious", "suspicious"


@dataclass(slots=True)
class Overrides:
    """Decisions one way. ``decided``: on scans with one machine's word; ``against``: of these, decided against it.

    ``against_examined``, ``against_found``: of those decided against, examined, and with something found.
    """

    decided: int = 0
    against: int = 0
    against_examined: int = 0
    against_found: int = 0

    def add(self, case: Case, against: str) -> None:
        """Count a verdict; ``against``: the conclusion that goes against the machine's word."""
        self.decided += 1
        if case.analyst == against:
            self.against += 1
            self.against_examined += case.is_examined
            self.against_found += case.is_confirmed

    def merge(self, other: "Overrides") -> None:
        self.decided += other.decided
        self.against += other.against
        self.against_examined += other.against_examined
        self.against_found += other.against_found

    @property
    def rate(self) -> Rate:
        """Decided against the machine among all decided."""
        return Rate(self.against, self.decided)

    @property
    def found(self) -> Rate:
        """Something found among those decided against the machine and examined."""
        return Rate(self.against_found, self.against_examined)


@dataclass(slots=True)
class Decisions:
    """Decisions of a group of officers, in seconds up to the first verdict.

    ``took_s``: from the assessment on, so the wait in the queue is in it; ``looked_s``: from when its officer opened the scan, as far as
    sites journalled that.

    ``cleared``: not suspicious in spite of an alert; ``raised``: suspicious without one. A verdict given before the machine's word was
    shown goes against nothing: it is in ``took_s`` and ``blind`` only. Referrals are no verdicts and stand by themselves.
    """

    took_s: Spread = field(default_factory=Spread)
    looked_s: Spread = field(default_factory=Spread)
    cleared: Overrides = field(default_factory=Overrides)
    raised: Overrides = field(default_factory=Overrides)
    blind: int = 0
    referred_by_clock: int = 0
    referred_by_officer: int = 0
    officers: set[str] = field(default_factory=set)

    def add_first(self, case: Case) -> None:
        """Count how long the first verdict took."""
        self.officers.add(case.first_officer)
        if case.decision_s is not None:
            self.took_s.add(case.decision_s)
        if case.look_s is not None:
            self.looked_s.add(case.look_s)

    def add_last(self, case: Case) -> None:
        """Count the last verdict of an analyst."""
        self.officers.add(case.officer)
        if case.analyst_order == _BLIND:
            self.blind += 1
        elif case.analyst not in (_CLEARED, _SUSPECTED):
            return
        elif case.analyst_on == Outcome.ALERT:
            self.cleared.add(case, _CLEARED)
        elif case.analyst_on == Outcome.NO_ALERT:
            self.raised.add(case, _SUSPECTED)

    def add_referrals(self, case: Case) -> None:
        self.referred_by_clock += case.referred_by_clock
        self.referred_by_officer += case.referred_by_officer

    def merge(self, other: "Decisions") -> None:
        self.took_s.merge(other.took_s)
        self.looked_s.merge(other.looked_s)
        self.cleared.merge(other.cleared)
        self.raised.merge(other.raised)
        self.blind += other.blind
        self.referred_by_clock += other.referred_by_clock
        self.referred_by_officer += other.referred_by_officer
        self.officers |= other.officers


@dataclass(slots=True)
class Officers:
    """Decisions by site, and those of the officer who asks. ``asker``: that officer's own token, empty when a manager asks."""

    asker: str = ""
    by_site: defaultdict[str, Decisions] = field(default_factory=lambda: defaultdict(Decisions))
    own: Decisions = field(default_factory=Decisions)

    def add(self, case: Case) -> None:
        site = self.by_site[case.site]
        site.add_referrals(case)
        if case.first_conclusion:
            site.add_first(case)
            if self.asker and case.first_officer == self.asker:
                self.own.add_first(case)
        if case.analyst:
            site.add_last(case)
            if self.asker and case.officer == self.asker:
                self.own.add_last(case)

    def merge(self, other: "Officers") -> None:
        """Add what another part of the same question counted.

        Raises:
            ValueError: the other one was asked by somebody else.
        """
        if other.asker != self.asker:
            raise ValueError("figures of different askers cannot be added up")
        for site, decisions in other.by_site.items():
            self.by_site[site].merge(decisions)
        self.own.merge(other.own)

    def groups(self) -> list[Group[Decisions]]:
        """Give decisions by site, small sites put together; nothing when there are fewer than ``MINIMUM_OFFICERS`` in all."""
        return merge_small(self.by_site, _officers, MINIMUM_OFFICERS, _sum)


def _officers(decisions: Decisions) -> int:
    return len(decisions.officers)


def _sum(one: Decisions, other: Decisions) -> Decisions:
    both = Decisions()
    both.merge(one)
    both.merge(other)
    return both
