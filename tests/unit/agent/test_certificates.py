"""What a certificate is worth: exactly the bundles, the policy, the site and the time it was made for."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.agent.certificate import Certificate, CheckPart, Commissioning, CoveredBundle, RatePart
from edge_agent.agent.site_state import certificate_part
from edge_agent.analysis.policy import Levels, parse_policy
from edge_agent.domain.assessment import BundleState, BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.kpi.rates import Rate
from edge_agent.testing.factories import NOON

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())
USE = BundleUse("detector", "1.0.0", "a" * 64, BundleState.SIMULATED)
OTHER = replace(USE, sha256="b" * 64)
CARGO, PARCEL = SubjectKind.CARGO, SubjectKind.PARCEL


def certificate(subject: SubjectKind = CARGO, days: int = 30) -> Certificate:
    rate = RatePart.of(Rate(3, 300))
    checks = (
        CheckPart(check="knife", threshold=0.42, is_fixed=False, rate=rate),
        CheckPart(check="rifle", threshold=0.9, is_fixed=True, rate=rate),
    )
    return Certificate(
        site="north",
        subject=subject,
        source="scans",
        made_at=NOON,
        not_after=NOON + timedelta(days=days),
        bundles=(CoveredBundle(name=USE.name, version=USE.version, sha256=USE.sha256),),
        policy_sha256=POLICY.digest,
        budget=0.03,
        whole_scan=rate,
        held_out=None,
        checks=checks,
        skipped=0,
    )


def test_a_heartbeat_tells_n_and_interval_of_the_held_out_scans_where_there_are_some() -> None:
    told = certificate_part(certificate())
    assert (told.subject, told.alarms, told.n, told.is_held_out) == ("cargo", 3, 300, False)
    assert 0 < told.low < 0.01 < told.high
    fresh = RatePart.of(Rate(1, 40))
    told = certificate_part(certificate().model_copy(update={"held_out": fresh}))
    assert (told.alarms, told.n, told.low, told.high, told.is_held_out) == (1, 40, fresh.low, fresh.high, True)


def commissioned(*subjects: SubjectKind, here: frozenset[SubjectKind] = frozenset({CARGO})) -> Commissioning:
    return Commissioning(here, tuple(certificate(subject) for subject in subjects))


def test_it_covers_exactly_what_it_was_made_for() -> None:
    made = certificate()
    assert made.covers("north", [USE], POLICY.digest)
    assert not made.covers("south", [USE], POLICY.digest)
    assert not made.covers("north", [OTHER], POLICY.digest)
    assert not made.covers("north", [USE, OTHER], POLICY.digest)
    assert not made.covers("north", [], POLICY.digest)
    assert not made.covers("north", [USE], "0" * 64)


def test_its_levels_stand_above_the_bundles_own_and_below_the_policys() -> None:
    stated = POLICY.with_levels(CARGO, {"knife": Levels(show_at=0.1, alert_at=0.2)})
    applied = commissioned(CARGO).applied(POLICY)
    assert applied.of(CARGO).levels("knife", 0.7) == Levels(show_at=0.21, alert_at=0.42)
    assert applied.of(CARGO).levels("bottle", 0.7).alert_at == 0.7
    assert applied.of(CARGO).levels("rifle", 0.7).alert_at == 0.7, "a level that the policy fixed then is not the certificate's"
    assert applied.of(PARCEL) == POLICY.of(PARCEL)
    assert commissioned(CARGO).applied(stated).of(CARGO).levels("knife", 0.7).alert_at == 0.2
    assert applied.digest == POLICY.digest


def test_another_bundles_scores_are_not_judged_by_its_levels() -> None:
    assert commissioned(CARGO).applied(POLICY, without=frozenset({"knife"})).of(CARGO).levels("knife", 0.7).alert_at == 0.7


@pytest.mark.parametrize(
    ("certified", "here", "applies_to", "state"),
    [
        ((CARGO,), {CARGO}, {CARGO, PARCEL}, BundleState.COMMISSIONED),
        ((CARGO,), {CARGO, PARCEL}, {CARGO, PARCEL}, BundleState.SIMULATED),
        ((CARGO,), {CARGO, PARCEL}, {CARGO}, BundleState.COMMISSIONED),
        ((CARGO, PARCEL), {CARGO, PARCEL}, {CARGO, PARCEL}, BundleState.COMMISSIONED),
        ((), {CARGO}, {CARGO}, BundleState.SIMULATED),
        ((CARGO,), {PARCEL}, {CARGO}, BundleState.SIMULATED),
    ],
)
def test_a_bundle_is_commissioned_for_all_that_passes_here_or_not_at_all(certified, here, applies_to, state) -> None:
    found = commissioned(*certified, here=frozenset(here))
    assert found.use(USE, frozenset(applies_to), NOON).state is state


def test_a_card_cannot_claim_to_be_commissioned() -> None:
    claimed = replace(USE, state=BundleState.COMMISSIONED)
    assert Commissioning(frozenset({CARGO})).use(claimed, frozenset({CARGO}), NOON).state is BundleState.SHADOW


def test_an_expired_certificate_degrades_and_its_levels_go_on() -> None:
    found, late = commissioned(CARGO), NOON + timedelta(days=30)
    assert found.reasons(late - timedelta(seconds=1)) == ()
    assert [reason.code for reason in found.reasons(late)] == ["certificate-expired"]
    assert found.use(USE, frozenset({CARGO}), late).state is BundleState.SIMULATED
    assert found.applied(POLICY).of(CARGO).levels("knife", 0.7).alert_at == 0.42


def test_a_rate_carries_its_exact_interval() -> None:
    part = RatePart.of(Rate(0, 100))
    assert (part.alarms, part.n, part.low) == (0, 100, 0.0)
    assert part.high == pytest.approx(0.03622, abs=1e-5)
