"""What is an alarm, when it begins and ends, and what is said of it."""

import json
from datetime import timedelta

import pytest
import structlog

from edge_agent.collector.alarms import Durations, Usual, alarms_of, usual
from edge_agent.collector.board import Board, Known
from edge_agent.collector.config import ExpectedTable, WatchTable
from edge_agent.collector.metrics import site_metrics
from edge_agent.collector.puller import SiteState
from edge_agent.collector.states import Alarm, AlarmCode, Phase, SiteNow, States
from edge_agent.domain.ids import SiteId
from edge_agent.telemetry.metrics import Metric, Sample, exposition
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import NOON
from edge_agent.wire.heartbeat import SiteState as SiteWord
from edge_agent.wire.heartbeat import StatusReply
from edge_agent.wire.messages import BundlePart, CodeParams

WATCH = WatchTable()
QUIET = Durations(0.0, 0.0)
NOBODY_CAN_SAY = Usual()
NOTHING_GIVEN = ExpectedTable()
A, B = "aa" * 32, "bb" * 32


def site(name="north", **fields):
    return SiteNow(site=name, phase_since=NOON, **{"phase": Phase.CURRENT, **fields})


def codes(one, durations=QUIET, usual_here=NOBODY_CAN_SAY, watch=WATCH):
    return list(alarms_of(one, durations, usual_here, watch))


def test_a_site_that_is_well_is_no_alarm():
    well = site(health="healthy", clock_skew_s=4.9, policy_digest=A, bundles=("d/1",), daemon="x", durable=5, head=9, phase=Phase.DRAINING)
    assert codes(well, Durations(120.0, 300.0), Usual(A, ("d/1",))) == []


@pytest.mark.parametrize(
    ("fields", "durations", "code"),
    [
        ({"phase": Phase.DIVERGED}, QUIET, AlarmCode.DIVERGED),
        ({"phase": Phase.SILENT}, Durations(120.1, 0.0), AlarmCode.SILENT),
        ({"phase": Phase.CONNECTING}, Durations(121.0, 0.0), AlarmCode.SILENT),
        ({"phase": Phase.REFUSED}, QUIET, AlarmCode.REFUSED),
        ({"phase": Phase.HELD_UP}, QUIET, AlarmCode.HELD_UP),
        ({}, Durations(0.0, 300.1), AlarmCode.HEADS_STOPPED),
        ({"health": "failing"}, QUIET, AlarmCode.FAILING),
        ({"clock_skew_s": 5.1}, QUIET, AlarmCode.CLOCK_SKEW),
        ({"clock_skew_s": -5.1}, QUIET, AlarmCode.CLOCK_SKEW),
    ],
)
def test_each_trouble_has_its_alarm_and_no_other(fields, durations, code):
    assert codes(site(**fields), durations) == [code]


def test_silence_shorter_than_the_limit_and_degraded_health_are_no_alarm():
    assert codes(site(phase=Phase.SILENT, health="degraded"), Durations(119.0, 0.0)) == []


def test_a_diverged_site_is_not_told_to_be_silent_as_well():
    assert codes(site(phase=Phase.DIVERGED), Durations(9e5, 0.0)) == [AlarmCode.DIVERGED]


def test_expected_policy_is_a_beginning_and_expected_bundles_are_all_of_them():
    expected = ExpectedTable(policy="aaaaaaaa", bundles=("d/1", "c/1"))
    well, other = site(policy_digest=A, bundles=("c/1", "d/1"), daemon="x"), site("south", policy_digest=B, bundles=("d/1",), daemon="x")
    here = usual([well, other], expected)[""]
    assert codes(well, usual_here=here) == []
    assert codes(other, usual_here=here) == [AlarmCode.POLICY_DRIFTED, AlarmCode.BUNDLES_DRIFTED]


def test_a_site_that_told_nothing_yet_has_not_drifted():
    assert codes(site(), usual_here=Usual(A, ("d/1",))) == []


def test_most_of_a_group_say_what_is_usual_and_only_in_it():
    sea = [site(f"sea-{n}", group="sea", policy_digest=A if n else B, daemon="x", bundles=("d/1",)) for n in range(4)]
    air = [site(f"air-{n}", group="air", policy_digest=B, daemon="x", bundles=("p/1",)) for n in range(3)]
    found = usual(sea + air, ExpectedTable())
    assert found == {"sea": Usual(A, ("d/1",)), "air": Usual(B, ("p/1",))}
    assert codes(sea[0], usual_here=found["sea"]) == [AlarmCode.POLICY_DRIFTED]


@pytest.mark.parametrize("digests", [(A, B), (A, A), (A, A, B, B), (A, "", "")])
def test_without_a_clear_majority_of_three_nobody_has_drifted(digests):
    found = usual([site(f"s{n}", policy_digest=digest) for n, digest in enumerate(digests)], ExpectedTable())
    assert found[""].policy is None


# ------------------------------------------------------------------------------------------------------------------------- board


NORTH = SiteId("north")


class Scene:
    def __init__(self, **known):
        self.clock = ManualClock()
        self.board = Board([Known(NORTH, **known)], self.clock, lambda _: None)

    def look(self, watch=WATCH, expected=NOTHING_GIVEN):
        return self.board.look(watch, expected)[0]

    def codes(self):
        return [alarm.code for alarm in self.look().alarms]


def test_an_alarm_keeps_its_beginning_and_is_told_once_at_each_end():
    scene = Scene()
    with structlog.testing.capture_logs() as log:
        scene.look()
        scene.clock.advance(121)
        began = scene.look().alarms[0].since
        scene.clock.advance(60)
        again = scene.look().alarms[0]
        scene.board.heard(NORTH)
        assert scene.codes() == []
        scene.look()
    assert (began, again.since, again.detail) == (again.since, began, "not heard for 181 s")
    assert [(line["event"], line["code"]) for line in log] == [("site_alarm_began", "silent"), ("site_alarm_ended", "silent")]
    assert log[1]["seconds"] == 60.0


def test_silence_counts_from_the_last_answer_even_a_refusal_and_else_from_the_start():
    scene = Scene()
    scene.clock.advance(119)
    scene.board.heard(NORTH)
    scene.clock.advance(119)
    assert scene.codes() == []
    assert scene.look().last_heard == scene.clock.now() - timedelta(seconds=119)
    scene.clock.advance(2)
    assert scene.codes() == [AlarmCode.SILENT]


def state(**fields):
    return SiteState(NORTH, **{"phase": Phase.CURRENT, "durable": 10, "head": 10, **fields})


def hear(scene, seconds):
    scene.clock.advance(seconds)
    scene.board.heard(NORTH)


def test_heads_have_stopped_only_when_rows_stay_uncovered():
    scene = Scene(must_sign=True)
    scene.board.post(state(signed=8))
    hear(scene, 301)
    assert scene.codes() == [AlarmCode.HEADS_STOPPED]
    scene.board.post(state(durable=12, head=12, signed=10))
    assert scene.codes() == []
    hear(scene, 299)
    scene.board.post(state(durable=14, head=14, signed=10))
    hear(scene, 2)
    assert scene.codes() == [AlarmCode.HEADS_STOPPED]
    scene.board.post(state(durable=14, head=14, signed=14))
    hear(scene, 9000)
    assert scene.codes() == []


def test_a_site_that_need_not_sign_is_no_alarm_and_a_drain_is_given_time():
    for scene, phase in ((Scene(), Phase.CURRENT), (Scene(must_sign=True), Phase.DRAINING)):
        scene.board.post(state(phase=phase))
        hear(scene, 9000)
        assert scene.codes() == []


def test_what_the_site_says_of_itself_stands_on_the_page():
    scene = Scene(group="sea")
    bundles = [
        BundlePart(name=name, version="1", sha256="", state=kind) for name, kind in (("e", "simulated"), ("d", "shadow"), ("c", "x"))
    ]
    word = SiteWord(state="degraded", reasons=[CodeParams(code="disk-low")], bundles=bundles, daemon="edge-agent 1", policy_digest=A)
    word = word.model_copy(update={"backlog_unacked": 7, "oldest_unacked_s": 12.5, "disk_free": 0.25})
    scene.board.told(NORTH, StatusReply(epoch="0" * 32, head=3, clock=scene.clock.now() + timedelta(seconds=9), state=word))
    seen = scene.look()
    assert (seen.group, seen.health, seen.health_reasons, seen.clock_skew_s) == ("sea", "degraded", ("disk-low",), 9.0)
    assert (seen.bundles, seen.daemon, seen.policy_digest) == (("c/1", "e/1"), "edge-agent 1", A)
    assert (seen.backlog_unacked, seen.oldest_unpulled_s, seen.disk_free) == (7, 12.5, 0.25)
    assert [alarm.code for alarm in seen.alarms] == [AlarmCode.CLOCK_SKEW]


def test_what_a_hostile_site_says_of_itself_neither_moves_a_cursor_nor_fills_the_file():
    scene = Scene()
    evil = "\x1b[2J\u202e" + "x" * 10_000
    bundles = [BundlePart(name=evil, version=evil, sha256="", state="simulated")] * 1000
    word = SiteWord(state="failing", reasons=[CodeParams(code=evil)] * 1000, bundles=bundles, daemon=evil, policy_digest=evil)
    scene.board.told(NORTH, StatusReply(epoch="0" * 32, head=3, state=word))
    text = scene.look().model_dump_json()
    assert len(text) < 20_000
    assert scene.look().daemon.startswith("?[2J?xxx")
    assert all(letter.isprintable() for letter in json.loads(text)["alarms"][0]["detail"])


def test_a_site_of_before_these_fields_is_shown_without_them():
    scene = Scene()
    scene.board.told(NORTH, StatusReply(epoch="0" * 32, head=3))
    assert (scene.look().health, scene.look().clock_skew_s) == ("", None)


def test_the_phase_tells_since_when_and_the_rows_how_far():
    scene = Scene()
    scene.clock.advance(5)
    scene.board.post(state(phase=Phase.DRAINING, durable=100, head=900, live=890, rows=100))
    scene.clock.advance(5)
    scene.board.post(state(phase=Phase.DRAINING, durable=200, head=900, live=890, rows=200))
    seen = scene.look()
    assert (seen.phase_since, seen.lag, seen.newest, seen.rows) == (scene.clock.now() - timedelta(seconds=5), 700, 890, 200)


# ----------------------------------------------------------------------------------------------------------------------- metrics


def test_the_figures_for_monitoring_count_phases_alarms_and_lag():
    well = site(rows=5, durable=5, head=9, signed=3, last_heard=NOON, clock_skew_s=0.25)
    lost = site("south", phase=Phase.SILENT, alarms=(Alarm(code=AlarmCode.SILENT, since=NOON),))
    states = States(written_at=NOON, started=NOON, collector="hq", sites=(well, lost))
    lines = exposition(site_metrics(states, NOON + timedelta(seconds=2.5))).splitlines()
    assert {
        "edge_agent_collector_age_seconds 2.5",
        'edge_agent_collector_sites{phase="current"} 1',
        'edge_agent_collector_sites{phase="diverged"} 0',
        'edge_agent_collector_alarms{code="silent"} 1',
        'edge_agent_site_rows_total{site="north"} 5',
        'edge_agent_site_lag_rows{site="north"} 4',
        'edge_agent_site_unsigned_rows{site="north"} 2',
        'edge_agent_site_clock_skew_seconds{site="north"} 0.25',
        'edge_agent_site_silent_seconds{site="north"} 2.5',
        "# TYPE edge_agent_site_rows_total counter",
    } <= set(lines)
    assert not [line for line in lines if line.startswith('edge_agent_site_clock_skew_seconds{site="south"')]


def test_the_text_form_escapes_and_leaves_out_what_has_no_value():
    odd = Metric("x_total", "counter", "a\nb\\", (Sample(1.0, {"l": 'q"\\\n'}), Sample(0.5)))
    assert exposition([odd, Metric("y", "gauge", "none", ())]) == (
        '# HELP x_total a\\nb\\\\\n# TYPE x_total counter\nx_total{l="q\\"\\\\\\n"} 1\nx_total 0.5\n'
    )
