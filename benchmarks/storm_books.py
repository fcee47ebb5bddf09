"""The storm's judge: compares what was expected with the ledger, the journal, headquarters' archive, the console and the disk."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.site import Site
from benchmarks.storm_plan import Outcome, Plan, State
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import ScanId, Seq, SiteId
from edge_agent.ledger.connection import open_reader
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Counts, Quarantined
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire import messages
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import AssessmentBody, AuditBody, SetAsideBody


@dataclass(frozen=True)
class Progress:
    """How far the ledger is: accepted states, jobs waiting or in hand, assessed revisions without a package, rows."""

    accepted: frozenset[State] = frozenset()
    open_jobs: int = 0
    unpacked: int = 0
    rows: int = 0


def progress(state_dir: Path) -> Progress:
    """Ask the ledger in plain SQL, beside the daemon and without its code."""
    path = state_dir / "ledger.db"
    if not path.exists() or path.stat().st_size == 0:
        return Progress()
    with closing(open_reader(path)) as db:
        if not db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'job_states_move_forward'").fetchone()[0]:
            return Progress()
        jobs = list(db.execute("SELECT scan_id, revision, metadata_revision, state, kind, package_path IS NULL FROM job"))
        rows = db.execute("SELECT count(*) FROM journal").fetchone()[0]
    accepted = frozenset(State(ScanId(scan), revision, metadata) for scan, revision, metadata, *_ in jobs)
    is_open = [state in ("waiting", "claimed") for *_, state, _, _ in jobs]
    unpacked = [state == "assessed" and kind == "assess" and no_package for *_, state, kind, no_package in jobs]
    return Progress(accepted, sum(is_open), sum(unpacked), rows)


@dataclass(frozen=True)
class Books:
    """Everything that was written down anywhere."""

    counts: Counts
    first_broken: Seq | None
    journal: Sequence[JournalRow]
    archived: Sequence[JournalRow]
    console: Sequence[tuple[int, str]]
    quarantined: Sequence[Quarantined]
    packages: int
    spooled: Sequence[tuple[str, str]]
    jobs: frozenset[State]


def read_books(site: Site, console: Sequence[tuple[int, str]]) -> Books:
    """Read all books after everything has stopped. ``console``: (seq, fact_id) as the console printed them."""
    jobs = progress(site.state_dir).accepted
    with closing(LedgerReader.open(site.state_dir / "ledger.db")) as ledger:
        counts, broken, quarantined, epoch = ledger.counts(), ledger.verify(), ledger.quarantined(), ledger.epoch
        packages = sum((site.state_dir / one.path).is_file() for one in ledger.packed())
        journal: list[JournalRow] = []
        while page := ledger.rows(Seq(len(journal)), 500, 1 << 24):
            journal += page
    with Archive.read(site.folder / "archive.db", SystemClock()) as archive:
        archived = list(archive.rows(SiteId("demo"), epoch))
    spooled = [(folder.parent.name, folder.name) for folder in (site.state_dir / "spool").glob("*/r*")]
    return Books(counts, broken, journal, archived, console, quarantined, packages, spooled, jobs)


@dataclass(frozen=True)
class Verdict:
    """What the last line tells, and every breach in words."""

    journalled: int
    lost: int
    doubled: int
    set_aside: int
    breaches: Sequence[str]


def judge(plan: Plan, books: Books) -> Verdict:
    """Hold the books against the plan."""
    found, duplicates = _journalled(books.journal)
    expected = plan.outcomes
    lost = [outcome for outcome in expected if outcome not in found]
    doubled = [outcome for outcome, times in found.items() if times > 1 or outcome not in expected]
    breaches = [f"lost: {expected[one]} {tuple(one)}" for one in lost]
    breaches += [f"doubled or unexpected: {expected.get(one, 'nothing planned')} {tuple(one)} x{found[one]}" for one in doubled]
    breaches += _duplicates(plan, duplicates)
    breaches += [what for what, holds in _laws(plan, books).items() if not holds]
    breaches += _quarantine(plan, books)
    complete = {one.scan_id for one in expected} - {one.scan_id for one in lost}
    return Verdict(len(complete), len(lost), len(doubled), len(books.quarantined), breaches)


def _laws(plan: Plan, books: Books) -> dict[str, bool]:
    counts = books.counts
    law = counts.accepted == counts.assessed + counts.set_aside and counts.in_flight == 0
    whole = len({(one.scan_id, one.revision) for one in plan.outcomes})
    facts = [(row.seq, messages.decode(row.body).fact_id) for row in books.journal]
    console, known = list(books.console), {(state.scan_id, f"r{state.revision}") for state in books.jobs}
    return {
        f"the journal's chain is valid (first bad row {books.first_broken})": books.first_broken is None,
        f"accepted = assessed + set aside, none in flight ({counts})": law,
        f"{whole} revisions accepted (found {counts.accepted})": counts.accepted == whole,
        "headquarters holds the journal byte for byte": list(books.archived) == list(books.journal[: len(books.archived)]),
        "headquarters holds every outcome": not list(_outcomes(books.journal[len(books.archived) :])),
        "the console got each fact once and in order": console == facts[: len(console)],
        "the console got every outcome": not list(_outcomes(books.journal[len(console) :])),
        f"every assessed revision has its package ({books.packages} of {counts.assessed})": books.packages == counts.assessed,
        f"no copy in the spool that the ledger does not know ({set(books.spooled) - known})": set(books.spooled) <= known,
    }


def _quarantine(plan: Plan, books: Books) -> Iterator[str]:
    guilty = plan.set_aside
    for one in books.quarantined:
        if one.scan_id not in guilty:
            yield f"an innocent scan was set aside: {one.drop_key} of {one.scanner}, {one.reason}"


def _duplicates(plan: Plan, found: Counter[ScanId]) -> Iterator[str]:
    expected = Counter(one.duplicate_of for one in plan.deliveries if one.duplicate_of is not None)
    for scan in expected.keys() | found.keys():
        if found[scan] != expected[scan]:
            yield f"scan {scan} was journalled as delivered again {found[scan]} times, not {expected[scan]}"


def _journalled(rows: Sequence[JournalRow]) -> tuple[Counter[Outcome], Counter[ScanId]]:
    """Count the outcomes, and by scan the facts ``duplicate-of``."""
    bodies = [messages.decode(row.body) for row in rows]
    again = (body for body in bodies if isinstance(body, AuditBody) and body.event.code == "duplicate-of" and body.scan_id)
    return Counter(_outcomes(rows)), Counter(ScanId(body.scan_id or "") for body in again)


def _outcomes(rows: Sequence[JournalRow]) -> Iterator[Outcome]:
    for row in rows:
        body = messages.decode(row.body)
        if isinstance(body, AssessmentBody):
            yield Outcome(ScanId(body.scan_id or ""), body.revision, body.cause)
        if isinstance(body, SetAsideBody):
            yield Outcome(ScanId(body.scan_id or ""), body.revision, body.reason.code)
