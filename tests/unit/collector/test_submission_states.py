"""A submission goes forward only, whatever answers come twice, late or out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.collector.submission import FINAL, Committed, Failed, Returned, State, failed, next_state
from edge_agent.domain.ids import FactId
from edge_agent.errors import FormRefused, NotAllowed, PeerError, PeerSilent, UnknownScan

OK, BACK = Committed(FactId("f")), Returned()
LATER, NEVER = Failed("peer-silent", "", is_final=False), Failed("unknown-scan", "", is_final=True)
ORDER = [State.ENTERED, State.SENT, State.AT_SITE]
events = st.sampled_from([OK, BACK, LATER, NEVER])


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (State.ENTERED, OK, State.SENT),
        (State.ENTERED, LATER, State.ENTERED),
        (State.ENTERED, NEVER, State.REFUSED),
        (State.ENTERED, BACK, State.ENTERED),
        (State.SENT, BACK, State.AT_SITE),
        (State.SENT, OK, State.SENT),
        (State.SENT, LATER, State.SENT),
        (State.SENT, NEVER, State.SENT),
        *((State.AT_SITE, event, State.AT_SITE) for event in (OK, BACK, LATER, NEVER)),
        *((State.REFUSED, event, State.REFUSED) for event in (OK, BACK, LATER, NEVER)),
    ],
)
def test_each_event_in_each_state(state, event, after):
    assert after is next_state(state, event)


@given(st.lists(events, max_size=12))
def test_nothing_goes_back_and_nothing_counts_that_was_not_committed_and_returned(happened):
    state, path = State.ENTERED, [State.ENTERED]
    for event in happened:
        state = next_state(state, event)
        path.append(state)
    if State.REFUSED in path:
        assert state is State.REFUSED
        assert State.SENT not in path
    else:
        assert [ORDER.index(one) for one in path] == sorted(ORDER.index(one) for one in path)
    if state is State.AT_SITE:
        assert OK in happened
        assert BACK in happened[happened.index(OK) :]


@pytest.mark.parametrize(
    ("problem", "code", "is_final"),
    [
        (PeerSilent("no answer"), "peer-silent", False),
        (NotAllowed("not enrolled"), "not-allowed", False),
        (UnknownScan("no such scan"), "unknown-scan", True),
        (FormRefused("1 answers are wrong", {"found.0.what": "missing"}), "form-refused", True),
        (PeerError("disk-low: full", {"code": "disk-low"}), "disk-low", False),
    ],
)
def test_a_refusal_of_the_content_is_final_and_every_other_is_tried_again(problem, code, is_final):
    event = failed(problem)
    assert (code, is_final) == (event.code, event.is_final)


def test_a_refusal_names_the_answers_that_are_wrong():
    assert "found.0.what=missing" in failed(FormRefused("1 answers are wrong", {"found.0.what": "missing"})).detail
    assert "form-refused" in FINAL
