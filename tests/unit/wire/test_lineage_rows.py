"""Rows that leave a site: the standing is the journal's own, only live scans are real, and nobody's name goes along."""

import pytest

from edge_agent.domain.capture import CaptureKind
from edge_agent.testing.factories import NOON
from edge_agent.testing.site_journal import assessment
from edge_agent.wire.facts import standing_of
from edge_agent.wire.lineage import About, Word, anonymised_fact, standing_word
from edge_agent.wire.messages import AnyBody, CodeParams, ControlBody, ReferralBody, VerdictBody, encode

SEEN = assessment("harbour", "scan-1", "alert")
WHO = ("officer-token", "console-3")


def about(kind: CaptureKind) -> About:
    return About("scan-1", 1, kind, "unknown", "cargo", "2026-03-02T00:00:00+00:00", "gate-1", "sim-cargo")


def verdict(conclusion: str = "suspicious") -> VerdictBody:
    return VerdictBody(
        schema="verdict/1.0", fact_id="v", site="harbour", scanner="gate-1", scan_id=SEEN.scan_id, revision=1, cause="v",
        produced_at=NOON, conclusion=conclusion, officer=WHO[0], workstation=WHO[1], is_supervisor=False, reasons=[], decided_at=NOON,
    )  # fmt: skip


def referral() -> ReferralBody:
    return ReferralBody(
        schema="referral/1.0", fact_id="r", site="harbour", scanner="gate-1", scan_id=SEEN.scan_id, revision=1, cause="r",
        produced_at=NOON, reason=CodeParams(code="passed-on", params={}), officer=WHO[0], workstation=WHO[1],
    )  # fmt: skip


def control(name: str, conclusion: str) -> ControlBody:
    return ControlBody(
        schema="control/1.0", fact_id=name, site="harbour", scanner="gate-1", scan_id=SEEN.scan_id, revision=1, cause=name,
        produced_at=NOON, conclusion=conclusion, found=[], office="hall-2",
    )  # fmt: skip


@pytest.mark.parametrize("kind", list(CaptureKind))
def test_only_live_scans_are_real(kind: CaptureKind) -> None:
    assert (kind is CaptureKind.LIVE) is about(kind).is_real


@pytest.mark.parametrize("fact", [verdict(), referral(), control("c", "found")])
def test_an_anonymised_fact_does_not_say_who_judged(fact: AnyBody) -> None:
    told = encode(anonymised_fact(fact)).decode()
    assert [] == [word for word in (*WHO, "hall-2") if word in told]


@pytest.mark.parametrize(
    "facts",
    [
        [],
        [SEEN],
        [SEEN, referral()],
        [SEEN, verdict(), referral()],
        [SEEN, verdict(), control("c", "not-examined")],
        [SEEN, verdict(), control("c", "found"), control("d", "nothing-found")],
    ],
)
def test_a_row_carries_the_standing_that_everybody_else_computes(facts: list[AnyBody]) -> None:
    now = standing_of(facts)
    assert standing_word(facts) == (Word() if now is None else Word(now.conclusion, now.voice, now.fact_id))


def test_an_anonymised_verdict_counts_as_before() -> None:
    facts = [SEEN, verdict("not-suspicious")]
    assert standing_word(facts) == standing_word([anonymised_fact(fact) for fact in facts])
