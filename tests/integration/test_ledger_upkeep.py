"""The ledger while the daemon works: bits that flip are found, told and never served; the log is cut; a site signs in time."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import pytest

from edge_agent.agent.desk import Answers, JournalDesk
from edge_agent.agent.feed import Doorbell
from edge_agent.agent.head_signing import HeadSigner
from edge_agent.agent.health import HealthFacts, judge
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.ledger_upkeep import LedgerUpkeep
from edge_agent.domain.ids import Seq
from edge_agent.errors import LedgerBusy, LedgerDamaged, PeerFailed
from edge_agent.ledger import eviction
from edge_agent.ledger.checks import check_whole
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.queries import Budget
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_acceptance, an_arrival, an_assessment, an_audit
from edge_agent.testing.loopback import a_key_pair
from edge_agent.transport.desk import Peer
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.frames import ROOT, Envelope
from edge_agent.wire.heads import ROWS_BETWEEN, SECONDS_BETWEEN
from edge_agent.wire.verbs import PullRequest, Verb, content

KEY = SigningKey.new("harbour")
WEEK_S = 7 * 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as ledger:
        for number in range(40):
            ledger.append(an_assessment(a_scan_id(f"scan-{number}")))
    return tmp_path / "ledger.db"


def with_ledger(path: Path, law: Callable[[LedgerLane, ManualClock], Awaitable[None]]) -> None:
    """Run ``law`` with an open ledger on its lane."""

    async def run() -> None:
        clock, lane = ManualClock(), Lane("ledger")
        try:
            ledger = await lane.run(Ledger.open, path, SITE, clock)
            try:
                await law(LedgerLane(ledger, lane), clock)
            finally:
                await lane.run(ledger.close)
        finally:
            lane.close()

    asyncio.run(run())


def flip(path: Path, needle: bytes) -> None:
    """Flip one bit of the first place in a file that holds ``needle``."""
    content = bytearray(path.read_bytes())
    content[content.index(needle) + 3] ^= 4
    path.write_bytes(content)


# Bits that flip


def test_a_flipped_bit_in_a_body_is_found_by_the_weekly_check_and_makes_the_site_failing(path: Path) -> None:
    flip(path, a_scan_id("scan-7").encode())

    async def law(ledger: LedgerLane, clock: ManualClock) -> None:
        upkeep = LedgerUpkeep(path, ledger, clock)
        await upkeep.look()
        assert upkeep.problem is not None
        assert upkeep.problem.code == "ledger-damaged"
        health = judge(HealthFacts((), 1.0, (), "full", ledger_problem=upkeep.problem))
        assert (health.state, health.reasons) == ("failing", (upkeep.problem,))

    with_ledger(path, law)


def test_a_row_whose_bits_flipped_is_never_served(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as forger:
        forger.execute("DROP TRIGGER journal_is_never_rewritten")
        forger.execute("UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'random', 'randon') AS BLOB) WHERE seq = 8")
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        assert [row.seq for row in ledger.rows(Seq(0), 7, 1 << 30)] == list(range(1, 8))
        assert ledger.rows(Seq(8), 5, 1 << 30)[0].seq == 9
        for after, count in ((0, 40), (7, 1), (5, 10)):
            with pytest.raises(LedgerDamaged):
                ledger.rows(Seq(after), count, 1 << 30)
        with pytest.raises(LedgerDamaged):
            ledger.queries.snapshot((f"{ROOT}/",), 40, Budget(500, 1 << 30))
        assert [row.seq for row in ledger.queries.snapshot((f"{ROOT}/",), 30, Budget(500, 1 << 30)).rows] == list(range(11, 41))
        with pytest.raises(LedgerDamaged):
            ledger.queries.filtered_rows(Seq(0), (f"{ROOT}/",), Budget(500, 1 << 30))
        assert ledger.queries.filtered_rows(Seq(8), (f"{ROOT}/",), Budget(1, 1 << 30)).rows[0].seq == 9


def test_who_asks_for_a_damaged_row_is_refused_and_the_site_goes_on_and_is_failing(path: Path) -> None:
    """It would ask again after every restart, and each death would count against the scans in hand."""
    with closing(apsw.Connection(str(path))) as forger:
        forger.execute("DROP TRIGGER journal_is_never_rewritten; UPDATE journal SET hash = zeroblob(32) WHERE seq = 8")

    async def law(ledger: LedgerLane, clock: ManualClock) -> None:
        upkeep = LedgerUpkeep(path, ledger, clock)
        collector = Consumer("hq", a_key_pair("hq").public, Role.COLLECTOR)
        epoch = (await ledger.head()).epoch.hex()

        async def pulled(after: int, desk: JournalDesk) -> int:
            asked = PullRequest(epoch=epoch, after=after, max=5)
            reply = await desk.answer(Peer(b"1", collector), Envelope(Verb.PULL, 1, content(asked)))
            return len(reply.rows)

        wired = (ledger, Answers(SITE, "tcp://127.0.0.1:1"), clock, Doorbell(), lambda: None)
        desk = JournalDesk(*wired, upkeep.noticed)
        with pytest.raises(PeerFailed):
            await pulled(5, desk)
        assert upkeep.problem is not None
        assert (upkeep.problem.code, upkeep.problem.params["why"]) == ("ledger-damaged", "a row of the journal is not what was written")
        assert await pulled(10, desk) == 5
        with pytest.raises(LedgerDamaged):
            await pulled(5, JournalDesk(*wired))

    with_ledger(path, law)


def test_a_flipped_bit_is_found_wherever_a_fact_is_named_in_table_body_and_index(path: Path) -> None:
    fact = an_assessment(a_scan_id("scan-9")).fact_id.encode()
    whole = path.read_bytes()
    places = [match.start() for match in re.finditer(re.escape(fact), whole)]
    assert len(places) >= 3
    for place in places:
        content = bytearray(whole)
        content[place + 5] ^= 1
        path.write_bytes(content)
        assert is_damaged(path), place


def is_damaged(path: Path) -> bool:
    try:
        return check_whole(path).bad_seq is not None
    except LedgerDamaged:
        return True


def test_a_flipped_bit_in_the_log_never_gives_a_row_that_was_not_written(path: Path, tmp_path: Path) -> None:
    """SQLite ends its log at the first frame that does not fit: rows behind it go, which who has read them will notice; none is altered."""
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        for number in range(20):
            ledger.append(an_audit(f"late {number}"))
        whole = ledger.rows(Seq(0), 100, 1 << 30)
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):
            (copy / name).write_bytes(path.with_name(name).read_bytes())
    flip(copy / "ledger.db-wal", b"late 9")
    with pytest.raises(LedgerDamaged):
        Ledger.open(copy / "ledger.db", SITE, ManualClock())
    assert [row.body for row in whole[-1:]] == [an_audit("late 19").body]


def cut_by_power(path: Path, into: Path, promised_bytes: int) -> Path:
    """Copy a ledger as a power cut leaves it: behind ``promised_bytes`` of the log its first page was not written, all others were."""
    into.mkdir()
    log = bytearray(path.with_name("ledger.db-wal").read_bytes())
    assert len(log) > promised_bytes + 200
    log[promised_bytes + 100] ^= 0xFF
    (into / "ledger.db-wal").write_bytes(log)
    (into / "ledger.db").write_bytes(path.read_bytes())
    return into / "ledger.db"


def log_bytes(path: Path) -> int:
    return path.with_name("ledger.db-wal").stat().st_size


def test_two_power_cuts_one_soon_after_the_other_are_no_damage(path: Path, tmp_path: Path) -> None:
    """The torn end of the first lies behind the torn end of the second; no commit that anybody was told of is missing."""
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        ledger.append(an_audit("told 1"))
        promised = log_bytes(path)
        ledger.accept([an_acceptance(an_arrival(f"untold {number}")) for number in range(200)])
        first = cut_by_power(path, tmp_path / "first", promised)
    with closing(Ledger.open(first, SITE, ManualClock())) as ledger:
        ledger.append(an_audit("told 2"))
        whole = first.with_name("ledger.db-wal").read_bytes()
        ledger.append(an_audit("untold"))
        after = first.with_name("ledger.db-wal").read_bytes()
        second = cut_by_power(first, tmp_path / "second", first_difference(whole, after))
    with closing(Ledger.open(second, SITE, ManualClock())) as ledger:
        rows = [row.body for row in ledger.rows(Seq(0), 100, 1 << 30)]
        assert {an_audit("told 1").body, an_audit("told 2").body} <= set(rows)
        assert an_audit("untold").body not in rows
        assert ledger.verify() is None


def first_difference(before: bytes, after: bytes) -> int:
    """Give where the frame begins that was written first between two looks at a log."""
    frame = 24 + 4096
    place = next((n for n in range(min(len(before), len(after))) if before[n] != after[n]), len(before))
    return 32 + (place - 32) // frame * frame


def test_rows_that_retention_cuts_off_during_a_check_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        for number in range(1, 1301):
            ledger.append(an_audit(f"cause {number}"))
            if number % 600 == 0:
                ledger.sign_head(KEY)
        cuts = iter([1100])

        def cut(_done: int, _of: int) -> None:
            for last in cuts:
                ledger.transact(partial(eviction.cut, last=Seq(last), holdings={}))

        with closing(LedgerReader.open(path)) as reader:
            found = reader.verification(None, cut)
        assert (found.bad_seq, found.signed_seq, ledger.head().first) == (None, 1200, 1101)
        with closing(apsw.Connection(str(path))) as forger:
            forger.execute("DROP TRIGGER journal_is_never_rewritten; UPDATE journal SET hash = zeroblob(32) WHERE seq = 1150")
        with closing(LedgerReader.open(path)) as reader:
            assert reader.verification().bad_seq == 1150


# The weekly check


def test_a_sound_ledger_is_checked_once_a_week_and_after_the_clock_was_wrong(path: Path) -> None:
    checks = []

    async def law(ledger: LedgerLane, clock: ManualClock) -> None:
        upkeep = LedgerUpkeep(path, ledger, clock)
        real = upkeep.check

        async def counted() -> None:
            checks.append(clock.now())
            await real()

        upkeep.check = counted  # type: ignore[method-assign]
        for seconds, so_far in ((0, 1), (3600, 1), (WEEK_S - 7200, 1), (3600, 2), (-WEEK_S, 3)):
            clock.jump(seconds)
            await upkeep.look()
            assert (len(checks), upkeep.problem) == (so_far, None)

    with_ledger(path, law)


def test_a_check_that_is_cancelled_ends_soon_and_notes_nothing(path: Path) -> None:
    async def law(ledger: LedgerLane, clock: ManualClock) -> None:
        upkeep = LedgerUpkeep(path, ledger, clock)
        task = asyncio.create_task(upkeep.check())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert upkeep.problem is None

    with_ledger(path, law)


def test_the_log_is_cut_each_day_and_later_when_a_reader_needs_it(path: Path) -> None:
    async def law(ledger: LedgerLane, clock: ManualClock) -> None:
        upkeep = LedgerUpkeep(path, ledger, clock)
        await ledger.append(an_audit("fills the log"))
        await upkeep.look()
        log = path.with_name("ledger.db-wal")
        assert log.stat().st_size > 0
        clock.advance(86_400)
        with closing(LedgerReader.open(path)) as reader:
            reader._db.execute("BEGIN; SELECT count(*) FROM journal")
            await ledger.append(an_audit("behind the reader"))
            with pytest.raises(LedgerBusy):
                await upkeep.look()
        await upkeep.look()
        assert log.stat().st_size == 0

    with_ledger(path, law)


def test_an_opening_that_takes_too_long_leaves_the_pages_to_the_weekly_check(path: Path) -> None:
    class Hurried(ManualClock):
        def monotonic(self) -> float:
            self.advance(100.0)
            return super().monotonic()

    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        assert ledger.is_checked
    with closing(apsw.Connection(str(path))) as filler:
        filler.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
            " INSERT INTO seen SELECT 'gate-1', 'k' || i, '[]', 0 FROM n"
        )
    with closing(Ledger.open(path, SITE, Hurried())) as ledger:
        assert not ledger.is_checked


# Signing in time


def test_a_site_signs_after_enough_rows_or_enough_time_and_not_twice(tmp_path: Path) -> None:
    async def law(ledger: LedgerLane, clock: ManualClock) -> None:
        signer = HeadSigner(ledger, KEY, clock)

        async def add(count: int) -> None:
            for _ in range(count):
                await ledger.append(an_audit(f"row {(await ledger.head()).seq}"))

        async def signed() -> int:
            head = await ledger.signed_head()
            return 0 if head is None else head.seq

        assert await signer.step() == SECONDS_BETWEEN
        await add(1)
        await signer.step()
        assert await signed() == 1  # what a start finds is signed at once
        await add(ROWS_BETWEEN - 1)
        clock.advance(1)
        assert await signer.step() == SECONDS_BETWEEN - 1
        assert await signed() == 1
        await add(1)
        await signer.step()
        assert await signed() == ROWS_BETWEEN + 1
        await add(1)
        clock.advance(SECONDS_BETWEEN)
        await signer.step()
        assert await signed() == ROWS_BETWEEN + 2
        clock.advance(10 * SECONDS_BETWEEN)
        assert await signer.step() == SECONDS_BETWEEN

    with_ledger(tmp_path / "new.db", law)
