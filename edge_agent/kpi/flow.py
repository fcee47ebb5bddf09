"""How long things take and how many there are: the machine's latency, the consignment's dwell, scans an hour. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from edge_agent.kpi.case import Case
from edge_agent.kpi.spread import Spread

_HOUR_US = 3_600_000_000
_MS, _US = 1e-3, 1e-6


@dataclass(slots=True)
class Flow:
    """Times of one site or of all, in seconds.

    ``latency_s``: from acceptance to the assessment; ``queue_s``, ``decode_s``: of that, waiting and decoding.
    ``dwell_examined_s``, ``dwell_unexamined_s``: from the scan taken to the consignment free to go; ``dwell_assumed``: how many of
    these rest on an assumed zone of the scanner's clock. ``hours``: scans concluded in each clock hour, by its number since 1970 UTC.
    """

    latency_s: Spread = field(default_factory=Spread)
    queue_s: Spread = field(default_factory=Spread)
    decode_s: Spread = field(default_factory=Spread)
    dwell_examined_s: Spread = field(default_factory=Spread)
    dwell_unexamined_s: Spread = field(default_factory=Spread)
    dwell_assumed: int = 0
    hours: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        self.hours[case.site, case.produced_us // _HOUR_US] += 1
        for spread, took_ms in ((self.latency_s, case.latency_ms), (self.queue_s, case.queue_ms), (self.decode_s, case.decode_ms)):
            if took_ms is not None:
                spread.add(took_ms * _MS)
        released_us = case.released_us
        if case.taken_us is not None and released_us is not None and released_us >= case.taken_us:
            spread = self.dwell_examined_s if case.control in ("found", "nothing-found") else self.dwell_unexamined_s
            spread.add((released_us - case.taken_us) * _US)
            self.dwell_assumed += case.tz_assumed

    def merge(self, other: "Flow") -> None:
        self.latency_s.merge(other.latency_s)
        self.queue_s.merge(other.queue_s)
        self.decode_s.merge(other.decode_s)
        self.dwell_examined_s.merge(other.dwell_examined_s)
        self.dwell_unexamined_s.merge(other.dwell_unexamined_s)
        self.dwell_assumed += other.dwell_assumed
        self.hours.update(other.hours)

    @property
    def scans_an_hour(self) -> float | None:
        """Mean over the clock hours of a site in which it concluded anything; None without scans."""
        return self.hours.total() / len(self.hours) if self.hours else None

    @property
    def busiest_hour(self) -> int:
        """Scans in the busiest clock hour of any one site."""
        return max(self.hours.values(), default=0)
