"""Laws of folding: whatever a site writes that can be read gives a row or none, that row is plain, and only the journal's order counts."""

import json
from dataclasses import asdict
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.collector.archive.stories import case_of, case_text
from edge_agent.collector.fold import fold
from edge_agent.errors import MalformedMessage
from edge_agent.kpi.figures import Question, figures
from edge_agent.kpi.rates import Scope
from edge_agent.testing.cases import LATER_US
from edge_agent.testing.hq_story import SiteStory, story
from edge_agent.wire.messages import AnyBody, decode

_SITE = SiteStory("north", ("g1",), "cargo", 60, 3, guilty=4.0)
BODIES = [json.loads(row.body) for _, row in story(3, (_SITE,), days=9)]
SCANS: dict[str, list[dict[str, object]]] = {}
for one in BODIES:
    if "scan_id" in one:
        SCANS.setdefault(str(one["scan_id"]), []).append(one)
STORIES = sorted((facts for facts in SCANS.values() if len(facts) > 2), key=len)[-30:]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False),
    st.text(max_size=200),
    st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59+14:00", "2026-03-02T12:00:00Z", "alert", "found", "|", "\u202e"]),
)


def paths(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from paths(inner, (*path, key))


def changed(value, path, odd):
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], odd)
    return copy


def read(value) -> AnyBody | None:
    try:
        return decode(json.dumps(value).encode())
    except MalformedMessage:
        return None


@st.composite
def twisted(draw):
    """The facts of one scan, each with some places replaced by anything."""
    bodies = []
    for value in draw(st.sampled_from(STORIES)):
        twisted_value = value
        for _ in range(draw(st.integers(0, 2))):
            places = [path for path in paths(twisted_value) if path]
            twisted_value = changed(twisted_value, draw(st.sampled_from(places)), draw(ODD))
        bodies.append(read(twisted_value))
    return [body for body in bodies if body is not None]


@given(twisted())
def test_what_can_be_read_can_be_folded_counted_and_kept(bodies):
    case = fold(bodies)
    if case is None:
        return
    assert all(isinstance(value, str | int | float | bool | None) for value in asdict(case).values())
    assert case_of(case_text(case)) == case
    figures([case], Question(Scope(UTC, {}), LATER_US)).total.hits.hit_rate  # noqa: B018 - it must not raise


@given(st.sampled_from(STORIES), st.randoms(use_true_random=False))
def test_facts_about_nothing_judged_may_stand_anywhere(values, chance):
    bodies = [decode(json.dumps(value).encode()) for value in values]
    health = decode(json.dumps(next(one for one in BODIES if one["kind"] == "health")).encode())
    among = list(bodies)
    among.insert(chance.randrange(len(bodies) + 1), health)
    assert fold(among) == fold(bodies)


@given(st.sampled_from(STORIES))
def test_a_fact_told_twice_changes_nothing(values):
    bodies = [decode(json.dumps(value).encode()) for value in values]
    assert fold([*bodies, bodies[-1]]) == fold(bodies)


def test_the_stories_hold_every_voice():
    kinds = {str(one["kind"]) for facts in STORIES for one in facts}
    assert {"assessment", "verdict", "control"} <= kinds
