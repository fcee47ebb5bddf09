"""What each role may ask: one table in the code, the same in the documentation, and nothing beyond it passes."""

import itertools
import re
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.errors import NotAllowed
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.loopback import a_key_pair
from edge_agent.transport.keys import MAY, Admission, AllowList, Changes, Consumer, Role
from edge_agent.wire.verbs import Verb

PAGE = (Path(__file__).parents[3] / "docs/reference/wire.md").read_text("utf-8")
KEYS = [a_key_pair(str(number)).public for number in range(3)]
ANSWERS = {Verb.BATCH, Verb.OK, Verb.PONG, Verb.CHUNK, Verb.ERR}


def test_the_documented_table_is_the_table_in_the_code():
    section = PAGE.split("### Roles\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    assert {role: set(verbs.split(", ")) for role, verbs in rows} == {role.value: {verb.value for verb in MAY[role]} for role in Role}


def test_every_request_has_a_role_that_may_make_it_and_no_answer_has():
    assert set().union(*MAY.values()) == set(Verb) - ANSWERS


@pytest.mark.parametrize(("role", "verb"), list(itertools.product(Role, sorted(set(Verb) - ANSWERS))))
def test_a_role_asks_what_its_table_says_and_nothing_else(role, verb):
    consumer = Consumer("a", KEYS[0], role)
    if verb in MAY[role]:
        consumer.refuse_beyond_role(verb)
    else:
        with pytest.raises(NotAllowed, match=role.value):
            consumer.refuse_beyond_role(verb)


def test_what_is_no_request_at_all_is_left_to_whoever_reads_it():
    for verb in ("", "DROP TABLE", "pull", *ANSWERS):
        Consumer("a", KEYS[0], Role.ADMIN).refuse_beyond_role(verb)


def test_only_a_collector_sends_control_results_and_an_administrator_decides_and_sees_nothing():
    assert [role for role in Role if Verb.CONTROL in MAY[role]] == [Role.COLLECTOR]
    assert MAY[Role.ADMIN].isdisjoint({Verb.VERDICT, Verb.CONTROL, Verb.BLOB, Verb.PLANES, Verb.TILE})


def test_the_changes_between_two_lists_name_each_consumer_once():
    a, b = Consumer("a", KEYS[0], Role.CONSOLE), Consumer("b", KEYS[1], Role.CONSOLE)
    other_key, other_role = Consumer("a", KEYS[2], Role.CONSOLE), Consumer("b", KEYS[1], Role.ADMIN)
    assert AllowList([a, b]).changes(AllowList([b, a])) == Changes()
    assert not AllowList([a]).changes(AllowList([a]))
    assert AllowList([a]).changes(AllowList([b])) == Changes(added=(b,), removed=(a,))
    assert AllowList([a, b]).changes(AllowList([other_key, other_role])) == Changes(changed=(other_key, other_role))


def test_a_list_in_force_is_replaced_whole_and_whoever_left_it_is_refused_at_once():
    clock = ManualClock()
    a, b = Consumer("a", KEYS[0], Role.CONSOLE), Consumer("b", KEYS[1], Role.CONSOLE)
    admission = Admission(AllowList([a]), clock)
    admission.admit(a.public)
    clock.advance(5)
    admission.replace(AllowList([b]))
    with pytest.raises(NotAllowed):
        admission.admit(a.public)
    assert admission.admit(b.public) == b
    assert admission.seen == {"a": clock.now() - timedelta(seconds=5), "b": clock.now()}


def test_nobody_whose_time_is_over_is_inside():
    clock = ManualClock()
    ending = Consumer("a", KEYS[0], Role.CONSOLE, not_after=clock.now() + timedelta(seconds=1))
    allowed = AllowList([ending])
    assert set(allowed.inside(clock.now() + timedelta(seconds=1))) == {ending.public}
    assert allowed.inside(clock.now() + timedelta(seconds=1.001)) == {}
