"""Rows taken apart, laid out as lines of the archive's tables. Pure: what is written, not how."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from edge_agent.collector.archive.port import Value
from edge_agent.collector.explode import Exploded, Unread
from edge_agent.domain.ids import SiteId
from edge_agent.wire.chain import JournalRow

Line = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A row of a site, what it says, and when headquarters first had it (microseconds since 1970 UTC)."""

    site: SiteId
    row: JournalRow
    value: Exploded | Unread
    received_us: int

    @property
    def key(self) -> tuple[str, str] | None:
        """Site and fact; None for a row that cannot be read."""
        return None if isinstance(self.value, Unread) else (self.site, self.value.fact.fact_id)

    def line(self) -> Line:
        """Give the row as ``journal`` and ``live`` hold it."""
        row = self.row
        return (self.site, row.epoch, row.seq, row.prev_seq, row.topic, row.body, row.hash, self.received_us)


@dataclass(frozen=True, slots=True)
class Sheets:
    """Lines for each table, in the order of the columns that ``sql`` names."""

    facts: list[Line] = field(default_factory=list)
    unread: list[Line] = field(default_factory=list)
    assessments: list[Line] = field(default_factory=list)
    findings: list[Line] = field(default_factory=list)
    reasons: list[Line] = field(default_factory=list)
    obstacles: list[Line] = field(default_factory=list)


def new_facts(told: Iterable[Told], known: set[tuple[str, str]]) -> list[Told]:
    """Give those whose fact is not in ``known``, each fact once: a restored site tells its story again under a new epoch."""
    seen = set(known)
    fresh = []
    for one in told:
        if (key := one.key) is not None and key not in seen:
            seen.add(key)
            fresh.append(one)
    return fresh


def lay_out(told: Iterable[Told], fresh: Iterable[Told]) -> Sheets:
    """Give the lines of all rows that could not be read, and of the new facts."""
    sheets = Sheets()
    sheets.unread.extend((one.site, one.row.epoch, one.row.seq, one.value.why) for one in told if isinstance(one.value, Unread))
    for one in fresh:
        if isinstance(one.value, Exploded):
            _lay_out_fact(one, one.value, sheets)
    return sheets


def _lay_out_fact(one: Told, value: Exploded, sheets: Sheets) -> None:
    fact = value.fact
    sheets.facts.append(
        (
            *(one.site, fact.fact_id, fact.kind, one.row.epoch, one.row.seq, fact.scanner, fact.scan_id),
            *(fact.revision, fact.supersedes, fact.produced_us, fact.conclusion, one.received_us),
        )
    )
    assessed = value.assessment
    if assessed is None:
        return
    key = (one.site, fact.fact_id)
    sheets.assessments.append(
        (*key, assessed.subject, assessed.taken_us, assessed.provider, assessed.policy_digest, int(assessed.is_advisory))
    )
    sheets.findings.extend((*key, *part, one.received_us) for part in assessed.findings)
    sheets.reasons.extend((*key, *part) for part in assessed.reasons)
    sheets.obstacles.extend((*key, *part) for part in assessed.obstacles)
