"""Any sequence of arrivals, decided and accepted one by one, is taken without a clash of identities, and no pixels are forgotten."""

import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.domain.arrival import DuplicateOf, NewRevision, NewScan, decide
from edge_agent.domain.ids import ScanId, ScannerId, Token
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_set_aside, an_acceptance, an_arrival, an_assessment, particulars

WINDOW = timedelta(hours=1)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["gate-1", "gate-2"]),
        st.sampled_from(["0001", "0002"]),
        st.sampled_from(["x", "y", "z", None]),
        st.sampled_from(["m0", "m1"]),
        st.sampled_from([(), ("t1",), ("t2",)]),
        st.sampled_from([-86400, 0, 60, 86400]),
        st.sampled_from(["leave", "assess", "set aside"]),
    ),
    max_size=14,
)


def work(ledger: Ledger, clock: ManualClock, how: str) -> None:
    job = None if how == "leave" else ledger.claim(clock.now())
    if job is None:
        return
    cause = f"job-{job.job_id}"
    if how == "assess":
        ledger.complete(job.job_id, an_assessment(job.scan_id, job.revision, cause=cause), [])
    else:
        ledger.set_aside(job.job_id, a_set_aside(job.scan_id, job.revision, cause=cause), "unreadable-scan")


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_no_sequence_of_arrivals_clashes_and_none_with_new_pixels_is_passed_over(
    steps: list[tuple[str, str, str | None, str, tuple[str, ...], int, str]],
) -> None:
    clock = ManualClock()
    accepted = 0
    pixels: dict[ScanId, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder, closing(Ledger.open(Path(folder) / "ledger.db", SITE, clock)) as ledger:
        for scanner, name, content, metadata, subject, pause, how in steps:
            clock.jump(pause)
            arrival = an_arrival(name, content, metadata, ScannerId(scanner))
            tokens = tuple(Token(token) for token in subject)
            known = ledger.known(arrival.scanner, arrival.drop_key, arrival.content_digest, tokens)
            decision = decide(arrival, known, clock.now(), WINDOW)
            ledger.accept([an_acceptance(arrival, decision, particulars(subject))])
            scan = decision.scan_id
            if isinstance(decision, NewScan):
                assert scan not in pixels, "an identity was given twice"
            if isinstance(decision, NewScan | NewRevision):
                accepted += 1
                pixels.setdefault(scan, set()).add(arrival.content_digest or "")
            elif arrival.content_digest is not None:
                assert arrival.content_digest in pixels[scan], "new pixels were passed over"
            if isinstance(decision, DuplicateOf):
                assert known.twin_has_same_subject
            work(ledger, clock, how)
            assert ledger.counts().accepted == accepted
