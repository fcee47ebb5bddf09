"""Retention on a real ledger and a real disk: what goes is gone everywhere, what is protected stays, and the chain still verifies."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_agent.agent.housekeeping import Duties, Housekeeping
from edge_agent.agent.keeping import RetentionSection, SpaceSection
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.packing import Packer
from edge_agent.agent.space import Space
from edge_agent.agent.sweep import SWEPT, Premises, Sweep
from edge_agent.domain.arrival import DuplicateOf
from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import DropKey, ScanId, Seq
from edge_agent.domain.member import MemberDigest
from edge_agent.intake.spool import Spool
from edge_agent.ledger import eviction
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.inventory import held_by_file
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import (
    SCANNER,
    SITE,
    a_scan_id,
    a_set_aside,
    a_verdict,
    an_acceptance,
    an_arrival,
    an_assessment,
    digest_of,
    particulars,
)
from edge_agent.wire import messages

DAY_S = 86_400.0
YEAR = timedelta(days=365)
CONTAINER = "MSKU1234565"


class Bench:
    """A site's ledger and files with a sweep over them."""

    def __init__(self, folder: Path, durable: tuple[str, ...] = ()) -> None:
        self.state_dir = folder
        self.clock = ManualClock()
        self.ledger = Ledger.open(folder / "ledger.db", SITE, self.clock)
        self.lanes = [Lane("ledger"), Lane("housekeeping")]
        access = LedgerLane(self.ledger, self.lanes[0])
        self.blobs = BlobStore(folder / "blobs")
        self.premises = Premises(SITE, folder, access, self.lanes[1], RetentionSection(), durable, self.clock)
        self.rung = 0

    def close(self) -> None:
        self.lanes[0].finish(self.ledger.close)
        for lane in self.lanes:
            lane.close()

    @property
    def sweep(self) -> Sweep:
        return Sweep(self.premises, self.ring)

    def ring(self) -> None:
        self.rung += 1

    def keeping(self, section: RetentionSection) -> None:
        self.premises = replace(self.premises, retention=section)

    def scan(self, name: str, conclusion: str = "no-alert", tokens: tuple[str, ...] = ()) -> ScanId:
        """Accept, assess and pack a scan with a side-car, a heat map of its own and one that all scans share."""
        scan = a_scan_id(name)
        sidecar, _ = self.blobs.put(f"side-car of {name}".encode())
        acceptance = an_acceptance(an_arrival(name), about=particulars(tokens))
        members = (*acceptance.members, MemberDigest(f"{CONTAINER}_{name}.xml", "sidecar", 9, sidecar, is_pixels=False))
        self.ledger.accept([replace(acceptance, members=members, spool=f"spool/{scan}/r1")])
        job = self.ledger.claim(self.clock.now())
        assert job is not None
        refs = [BlobRef(*self.blobs.put(content), "image/png", f"heatmap:{n}") for n, content in enumerate((name.encode(), b"shared"))]
        self.ledger.complete(job.job_id, an_assessment(scan, 1, conclusion=conclusion), refs)
        self._write(f"spool/{scan}/r1/{name}.png", b"p" * 1000)
        self._write(f"packages/2026/03/02/{scan}.r1.scan.zip", b"z" * 3000)
        self.ledger.mark_packed(job.job_id, f"packages/2026/03/02/{scan}.r1.scan.zip", "0" * 64)
        return scan

    def set_aside(self, name: str) -> ScanId:
        scan = a_scan_id(name)
        self.ledger.accept([replace(an_acceptance(an_arrival(name)), spool=f"spool/{scan}/r1")])
        job = self.ledger.claim(self.clock.now())
        assert job is not None
        self.ledger.set_aside(job.job_id, a_set_aside(scan), "unreadable-scan")
        self._write(f"quarantine/{scan}/r1/{name}.png", b"q" * 500)
        return scan

    def _write(self, path: str, content: bytes) -> None:
        target = self.state_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def days_later(self, days: float) -> None:
        self.clock.advance(days * DAY_S)

    def run_things(self, need: int = 0) -> eviction.Tally:
        async def run() -> eviction.Tally:
            sweep = self.sweep
            return await sweep.things(await sweep.rules(YEAR), need)

        return asyncio.run(run())

    def run_all(self) -> tuple[eviction.Tally, eviction.Tally, eviction.Tally]:
        async def run() -> tuple[eviction.Tally, eviction.Tally, eviction.Tally]:
            sweep = self.sweep
            rules = await sweep.rules(YEAR * 20)
            return await sweep.things(rules, 0), await sweep.rows(rules), await sweep.identifiers(rules)

        return asyncio.run(run())

    def files(self) -> set[str]:
        """Everything on the disk that belongs to scans."""
        return {
            str(path.relative_to(self.state_dir))
            for folder in ("spool", "packages", "quarantine", "blobs")
            for path in (self.state_dir / folder).rglob("*")
            if path.is_file()
        }

    def files_of(self, scan: ScanId) -> set[str]:
        return {path for path in self.files() if scan in path}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as made:
        yield made


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("ledger.db*"))


def test_what_is_young_stays(bench: Bench) -> None:
    scan = bench.scan("a")
    bench.days_later(364)
    assert bench.run_things().is_nothing
    assert len(bench.files_of(scan)) == 2
    assert len(bench.files()) == 5


def test_what_is_expired_goes_with_everything_but_what_others_share(bench: Bench) -> None:
    bench.scan("old")
    bench.days_later(200)
    young = bench.scan("young")
    bench.days_later(200)
    tally = bench.run_things()
    assert {"blobs": 1, "originals": 1, "package": 1, "bytes": 4000 + 9, "scans": 0} | tally.counts() == {"scans": 0} | tally.counts()
    assert len(bench.files_of(young)) == 2
    kept = {path for path in bench.files() if path.startswith("blobs")}
    expected = {hashlib.sha256(content).hexdigest() for content in (b"young", b"shared", b"side-car of young")}
    assert {path.rpartition("/")[2] for path in kept} == expected
    assert bench.rung == 1


def test_a_sweep_is_one_audit_fact_with_counts(bench: Bench) -> None:
    for name in "abc":
        bench.scan(name)
    bench.days_later(400)
    bench.run_things()
    (row,) = [body for body in bodies(bench) if body.kind == "audit"]
    assert isinstance(row, messages.AuditBody)
    assert row.event.code == SWEPT
    assert {"blobs": 3, "originals": 3, "package": 3}.items() <= row.event.params.items()


def bodies(bench: Bench) -> list[messages.AnyBody]:
    head = bench.ledger.head()
    return [messages.decode(row.body) for row in bench.ledger.rows(Seq(head.first - 1), 10_000, 1 << 30)]


@pytest.mark.parametrize("conclusion", ["alert", "unassessable"])
def test_evidence_and_open_questions_never_go(bench: Bench, conclusion: str) -> None:
    scan = bench.scan("e", conclusion)
    bench.days_later(4000)
    assert bench.run_things(need=10**9).is_nothing
    assert len(bench.files_of(scan)) == 2
    bench.ledger.append(a_verdict(scan, conclusion="not-suspicious"))
    bench.days_later(4000)
    bench.run_things(need=10**9)
    assert bool(bench.files_of(scan)) is (conclusion == "alert")


def test_a_verdict_renews_the_time_of_keeping(bench: Bench) -> None:
    scan = bench.scan("v")
    bench.days_later(300)
    bench.ledger.append(a_verdict(scan, conclusion="not-suspicious"))
    bench.days_later(300)
    assert bench.run_things().is_nothing


def test_a_legal_hold_stops_everything_until_it_is_released(bench: Bench) -> None:
    scan = bench.scan("h")
    (bench.state_dir / "holds").mkdir()
    hold = bench.state_dir / "holds" / scan
    hold.write_text('{"reason": "court-order"}')
    bench.days_later(4000)
    assert bench.run_things(need=10**9).is_nothing
    hold.unlink()
    assert not bench.run_things().is_nothing
    assert bench.files_of(scan) == set()


def test_holds_are_journalled_once_when_placed_and_when_released(bench: Bench) -> None:
    scan = bench.scan("h")
    (bench.state_dir / "holds").mkdir()
    hold = bench.state_dir / "holds" / scan
    hold.write_text('{"reason": "court-order"}')
    house = a_house(bench)
    for _ in range(2):
        asyncio.run(house.look())
    hold.unlink()
    for _ in range(2):
        asyncio.run(house.look())
    audits = [body for body in bodies(bench) if isinstance(body, messages.AuditBody)]
    assert [(body.event.code, body.scan_id) for body in audits] == [("hold-placed", scan), ("hold-released", scan)]
    assert [body.event.params["reason"] for body in audits] == ["court-order"] * 2
    assert bench.ledger.verify() is None


def a_house(bench: Bench) -> Housekeeping:
    return Housekeeping(bench.premises, Space(bench.state_dir, SpaceSection(ballast_mb=0)), Duties(), bench.ring)


def test_nothing_goes_before_every_durable_consumer_has_its_rows(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, durable=("hq", "mirror"))) as bench:
        scan = bench.scan("u")
        bench.days_later(400)
        head = bench.ledger.head()
        bench.ledger.acknowledge("hq", head.seq, head.hash, bench.clock.now())
        assert bench.run_things(need=10**9).is_nothing
        bench.ledger.acknowledge("mirror", head.seq, head.hash, bench.clock.now())
        bench.ledger.acknowledge("gone", Seq(0), bench.ledger.epoch, bench.clock.now())
        assert not bench.run_things().is_nothing
        assert bench.files_of(scan) == set()


def test_when_space_is_short_the_least_valuable_of_the_old_goes_first(bench: Bench) -> None:
    first = bench.scan("a")
    bench.days_later(1)
    second = bench.scan("b")
    bench.days_later(31)
    bench.run_things(need=1500)
    assert {path.partition("/")[0] for path in bench.files_of(first) | bench.files_of(second)} == {"packages"}
    bench.run_things(need=3000)
    assert [bool(bench.files_of(scan)) for scan in (first, second)] == [False, True]


def test_before_the_least_time_nothing_goes_for_space(bench: Bench) -> None:
    bench.scan("a")
    bench.days_later(29)
    assert bench.run_things(need=10**9).is_nothing


def test_what_was_set_aside_goes_by_its_own_time_and_is_not_asked_for_any_more(bench: Bench) -> None:
    bench.keeping(RetentionSection(quarantine_days=60.0))
    scan = bench.set_aside("q")
    bench.days_later(59)
    assert bench.run_things().is_nothing
    assert [item.scan_id for item in bench.ledger.quarantined()] == [scan]
    bench.days_later(2)
    assert bench.run_things().counts()["quarantine"] == 1
    assert (bench.files_of(scan), bench.ledger.quarantined()) == (set(), [])
    assert bench.ledger.counts().set_aside == 1


def test_an_evicted_package_is_neither_listed_nor_made_again(bench: Bench) -> None:
    bench.scan("p")
    bench.days_later(400)
    bench.run_things()
    assert (bench.ledger.packed(), bench.ledger.unpacked()) == ([], [])


def test_a_death_between_decision_and_removal_is_made_good(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = bench.scan("d")
    bench.days_later(400)
    with monkeypatch.context() as dying:
        dying.setattr(eviction, "take_off", lambda _state_dir, _path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            bench.run_things()
    assert len(bench.files_of(scan)) == 2
    asyncio.run(bench.sweep.finish_last())
    assert bench.files() == set()
    assert bench.ledger.transact(eviction.pending) == []


def test_a_scan_to_which_something_happened_since_the_plan_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = bench.scan("r")
    bench.days_later(400)
    planned = eviction.decide

    def late(connection, evictions, holdings):
        bench.ledger._journal.append(a_verdict(scan), bench.clock.now())
        return planned(connection, evictions, holdings)

    monkeypatch.setattr(eviction, "decide", late)
    assert bench.run_things().is_nothing
    assert len(bench.files_of(scan)) == 2


@pytest.mark.parametrize("path", ["ledger.db", "../x", "spool", "spool/../ledger.db", "/etc/passwd", "keys/site.key_secret"])
def test_nothing_outside_the_scans_folders_is_ever_removed(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="removes nothing outside"):
        eviction.take_off(tmp_path, path)


def test_rows_go_as_a_prefix_and_the_chain_goes_on(bench: Bench) -> None:
    for name in "abc":
        bench.scan(name)
    bench.days_later(1200)
    late = bench.scan("late")
    third = bench.ledger.hash_at(Seq(3))
    things, rows, _ = bench.run_all()
    assert (things.kinds[eviction.Kind.PACKAGE], rows.rows, rows.scans) == (3, 3, 3)
    head = bench.ledger.head()
    assert (head.first, bench.ledger.hash_at(Seq(3)), bench.ledger.hash_at(Seq(2))) == (4, third, None)
    assert bench.ledger.verify() is None
    bench.ledger.check_head()
    assert bench.ledger.counts().accepted == 1
    assert bench.ledger.has_fact(an_assessment(late).fact_id) == 4
    with closing(LedgerReader.open(bench.state_dir / "ledger.db")) as reader:
        assert reader.verify() is None


def test_one_scan_that_must_stay_keeps_the_rows_behind_it(bench: Bench) -> None:
    bench.scan("a")
    bench.scan("b", "alert")
    bench.scan("c")
    bench.days_later(4000)
    _, rows, _ = bench.run_all()
    assert (rows.rows, bench.ledger.head().first, bench.ledger.counts().accepted) == (1, 2, 2)


def test_a_whole_journal_may_go_and_numbers_go_on(bench: Bench) -> None:
    bench.scan("a")
    bench.days_later(1200)
    bench.run_things()
    bench.days_later(1200)
    bench.run_all()
    head = bench.ledger.head()
    assert head.first > 1
    assert bench.ledger.verify() is None
    bench.scan("b")
    assert bench.ledger.verify() is None


def test_values_go_with_the_last_scan_that_names_them(bench: Bench) -> None:
    (token,) = bench.ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, CONTAINER)])
    bench.scan("a", tokens=(token.token,))
    bench.days_later(300)
    bench.scan("b", tokens=(token.token,))
    bench.days_later(300)
    assert bench.run_all()[2].identities == 0
    bench.days_later(100)
    assert bench.run_all()[2].identities == 1
    assert bench.ledger.identities([token.token])[0].value is None
    bench.run_all()  # file names follow the files that bore them
    bench.ledger.fold_log()
    assert CONTAINER.encode() not in bytes_on_disk(bench.state_dir)
    assert bench.ledger.verify() is None


def test_a_value_that_an_arriving_scan_is_given_while_the_sweep_looks_is_not_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its token and its acceptance a scan stands in no row that a sweep could see."""
    value, other = IdentityValue(IdentityClass.CONTAINER, CONTAINER), IdentityValue(IdentityClass.CONTAINER, "MSKU7654321")
    token, old = bench.ledger.tokenise([value, other])
    bench.days_later(400)
    forgotten = Sweep._forgotten

    async def arrives_first(sweep: Sweep, *looked: object) -> eviction.Tally:
        assert [token.token] == [row.token for row in bench.ledger.tokenise([value])]
        return await forgotten(sweep, *looked)  # type: ignore[arg-type]

    monkeypatch.setattr(Sweep, "_forgotten", arrives_first)
    assert bench.run_all()[2].identities == 1
    assert [CONTAINER, None] == [row.value for row in bench.ledger.identities([token.token, old.token])]
    bench.scan("b", tokens=(token.token,))
    bench.run_all()
    assert bench.ledger.identities([token.token])[0].value == CONTAINER


def test_evidence_keeps_its_names_and_values(bench: Bench) -> None:
    (token,) = bench.ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, CONTAINER)])
    bench.scan(CONTAINER, "alert", tokens=(token.token,))
    bench.days_later(5000)
    bench.run_all()
    assert bench.ledger.identities([token.token])[0].value == CONTAINER


def test_file_names_are_forgotten_and_what_still_lies_with_the_scanner_is_known_all_the_same(bench: Bench) -> None:
    bench.scan(CONTAINER)
    fingerprint = bench.ledger.seen(SCANNER)[DropKey(CONTAINER)]
    duplicate = an_arrival(f"copy-of-{CONTAINER}", content=CONTAINER)
    bench.ledger.accept([replace(an_acceptance(duplicate, DuplicateOf(a_scan_id(CONTAINER))), members=())])
    bench.days_later(400)
    bench.run_all()
    bench.run_all()
    bench.ledger.fold_log()
    assert CONTAINER.encode() not in bytes_on_disk(bench.state_dir)
    drops = [(DropKey(CONTAINER), fingerprint), (DropKey(CONTAINER), ((f"{CONTAINER}.png", 1001, 1),)), (DropKey("new"), fingerprint)]
    assert [bench.ledger.forgotten(SCANNER, [drop]) for drop in drops] == [[DropKey(CONTAINER)], [], []]
    assert bench.ledger.verify() is None


def test_a_name_that_came_again_with_a_later_scan_is_kept_for_it(bench: Bench) -> None:
    bench.scan("again")
    bench.days_later(300)
    bench.ledger.accept([an_acceptance(an_arrival("again", content="new pixels"))])
    bench.days_later(100)
    bench.run_all()
    assert set(bench.ledger.seen(SCANNER)) == {"again"}


def test_a_clock_that_is_a_year_wrong_for_a_night_costs_nothing(bench: Bench) -> None:
    scan = bench.scan("c")
    bench.days_later(10)

    async def night() -> eviction.Tally:
        sweep = bench.sweep
        return await sweep.things(await sweep.rules(timedelta(days=1)), 10**9)

    asyncio.run(night())
    bench.clock.jump(500 * DAY_S)
    assert asyncio.run(night()).is_nothing
    bench.clock.jump(-500 * DAY_S)
    assert asyncio.run(night()).is_nothing
    assert len(bench.files_of(scan)) == 2


def test_an_unknown_file_among_the_holds_holds_nothing_and_breaks_nothing(bench: Bench) -> None:
    (bench.state_dir / "holds").mkdir()
    (bench.state_dir / "holds/.part").write_text("")
    (bench.state_dir / "holds/folder").mkdir()
    (bench.state_dir / "holds/nobody").write_text("no JSON")
    assert held_by_file(bench.state_dir) == ["nobody"]
    asyncio.run(a_house(bench).look())


def test_the_daily_sweep_keeps_to_the_budget(bench: Bench) -> None:
    for name in "abcd":
        bench.scan(name)
    bench.days_later(31)
    house = Housekeeping(bench.premises, Space(bench.state_dir, SpaceSection(ballast_mb=0)), Duties(budget_bytes=9000), bench.ring)
    bench.clock.advance(600.0)
    asyncio.run(house.look())
    assert asyncio.run(bench.sweep.used_bytes()) <= 9000
    assert bench.ledger.packed() != []


def test_digests_of_side_cars_are_known_for_every_scan(bench: Bench) -> None:
    bench.scan("s")
    assert digest_of("side-car of s") in {path.rpartition("/")[2] for path in bench.files()}


def said_of(bench: Bench, *entries: Entry) -> bool:
    for entry in entries:
        bench.ledger.append(entry)
    return bench.ledger.transact(partial(eviction.is_ordinary, scan=a_scan_id("s")))


def test_the_files_of_a_scan_that_ever_alerted_stay_beside_its_package_whatever_is_said_later(bench: Bench) -> None:
    scan = a_scan_id("s")
    assert said_of(bench, an_assessment(scan, 1, "no-alert"))
    assert not said_of(bench, an_assessment(scan, 2, "unassessable"))
    assert said_of(bench, an_assessment(scan, 3, "no-alert"))
    assert not said_of(bench, an_assessment(scan, 4, "alert"))
    assert not said_of(bench, an_assessment(scan, 5, "no-alert"))


@pytest.mark.parametrize("word", ["suspicious", "hold"])
def test_a_person_can_make_the_files_of_an_ordinary_scan_stay(bench: Bench, word: str) -> None:
    scan = a_scan_id("s")
    assert said_of(bench, an_assessment(scan))
    if word == "hold":
        bench.ledger.transact(partial(eviction.note_hold, scan=scan, reason="case", at=bench.clock.now()))
    else:
        bench.ledger.append(a_verdict(scan))
    assert not said_of(bench)


def test_a_package_written_late_takes_no_originals_of_an_alert_with_it(bench: Bench) -> None:
    """A death left the first revision's package unwritten; the second revision shows nothing."""
    scan = bench.scan("s", "alert")
    bench.ledger.append(an_assessment(scan, 2, "no-alert"))
    spool = Spool(bench.state_dir / "spool")
    storage = SimpleNamespace(ledger=bench.premises.ledger, spool=spool, state_dir=bench.state_dir)
    packer = Packer(None, storage)  # type: ignore[arg-type]
    asyncio.run(packer._let_originals_go(SimpleNamespace(scan_id=scan, revision=1)))  # type: ignore[arg-type]
    assert (bench.state_dir / f"spool/{scan}/r1").is_dir()
    ordinary = bench.scan("t")
    asyncio.run(packer._let_originals_go(SimpleNamespace(scan_id=ordinary, revision=1)))  # type: ignore[arg-type]
    assert not (bench.state_dir / f"spool/{ordinary}").exists()


def test_a_blob_that_is_named_again_before_it_was_taken_off_stays(bench: Bench) -> None:
    """A death came between the decision and the disk; then the same side-car came again, and was found in its place."""
    digest, _ = bench.blobs.put(b"side-car of x")
    bench.ledger.transact(lambda connection: eviction._list(connection, f"blobs/{digest[:2]}/{digest}"))
    lone, _ = bench.blobs.put(b"named by nobody")
    bench.ledger.transact(lambda connection: eviction._list(connection, f"blobs/{lone[:2]}/{lone}"))
    bench.scan("x")
    asyncio.run(bench.sweep.finish_last())
    blobs = {path.rpartition("/")[2] for path in bench.files()}
    assert (digest in blobs, lone in blobs) == (True, False)
