"""The judge of the chaos run: holds what consoles were handed and what headquarters stored against the journals of the sites."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.chaos_stage import CONSOLES, FILTERED, HANGING, SITES, WATCHED_BY_FILTERED, Stage
from benchmarks.chaos_workers import lines_of
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.ledger.connection import open_reader
from edge_agent.ledger.reader import LedgerReader
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire import messages
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import AssessmentBody, VerdictBody

Lines = Sequence[dict[str, Any]]
Handed = tuple[int, str]
"""Number and identity of a fact."""


@dataclass(frozen=True)
class Books:
    """What is written down of one site. ``committed``: as its process told after each commit; ``consoles``: logs by console."""

    site: str
    journal: Sequence[JournalRow]
    first_broken: Seq | None
    acknowledged: int
    committed: Lines
    archived: Sequence[JournalRow]
    consoles: Mapping[str, Lines]


@dataclass(frozen=True)
class Outage:
    """A line that carried nothing from ``since`` to ``until`` (monotonic, s), and that nothing else touched until some seconds later."""

    console: str
    site: str
    since: float
    until: float


def read_books(stage: Stage, site: str) -> Books:
    """Read everything about a site after all processes have ended."""
    with closing(LedgerReader.open(stage.state_dir(site) / "ledger.db")) as ledger:
        broken, epoch = ledger.verify(), ledger.epoch
        acknowledged = max((one.seq for one in ledger.acknowledged().values()), default=Seq(0))
        journal: list[JournalRow] = []
        while page := ledger.rows(Seq(len(journal)), 500, 1 << 24):
            journal += page
    with Archive.read(stage.archive, SystemClock()) as archive:
        archived = list(archive.rows(SiteId(site), epoch))
    consoles = {console: lines_of(stage.handed(console, site)) for console in CONSOLES}
    return Books(site, journal, broken, acknowledged, lines_of(stage.commits(site)), archived, consoles)


def breaches(books: Books) -> Iterator[str]:
    """Name everything that is not as it must be."""
    facts = [(row.seq, messages.decode(row.body).fact_id) for row in books.journal]
    told = [(line["seq"], line["fact"]) for line in books.committed if "seq" in line]
    for what, holds in {
        f"the chain is valid (first bad row {books.first_broken})": books.first_broken is None,
        "what was committed before a kill is there after it": set(told) <= set(facts),
        "no fact stands in the journal twice": len({fact for _, fact in facts}) == len(facts),
        f"headquarters holds the journal byte for byte ({len(books.archived)} of {len(facts)})": books.archived == books.journal,
        f"what was acknowledged ({books.acknowledged}) is in the archive": books.acknowledged <= len(books.archived),
        "each alert has one verdict": _alerts(books.journal) == _judged(books.journal),
    }.items():
        if not holds:
            yield f"{books.site}: {what}"
    for console, lines in books.consoles.items():
        yield from (f"{console} at {books.site}: {what}" for what in _of_console(console, lines, books, facts))


def _of_console(console: str, lines: Lines, books: Books, facts: Sequence[Handed]) -> Iterator[str]:
    wanted = facts
    if console == FILTERED:
        wanted = [fact for topic in topics_of_filtered(books.site) for fact in _of_topic(books, facts, topic)]
    for number, life in enumerate(_lives(lines)):
        found = _filtered_life(life, books, facts) if console == FILTERED else _whole_life(life, facts)
        yield from (f"life {number}: {what}" for what in found)
    handed = [(line["seq"], line["fact"]) for line in lines if "seq" in line]
    if console != FILTERED and handed != wanted:
        yield f"was handed {len(handed)} facts, each of the {len(wanted)} once and in order expected"
    if set(handed) != set(wanted):
        lacking, strange = set(wanted) - set(handed), set(handed) - set(wanted)
        yield f"was not handed {sorted(lacking)[:5]}, was handed what is not there: {sorted(strange)[:5]}"
    if any(line.get("missed") for line in lines) or any(line.get("phase") == "diverged" for line in lines):
        yield "told of rows that it missed, or that the journal diverged"


def _lives(lines: Lines) -> list[list[dict[str, Any]]]:
    """Give the lines of each life; a life begins with a line ``start``."""
    lives: list[list[dict[str, Any]]] = []
    for line in lines:
        if "start" in line:
            lives.append([])
        lives[-1].append(line)
    return lives


def _whole_life(life: Lines, facts: Sequence[Handed]) -> Iterator[str]:
    """A life is handed the journal from its start on, without a hole."""
    handed = [(line["seq"], line["fact"]) for line in life if "seq" in line]
    start = life[0]["start"]
    if handed != list(facts[start : start + len(handed)]):
        yield f"not the journal's order from {start} on: {[seq for seq, _ in handed][:20]}"


def _filtered_life(life: Lines, books: Books, facts: Sequence[Handed]) -> Iterator[str]:
    """A life is handed each topic's rows from its start on, each topic in its order and without a hole."""
    start = life[0]["start"]
    for topic in topics_of_filtered(books.site):
        handed = [(line["seq"], line["fact"]) for line in life if line.get("topic") == topic]
        expected = [fact for fact in _of_topic(books, facts, topic) if fact[0] > start]
        if handed != expected[: len(handed)]:
            yield f"{topic} is not in the journal's order from {start} on: {[seq for seq, _ in handed][:20]}"


def topics_of_filtered(site: str) -> list[str]:
    """Give the topics that the filtered console asks a site for."""
    return [f"ei1/{site}/{scanner}/assessment/" for scanner in WATCHED_BY_FILTERED]


def _of_topic(books: Books, facts: Sequence[Handed], topic: str) -> list[Handed]:
    return [fact for row, fact in zip(books.journal, facts, strict=True) if row.topic == topic]


def _alerts(journal: Sequence[JournalRow]) -> list[str]:
    bodies = (messages.decode(row.body) for row in journal)
    return sorted(body.scan_id or "" for body in bodies if isinstance(body, AssessmentBody) and body.conclusion == "alert")


def _judged(journal: Sequence[JournalRow]) -> list[str]:
    bodies = (messages.decode(row.body) for row in journal)
    return sorted(body.scan_id or "" for body in bodies if isinstance(body, VerdictBody))


# ------------------------------------------------------------------------------------------------------------------ while it still runs


def rows_of(state_dir: Path, topics: Sequence[str] = ()) -> int:
    """Count a site's rows, of some topics or all, beside its process."""
    path = state_dir / "ledger.db"
    if not path.exists():
        return 0
    where = f" WHERE topic IN ({', '.join('?' * len(topics))})" if topics else ""
    with closing(open_reader(path)) as db:
        count: int = db.execute(f"SELECT count(*) FROM journal{where}", tuple(topics)).fetchone()[0]  # noqa: S608 - placeholders only
    return count


def archived_of(stage: Stage, site: str) -> int:
    """Give how far headquarters is with a site."""
    if not stage.archive.exists():
        return 0
    with Archive.read(stage.archive, SystemClock()) as archive:
        cursor = archive.newest(SiteId(site))
    return cursor.seq if cursor is not None else 0


def unarchived(stage: Stage) -> list[str]:
    """Name each site whose ledger counts rows as safe that headquarters does not have; asked while the collector is dead."""
    found = []
    for site in SITES:
        with closing(LedgerReader.open(stage.state_dir(site) / "ledger.db")) as ledger:
            acknowledged = max((one.seq for one in ledger.acknowledged().values()), default=Seq(0))
        if acknowledged and acknowledged > archived_of(stage, site):
            found.append(f"{site}: {acknowledged} rows are acknowledged, {archived_of(stage, site)} are stored")
    return found


def lagging(stage: Stage) -> dict[str, int]:
    """Give how many rows each reader still lacks, those only that lack some, and how many verdicts are under way."""
    lacks = {}
    for site in SITES:
        rows = rows_of(stage.state_dir(site))
        lacks[f"hq of {site}"] = rows - archived_of(stage, site)
        for console in CONSOLES:
            lines = lines_of(stage.handed(console, site))
            wanted = rows_of(stage.state_dir(site), topics_of_filtered(site)) if console == FILTERED else rows
            lacks[f"{console} of {site}"] = wanted - len({line["seq"] for line in lines if "seq" in line})
            if console == HANGING:
                decided = {line["decided"] for line in lines if "decided" in line}
                lacks[f"verdicts at {site}"] = len({line["alert"] for line in lines if line.get("alert")} - decided)
    return {name: count for name, count in lacks.items() if count}


def is_live(stage: Stage, console: str) -> bool:
    """Tell whether a console is live at every site."""
    phases = [[line["phase"] for line in lines_of(stage.handed(console, site)) if "phase" in line] for site in SITES]
    return all(one[-1:] == ["live"] for one in phases)


def has_written(stage: Stage, site: str) -> bool:
    """Tell whether a site has committed all its scans."""
    return any("done" in line for line in lines_of(stage.commits(site)))


# -------------------------------------------------------------------------------------------------------------------- how fast it was


def measured(outages: Sequence[Outage], stage: Stage) -> tuple[list[float], list[float]]:
    """Give, for each outage of a console that was live before, seconds until it showed STALE, and from the line's return until LIVE."""
    stale, repaired = [], []
    for outage in outages:
        phases = [line for line in lines_of(stage.handed(outage.console, outage.site)) if "phase" in line]
        before = [line["phase"] for line in phases if line["at"] <= outage.since]
        if before[-1:] != ["live"]:
            continue
        stale.append(_first(phases, "stale", outage.since) - outage.since)
        repaired.append(_first(phases, "live", outage.until) - outage.until)
    return stale, repaired


def _first(phases: Lines, phase: str, at: float) -> float:
    return float(min((line["at"] for line in phases if line["phase"] == phase and line["at"] >= at), default=float("inf")))


def histogram(seconds: Sequence[float], step_s: float = 0.5) -> dict[str, int]:
    """Count figures by intervals of ``step_s``; the key is where an interval ends, in s."""
    ends = [(int(value / step_s) + 1) * step_s if value < float("inf") else value for value in seconds]
    return {f"{end:.1f}": ends.count(end) for end in sorted(set(ends))}


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Give number, median and highest of some figures."""
    return (
        {"n": len(seconds), "median_s": round(statistics.median(seconds), 2), "highest_s": round(max(seconds), 2)} if seconds else {"n": 0}
    )
