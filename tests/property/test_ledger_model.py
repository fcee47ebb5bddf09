"""The ledger against a model that fits on a page: accepted = assessed + set aside + in flight, whatever happens in whatever order."""

import tempfile
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_agent.domain.arrival import NewRevision
from edge_agent.domain.ids import ScanId, Seq
from edge_agent.ledger.backup import back_up, restore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Counts, Job
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, a_set_aside, an_acceptance, an_arrival, an_assessment, an_audit

KEY = SigningKey.new("harbour")


@dataclass
class Expected:
    """What the model believes of one revision."""

    name: str
    revision: int
    priority: int
    order: int
    state: str = "waiting"
    is_suspect: bool = False
    deaths: int = 0
    charges: int = 0


class LedgerModel(RuleBasedStateMachine):
    """Every rule does one thing to the real ledger and to the model; the invariants compare them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.db"
        self.saved_path = Path(self.folder.name) / "backup.db"
        self.clock = ManualClock()
        self.ledger = Ledger.open(self.path, SITE, self.clock)
        self.jobs: list[Expected] = []
        self.claimed: list[tuple[Job, Expected]] = []
        self.facts = 0
        self.causes = 0
        self.signed = 0
        self.epochs = {self.ledger.epoch}
        self.saved: tuple[list[Expected], int, int] | None = None
        self.claims = 0

    def teardown(self) -> None:
        found = self.ledger.verification(KEY.public)
        assert (found.bad_seq, found.signed_seq) == (None, self.signed)
        self.ledger.close()
        self.folder.cleanup()

    def scan(self, job: Expected) -> ScanId:
        return a_scan_id(job.name)

    def cause(self) -> str:
        self.causes += 1
        return f"cause-{self.causes}"

    def runnable(self) -> Expected | None:
        """The model's own idea of who is next."""
        waiting = sorted((job for job in self.jobs if job.state == "waiting"), key=lambda job: (-job.priority, job.order))
        suspects = [job for job in waiting if job.is_suspect]
        if any(expected.is_suspect for _, expected in self.claimed):
            return None
        if suspects:
            return None if self.claimed else suspects[0]
        is_open = {"waiting", "claimed"}
        earliest = {
            job.name: min(other.order for other in self.jobs if other.name == job.name and other.state in is_open) for job in waiting
        }
        ready = [job for job in waiting if earliest[job.name] == job.order]
        if self.claims % 5 == 4:  # every fifth place is given to whoever has waited longest
            return min(ready, key=lambda job: job.order, default=None)
        return next(iter(ready), None)

    @rule(priority=st.integers(0, 2), count=st.integers(1, 3))
    def accept(self, priority: int, count: int) -> None:
        fresh = [Expected(f"scan-{len(self.jobs) + part}", 1, priority, len(self.jobs) + part) for part in range(count)]
        self.ledger.accept([an_acceptance(an_arrival(job.name), priority=priority) for job in fresh])
        self.jobs += fresh

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def accept_a_revision(self, data: st.DataObject) -> None:
        of = data.draw(st.sampled_from(self.jobs))
        revision = max(job.revision for job in self.jobs if job.name == of.name) + 1
        arrival = an_arrival(of.name, content=f"{of.name}-{revision}")
        self.ledger.accept([an_acceptance(arrival, NewRevision(self.scan(of), revision), priority=of.priority)])
        self.jobs.append(Expected(of.name, revision, of.priority, len(self.jobs)))

    @rule()
    def claim(self) -> None:
        expected = self.runnable()
        job = self.ledger.claim(self.clock.now())
        if expected is None:
            assert job is None
            return
        assert job is not None
        assert (job.drop_key, job.revision, job.is_suspect) == (expected.name, expected.revision, expected.is_suspect)
        expected.state = "claimed"
        self.claims += 1
        self.claimed.append((job, expected))

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        job, expected = self.claimed.pop(data.draw(st.integers(0, len(self.claimed) - 1)))
        appended = self.ledger.complete(job.job_id, an_assessment(job.scan_id, job.revision), [])
        self.facts += 1
        expected.state, expected.is_suspect = "assessed", False
        assert (appended.seq, appended.is_new) == (self.facts, True)

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def set_aside(self, data: st.DataObject) -> None:
        job, expected = self.claimed.pop(data.draw(st.integers(0, len(self.claimed) - 1)))
        self.ledger.set_aside(job.job_id, a_set_aside(job.scan_id, job.revision, cause=self.cause()), "unreadable-scan")
        self.facts += 1
        expected.state = "set-aside"

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        job, expected = self.claimed.pop(data.draw(st.integers(0, len(self.claimed) - 1)))
        self.ledger.release(job.job_id, None)
        expected.state = "waiting"

    @precondition(lambda self: any(job.state == "set-aside" for job in self.jobs))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([job for job in self.jobs if job.state == "set-aside"]))
        self.ledger.retry(self.scan(job), job.revision, an_audit(self.cause()))
        self.facts += 1
        job.state, job.deaths, job.charges = "waiting", 0, 0

    @rule(charge=st.booleans())
    def die_and_start_again(self, charge: bool) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.path, SITE, self.clock)
        self.claims = 0
        assert self.ledger.epoch in self.epochs
        assert self.ledger.recover(charge) == len(self.claimed)
        is_charged = charge and len(self.claimed) == 1 and self.claimed[0][1].is_suspect
        for _, expected in self.claimed:
            expected.state, expected.is_suspect = "waiting", True
            expected.charges += int(is_charged)
            expected.deaths += int(not is_charged)
        self.claimed.clear()

    @rule()
    def sign(self) -> None:
        signed = self.ledger.sign_head(KEY)
        assert signed is None or signed.seq == self.facts
        self.signed = self.facts

    @rule()
    def back_up(self) -> None:
        self.saved_path.unlink(missing_ok=True)
        assert back_up(self.path, self.saved_path).last_seq == self.facts
        self.saved = (deepcopy(self.jobs), self.facts, self.signed)

    @precondition(lambda self: self.saved is not None)
    @rule()
    def restore(self) -> None:
        """What was promised since the backup is gone, and says so: a new epoch; what was in hand then is taken up again."""
        assert self.saved is not None
        self.ledger.close()
        restore(self.saved_path, self.path, self.clock)
        self.ledger = Ledger.open(self.path, SITE, self.clock)
        assert self.ledger.epoch not in self.epochs
        self.epochs.add(self.ledger.epoch)
        self.claims = 0
        jobs, facts, self.signed = self.saved
        self.jobs, self.facts = deepcopy(jobs), facts + 1
        self.claimed.clear()
        in_hand = [job for job in self.jobs if job.state == "claimed"]
        assert self.ledger.recover(charge=False) == len(in_hand)
        for job in in_hand:
            job.state, job.is_suspect, job.deaths = "waiting", True, job.deaths + 1

    @rule(seconds=st.integers(-(10**8), 10**8))
    def wall_clock_jumps(self, seconds: int) -> None:
        self.clock.jump(seconds)

    @invariant()
    def nothing_accepted_is_lost(self) -> None:
        states = [job.state for job in self.jobs]
        in_flight = states.count("waiting") + states.count("claimed")
        counts = self.ledger.counts()
        assert counts == Counts(len(states), states.count("assessed"), states.count("set-aside"), in_flight)
        assert counts.accepted == counts.assessed + counts.set_aside + counts.in_flight

    @invariant()
    def the_journal_has_each_fact_once(self) -> None:
        assert self.ledger.head().seq == self.facts
        assert [row.seq for row in self.ledger.rows(Seq(0), 10**6, 1 << 40)] == list(range(1, self.facts + 1))

    @invariant()
    def the_books_of_the_suspects_agree(self) -> None:
        expected = [(job.name, job.revision, job.deaths, job.charges) for job in self.jobs if job.state == "waiting" and job.is_suspect]
        assert [(job.drop_key, job.revision, job.attempts, job.charges) for job in self.ledger.suspects_over(0, 0)] == expected


TestLedgerModel = LedgerModel.TestCase
TestLedgerModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
