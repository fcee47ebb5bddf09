"""Real scans through the whole path: watched folder, daemon, a console that joins late, headquarters; then the books are compared.

``python -m benchmarks.real_scans DATA_DIR [--kill]``: every picture of ``DATA_DIR/ajna_*`` is staged like a Smiths scanner would write
it, with a DataForm side-car that lists only its JPEG. One ``declarations.csv`` gives the declared headings; full truck scans are
undeclared. The pictures stay outside the repository; identifiers are made up. With ``--kill`` the daemon is killed in the middle.
"""

import argparse
import csv
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.site import Process, Scanner, Settings, Site, exit_code_of, running
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.kpi.rates import Rate
from edge_agent.ledger.reader import LedgerReader
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import AssessmentBody, SetAsideBody, decode

SCANNER = Scanner("portal-1", "smiths-dataform", "cargo", '"from-container"')
_POLL_S = 0.25
_SHOW_S = 10.0
_SIDE_CAR = """<DataForm xmlns="dataforms.model.cargovision.smiths.com"><Version>V01.20</Version><TruckId>{key}</TruckId>\
<Date>2025-11-12T09:32:28.097Z</Date><InTraining>0</InTraining><AdminData><Vehicle><Trailers><Trailer><Containers><Container>\
<ContainerId>{container}</ContainerId></Container></Containers></Trailer></Trailers></Vehicle></AdminData><ProcessInstructions>\
<IsContainerEmpty>0</IsContainerEmpty></ProcessInstructions><Operations><Operation Type="1"><Resources>\
<Resource Type="img" IsLinked="false" IsPreview="false" IsDeleted="false">{picture}</Resource></Resources></Operation></Operations>\
</DataForm>"""


@dataclass(frozen=True)
class Picture:
    """One real scan: where it lies, the number made up for it, and what was declared (None = nothing)."""

    path: Path
    key: str
    container: str
    heading: str | None
    description: str

    @property
    def name(self) -> str:
        return f"{self.key}S{self.path.suffix}"


@dataclass(frozen=True)
class Books:
    """What three places say: the ledger's counts, and every journal row, archived row and fact at the console."""

    accepted: int
    assessed: int
    set_aside: int
    in_flight: int
    journal: Sequence[JournalRow]
    archived: Sequence[JournalRow]
    console: Sequence[str]


def container_number(n: int) -> str:
    """Give the ``n``-th made-up container number, with the check digit of ISO 6346."""
    stem = f"ZZZU{n:06d}"
    values = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (v for v in range(10, 39) if v % 11), strict=True))
    total = sum((values[c] if c.isalpha() else int(c)) << place for place, c in enumerate(stem))
    return f"{stem}{total % 11 % 10}"


def pictures(data: Path) -> list[Picture]:
    """Find the pictures of all ``ajna_*`` sets, in a fixed order."""
    found = []
    for index in sorted(data.glob("ajna_*/annotations_coco.json")):
        for image in sorted(json.loads(index.read_text())["images"], key=lambda image: image["file_name"]):
            n = len(found)
            path = index.parent / image["file_name"]
            found.append(
                Picture(path, f"20251112{n:010d}", container_number(n), image.get("declared_ncm4"), image.get("declared_desc", ""))
            )
    return found


def write_declarations(path: Path, scans: Sequence[Picture]) -> None:
    """Write what the customs system would know."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["container", "hs", "description"])
        writer.writerows([scan.container, scan.heading, scan.description] for scan in scans if scan.heading)


def stage(scans: Sequence[Picture], folder: Path) -> None:
    """Write the scans as the vendor does: the picture under another name first, then the side-car."""
    for scan in scans:
        part = folder / f"{scan.name}.tmp"
        shutil.copyfile(scan.path, part)
        part.rename(folder / scan.name)
        (folder / f"{scan.key}.xml").write_text(_SIDE_CAR.format(key=scan.key, container=scan.container, picture=scan.name))


class Run:
    """One run of the benchmark and its processes."""

    def __init__(self, site: Site, scans: Sequence[Picture], timeout_s: float) -> None:
        self.site = site
        self.scans = scans
        self.daemon = site.daemon()
        self._until = time.monotonic() + timeout_s
        self._shown = 0.0

    def wait(self, condition: Callable[[], bool], *alive: Process) -> None:
        """Wait for a condition while the daemon and ``alive`` run; shows progress."""
        while not condition():
            for process in (self.daemon, *alive):
                process.fail_if_ended()
            if time.monotonic() > self._until:
                raise SystemExit(f"not done in time: {self.outcomes()} of {len(self.scans)} scans; see {self.site.folder}")
            if time.monotonic() - self._shown > _SHOW_S:
                self._shown = time.monotonic()
                print(f"  {self.outcomes():4d} of {len(self.scans)} scans assessed or set aside", flush=True)
            time.sleep(_POLL_S)

    def outcomes(self) -> int:
        """Count the daemon's canonical lines."""
        return sum(line.get("event") in ("scan_assessed", "scan_set_aside") for line in self.daemon.json_lines())

    def kill_and_restart(self) -> None:
        """SIGKILL the daemon with work in hand and start it again."""
        before = self.outcomes()
        self.daemon.kill()
        self.daemon = self.site.daemon()
        print(f"  daemon killed (SIGKILL) after {before} scans and started again", flush=True)

    def archived(self) -> int:
        """Count scans at headquarters."""
        if not (self.site.folder / "archive.db").exists():
            return 0
        with Archive.read(self.site.folder / "archive.db", SystemClock()) as archive:
            return sum(tally.scans for tally in archive.outcomes())


def outcome_facts(console: Process) -> list[str]:
    """Give the fact ids of all outcomes that a console printed, in its order."""
    bodies = [line["body"] for line in console.json_lines() if line.get("event") == "fact" and line.get("body")]
    return [body["fact_id"] for body in bodies if body["kind"] in ("assessment", "set-aside")]


def carry_out(site: Site, scans: Sequence[Picture], *, kill: bool, timeout_s: float) -> tuple[Books, float]:
    """Run everything; give the books and the wall time in seconds from the first file to the last fact everywhere."""
    run = Run(site, scans, timeout_s)
    try:
        run.wait(lambda: run.daemon.has_event("agent_started"))
        begun = time.monotonic()
        stage(scans, site.watched(SCANNER.id))
        hq = site.collector()
        with running(hq):
            run.wait(lambda: run.outcomes() >= len(scans) // 3, hq)
            if kill:
                run.kill_and_restart()
            run.wait(lambda: run.outcomes() >= len(scans) // 2, hq)
            console = site.console("console", "--json")
            with running(console):
                run.wait(lambda: run.archived() >= len(scans) and len(outcome_facts(console)) >= len(scans), hq, console)
                took_s = time.monotonic() - begun
                console.stop()
            hq.stop()
        if run.daemon.stop() != 0:
            raise SystemExit(f"the daemon did not stop cleanly; see {run.daemon.log}")
    finally:
        if run.daemon.popen.poll() is None:
            run.daemon.kill()
    return read_books(site, outcome_facts(console)), took_s


def read_books(site: Site, console: Sequence[str]) -> Books:
    """Read the ledger and the archive after everything has stopped."""
    with closing(LedgerReader.open(site.state_dir / "ledger.db")) as ledger:
        counts, epoch, name = ledger.counts(), ledger.epoch, ledger.site
        journal: list[JournalRow] = []
        while page := ledger.rows(Seq(len(journal)), 500, 1 << 20):
            journal += page
    with Archive.read(site.folder / "archive.db", SystemClock()) as archive:
        archived = list(archive.rows(SiteId(name), epoch))
    return Books(counts.accepted, counts.assessed, counts.set_aside, counts.in_flight, journal, archived, console)


def outcomes_of(rows: Sequence[JournalRow]) -> list[AssessmentBody | SetAsideBody]:
    """Give the outcomes among journal rows."""
    bodies = [decode(row.body) for row in rows]
    return [body for body in bodies if isinstance(body, AssessmentBody | SetAsideBody)]


def faults(books: Books, scans: int) -> list[str]:
    """Compare the books; give what does not agree, in words."""
    outcomes = outcomes_of(books.journal)
    facts = [body.fact_id for body in outcomes]
    checks = {
        f"{scans} scans accepted (found {books.accepted})": books.accepted == scans,
        f"accepted = assessed, none set aside, none in flight (found {books.assessed}, {books.set_aside}, {books.in_flight})": (
            books.assessed == scans and books.set_aside == 0 and books.in_flight == 0
        ),
        "each scan assessed exactly once": len(facts) == scans == len({body.scan_id for body in outcomes}),
        "the console that joined late saw each fact once, in order": list(books.console) == facts,
        "headquarters holds the journal byte for byte": list(books.archived) == list(books.journal[: len(books.archived)]),
        "headquarters holds every outcome": [body.fact_id for body in outcomes_of(books.archived)] == facts,
    }
    return [what for what, holds in checks.items() if not holds]


def last_line(books: Books, took_s: float) -> str:
    """Give the result on one line: counts by conclusion and obstacle, wall time, alerts per 100 scans with their interval."""
    outcomes = outcomes_of(books.journal)
    conclusions = Counter(body.conclusion if isinstance(body, AssessmentBody) else "set-aside" for body in outcomes)
    codes: Counter[str] = Counter()
    for body in outcomes:
        codes.update({part.code for part in body.obstacles} if isinstance(body, AssessmentBody) else {body.reason.code})
    alerts = Rate(conclusions["alert"], len(outcomes))
    words = ", ".join(f"{name} {count}" for name, count in sorted(conclusions.items()))
    obstacles = ", ".join(f"{name} {count}" for name, count in codes.most_common()) or "none"
    per_100 = f"{100 * (alerts.value or 0):.1f} [{100 * alerts.interval.low:.1f}, {100 * alerts.interval.high:.1f}]"
    return f"{len(outcomes)} scans: {words}; obstacles: {obstacles}; {took_s:.0f} s; {per_100} alerts per 100 scans"


def main() -> int:
    """Run the benchmark; 0 when all books agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="folder with the ajna_* sets")
    parser.add_argument("--kill", action="store_true", help="SIGKILL the daemon after a third of the scans, then start it again")
    parser.add_argument("--limit", type=int, metavar="N", help="take N scans only, spread over all sets")
    parser.add_argument("--bundles", type=Path, metavar="DIR", help="model bundles (default: exported_models)")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy (default: config/policy.example.toml)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep everything here (default: a temporary folder, removed)")
    parser.add_argument("--timeout", type=float, default=1200.0, metavar="S", help="give up after S seconds")
    args = parser.parse_args()
    scans = pictures(args.data)
    if args.limit:
        scans = [scans[n * len(scans) // args.limit] for n in range(min(args.limit, len(scans)))]
    if not scans:
        parser.error(f"no ajna_* pictures under {args.data}")
    with tempfile.TemporaryDirectory(prefix="real-scans-") as scratch:
        folder = (args.out or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        write_declarations(folder / "declarations.csv", scans)
        settings = Settings((SCANNER,), declarations=folder / "declarations.csv")
        if args.bundles:
            settings = replace(settings, bundles=args.bundles.resolve())
        if args.policy:
            settings = replace(settings, policy=args.policy.resolve())
        site = Site.prepared(folder, settings)
        print(f"{len(scans)} real scans, {sum(scan.heading is not None for scan in scans)} declared", flush=True)
        books, took_s = carry_out(site, scans, kill=args.kill, timeout_s=args.timeout)
        wrong = faults(books, len(scans))
        if exit_code_of(("journal", "verify", "--state-dir", str(site.state_dir))) != 0:
            wrong.append("the journal's chain is intact")
    for what in wrong:
        print(f"NOT TRUE: {what}")
    print(last_line(books, took_s))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
