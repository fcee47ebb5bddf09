"""Why the random sample stands apart: over selections that follow suspicion, every interval is sure of the wrong thing."""

from random import Random

from edge_agent.kpi.hits import Line
from edge_agent.testing.cases import LATER_US, case, examined

PREVALENCE = 0.08
SIGHT, FALSE_ALARM = 0.6, 0.05
REPETITIONS = 1000
SCANS = 700
_CASES = {
    (outcome, control, selection): (case if control == "" else examined)(
        outcome, selection=selection, **({"control": control} if control else {})
    )
    for outcome in ("alert", "no-alert")
    for control in ("found", "nothing-found", "")
    for selection in ("random", "targeted")
}


def one_port(chance: Random) -> Line:
    """Two fifths of the traffic are chosen at random and examined throughout; of the rest mostly what alerted is examined."""
    line = Line()
    for _ in range(SCANS):
        is_guilty = chance.random() < PREVALENCE
        outcome = "alert" if chance.random() < (SIGHT if is_guilty else FALSE_ALARM) else "no-alert"
        selection = "random" if chance.random() < 0.4 else "targeted"
        is_opened = selection == "random" or chance.random() < (0.8 if outcome == "alert" else 0.02)
        control = "" if not is_opened else "found" if is_guilty else "nothing-found"
        line.add(_CASES[outcome, control, selection], LATER_US)
    return line


def holds(rate, truth):
    return rate.interval.low <= truth <= rate.interval.high


def test_only_the_random_samples_interval_covers_the_truth_as_often_as_it_says():
    chance = Random(20260302)
    counts = {"prevalence": 0, "detection": 0, "biased prevalence": 0, "biased detection": 0}
    for _ in range(REPETITIONS):
        line = one_port(chance)
        assert line.unbiased is not None
        counts["prevalence"] += holds(line.unbiased.prevalence, PREVALENCE)
        counts["detection"] += holds(line.unbiased.detection, SIGHT)
        counts["biased prevalence"] += holds(line.biased.prevalence, PREVALENCE)
        counts["biased detection"] += holds(line.biased.detection, SIGHT)
    assert 0.93 <= counts["prevalence"] / REPETITIONS <= 0.97
    assert 0.93 <= counts["detection"] / REPETITIONS <= 0.97
    assert counts["biased prevalence"] / REPETITIONS < 0.01
    assert counts["biased detection"] / REPETITIONS < 0.05
