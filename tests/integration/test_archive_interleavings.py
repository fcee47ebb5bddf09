"""Whatever the order in which rows come, ahead of the prefix or in it, with restarts between: what is known is folded the same."""

import itertools
import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.collector.archive.port import Batch, Cursor, ScanKey
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.fold import fold
from edge_agent.domain.ids import ScanId, Seq, SiteId, fact_id
from edge_agent.testing.archives import journal_of
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import NOON, assessment, audit, detection, scan_named, set_aside, with_findings
from edge_agent.wire.messages import CodeParams, ControlBody, ReferralBody, VerdictBody, decode

NUMBER = itertools.count()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(request, tmp_path_factory):
    if request.param == "sqlite":
        yield tmp_path_factory.mktemp("archive") / "archive.db"
        return
    with request.getfixturevalue("postgres_server").schema("interleavings") as address:
        yield address


def about(site, name, kind, n):
    scan = scan_named(site, name)
    same = {"site": site, "scanner": "gate-1", "scan_id": scan, "revision": 1, "cause": str(n)}
    return same | {"fact_id": fact_id(scan, kind, 1, str(n)), "produced_at": NOON + timedelta(minutes=n)}


def body(site, kind, name, n):
    at = NOON + timedelta(minutes=n)
    match kind:
        case "alert" | "no-alert" | "unassessable":
            found = [detection("knife", 0.2 + n % 7 / 10)]
            plain = assessment(site, name, kind, at, revision=1 + n % 2, fact_id=f"{name} {n}", cause=str(n))
            return with_findings(plain, found, ["knife"] if kind == "alert" else [])
        case "set-aside":
            return set_aside(site, name, at=at).model_copy(update={"fact_id": f"{name} {n}"})
        case "suspicious" | "not-suspicious":
            people = {"officer": "token", "workstation": "desk", "is_supervisor": n % 3 == 0, "reasons": [], "decided_at": at}
            return VerdictBody(conclusion=kind, **people, **about(site, name, "verdict", n))
        case "found" | "nothing-found":
            return ControlBody(conclusion=kind, found=[], office="", examined_at=at, **about(site, name, "control", n))
        case "referral":
            return ReferralBody(reason=CodeParams(code="clock"), **about(site, name, "referral", n))
    return audit(site, str(n), at)


KINDS = st.sampled_from(
    ["alert", "no-alert", "unassessable", "set-aside", "suspicious", "not-suspicious", "found", "nothing-found", "referral", "audit"]
)
STORIES = st.lists(st.tuples(KINDS, st.sampled_from("abc")), min_size=1, max_size=14)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("prefix"), st.integers(1, 5), st.just(0)),
        st.tuples(st.just("live"), st.integers(0, 13), st.integers(1, 6)),
        st.just(("restart", 0, 0)),
    ),
    max_size=10,
)


def expected(known):
    """Fold what is known, as journalled: (scan, case) and the rows in order."""
    seen, stories = set(), {}
    for row in known:
        fact = decode(row.body)
        if fact.scan_id is not None and fact.fact_id not in seen:
            seen.add(fact.fact_id)
            stories.setdefault(fact.scan_id, []).append(fact)
    folded = {scan: fold(facts) for scan, facts in stories.items()}
    return {scan: case for scan, case in folded.items() if case is not None}


class Told:
    """One site's rows of one or two epochs, told to an archive step by step."""

    def __init__(self, place, site):
        self.place, self.site = place, SiteId(site)
        self.archive = Archive.open(place, ManualClock())
        self.known = {}

    def prefix(self, journal, start, rows):
        at = Cursor(journal.epoch, Seq(start), journal.hash_at(Seq(start)))
        self.archive.commit([Batch(self.site, at, tuple(rows))])
        self.known |= {(journal.epoch, row.seq): row for row in rows}

    def live(self, journal, rows):
        self.archive.live(self.site, rows)
        self.known |= {(journal.epoch, row.seq): row for row in rows}

    def restart(self):
        self.archive.close()
        self.archive = Archive.open(self.place, ManualClock())

    def check(self, epochs):
        rows = [self.known[key] for key in sorted(self.known, key=lambda key: (epochs.index(key[0]), key[1]))]
        cases = expected(rows)
        assert cases == {case.scan_id: case for case in self.archive.cases(sites={self.site})}
        outcomes = sorted(tally.outcome.value for tally in self.archive.outcomes() for _ in range(tally.scans) if tally.site == self.site)
        assert sorted(case.outcome for case in cases.values()) == outcomes
        for scan in {decode(row.body).scan_id for row in rows} - {None}:
            facts = [fact.row.body for fact in self.archive.facts_of(ScanKey(self.site, ScanId(scan)))]
            assert list(dict.fromkeys(row.body for row in rows if decode(row.body).scan_id == scan)) == facts


def play(told, journal, epochs, steps):
    done = 0
    for step, first, length in steps:
        if step == "prefix":
            rows = journal.rows[done : done + first]
            told.prefix(journal, done, rows)
            done += len(rows)
        elif step == "live":
            told.live(journal, journal.rows[first : first + length])
        else:
            told.restart()
        told.check(epochs)
    told.prefix(journal, done, journal.rows[done:])
    told.check(epochs)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=STORIES, steps=STEPS, more=STORIES, after=STEPS, restored=st.integers(0, 14))
def test_cases_are_the_fold_of_what_is_known_at_every_step(place, story, steps, more, after, restored):
    site = f"site-{next(NUMBER)}"
    bodies = [body(site, kind, name, n) for n, (kind, name) in enumerate(story)]
    first = journal_of(*bodies, site=site, epoch=b"z" * 16)
    later = [body(site, kind, name, 100 + n) for n, (kind, name) in enumerate(more)]
    second = journal_of(*bodies[:restored], *later, site=site, epoch=b"a" * 16)
    told = Told(place, site)
    try:
        play(told, first, [first.epoch], steps)
        play(told, second, [first.epoch, second.epoch], after)
        assert [] == told.archive.provisional()
        assert first.rows == list(told.archive.rows(told.site, first.epoch))
        assert second.rows == list(told.archive.rows(told.site, second.epoch))
    finally:
        told.archive.close()


def test_a_writer_waits_for_the_one_before_it_whose_session_the_server_has_not_ended_yet(place):
    if not isinstance(place, str):
        pytest.skip("a file's lock goes with its process")
    before = Archive.open(place, ManualClock())
    end = threading.Timer(0.3, before.close)
    end.start()
    try:
        Archive.open(place, ManualClock()).close()
    finally:
        end.join()
