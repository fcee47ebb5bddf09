"""Commissioning: the scores of a site's clean scans, and the certificate that they are worth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from edge_agent.agent.at_hand import Outcome, Workbench
from edge_agent.agent.certificate import Certificate, CheckPart, CoveredBundle, RatePart
from edge_agent.analysis.conclude import HETEROGENEITY
from edge_agent.analysis.policy import Levels, Policy, SubjectPolicy
from edge_agent.analysis.scores import check_scores
from edge_agent.domain.assessment import BundleUse, FactKind
from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.declaration import comparable
from edge_agent.domain.ids import Seq
from edge_agent.domain.standing import Standing
from edge_agent.errors import CommissionRefused
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.heads import highest_evidence_score
from edge_agent.kpi.budget import Checks, allot, held_out
from edge_agent.ledger.reader import LedgerReader
from edge_agent.wire import messages
from edge_agent.wire.convert import findings_of
from edge_agent.wire.facts import declaration_of, standing_of
from edge_agent.wire.messages import AnyBody, AssessmentBody

FLOOR = 0.05
"""Scores below it are not recorded while commissioning, so no threshold is set lower."""
_JUDGING = (FactKind.ASSESSMENT, FactKind.VERDICT, FactKind.CONTROL, FactKind.REFERRAL)
_PAGE_ROWS, _PAGE_BYTES = 500, 1 << 24

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Site:
    """What is commissioned: the bundles in force under the policy, for one kind of subject at one site.

    ``alert_levels``: the bundles' own, by check. ``detectors``: the labels of each detection bundle, which may be levelled together.
    ``highest``: the highest score of each check that does not go up to 1.
    """

    site: str
    subject: SubjectKind
    policy: Policy
    bundles: Sequence[BundleUse]
    alert_levels: Mapping[str, float]
    detectors: tuple[tuple[str, ...], ...] = ()
    highest: Scores = field(default_factory=dict)

    @classmethod
    def of(cls, site: str, subject: SubjectKind, policy: Policy, bundles: Sequence[Bundle], alert_levels: Mapping[str, float]) -> "Site":
        """Give the site with those of its bundles that look at ``subject``; all of them are in the certificate."""
        looking = [bundle for bundle in bundles if subject in bundle.card.subjects]
        checks = {check for bundle in looking for check in bundle.card.thresholds}
        levels = {check: level for check, level in alert_levels.items() if check in checks}
        detectors = tuple(bundle.card.labels.spoken for bundle in looking if bundle.card.purpose == "detection")
        return cls(site, subject, policy, [bundle.use for bundle in looking], levels, detectors, highest_scores(looking))

    @property
    def rules(self) -> SubjectPolicy:
        return self.policy.of(self.subject)

    def checks(self, floors: Mapping[str, float]) -> Checks:
        """Give what may alarm; levels that the policy names are not ours to set."""
        fixed = {
            check: self.rules.levels(check, level).alert_at for check, level in self.alert_levels.items() if check in self.rules.labels
        }
        ours = {check: level for check, level in self.alert_levels.items() if check not in fixed}
        together = [{label: ours[label] for label in labels if label in ours} for labels in self.detectors]
        several = tuple(part for part in together if len(part) > 1)
        return Checks({check: floors.get(check, FLOOR) for check in ours}, fixed, several, self.highest)


@dataclass(frozen=True, slots=True)
class CleanScans:
    """Scores of clean scans by check, how many scans could not be used, and the lowest score that was recorded by check.

    ``names``: what the scans are called where they came from, their files' key or their id; for a person at the terminal, never written.
    """

    names: tuple[str, ...]
    scores: tuple[Scores, ...]
    skipped: int
    floors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked for: largest whole-scan alarm rate in (0, 1), and days until the certificate expires."""

    budget: float
    days: int
    source: Literal["scans", "journal"]


def highest_scores(bundles: Sequence[Bundle]) -> dict[str, float]:
    """Give the highest score of each check that does not go up to 1."""
    formula = next((bundle.card.contents for bundle in bundles if bundle.card.contents is not None), None)
    return {} if formula is None else {HETEROGENEITY: highest_evidence_score(formula)}


def silenced(certificate: Certificate, highest: Mapping[str, float]) -> list[CheckPart]:
    """Give the checks whose level no scan can reach: clean scans have their highest score. ``highest``: where that is not 1."""
    return [part for part in certificate.checks if part.threshold > highest.get(part.check, 1.0)]


def listening(policy: Policy, subject: SubjectKind, alert_levels: Mapping[str, float], floor: float = FLOOR) -> Policy:
    """Give the policy under which weak detections, from ``floor`` up, are recorded too; what alerts stays the same."""
    levels = {check: policy.of(subject).levels(check, level).alert_at for check, level in alert_levels.items()}
    return policy.with_levels(subject, {check: Levels(show_at=min(floor, level), alert_at=level) for check, level in levels.items()})


def of_outcomes(outcomes: Iterable[Outcome]) -> CleanScans:
    """Give the scores of files at hand, judged by a bench that is ``listening``."""
    found = [(outcome.drop.key, _of_outcome(outcome)) for outcome in outcomes]
    return _collected(found, {})


def listen(bench: Workbench, subject: SubjectKind, floor: float = FLOOR) -> None:
    """Let a bench record weak detections, from ``floor`` up, too."""
    engine = bench.engine
    bench.engine = replace(engine, policy=listening(engine.policy, subject, engine.loaded.models.alert_levels(subject), floor))


def _of_outcome(outcome: Outcome) -> Scores | None:
    judgement, particulars = outcome.judgement, outcome.particulars
    if judgement is None or particulars is None or any(obstacle.blocking for obstacle in judgement.conclusion.obstacles):
        return None
    return check_scores(judgement.findings, comparable(particulars.declaration))


def of_journal(reader: LedgerReader, site: Site, show_at: Mapping[str, float]) -> CleanScans:
    """Give the journalled scores of scans that people found clean: examined without a find, or judged not suspicious.

    Only live scans that these very bundles judged under this very policy count. The machine's own ``no-alert`` makes no scan clean:
    thresholds made from it would confirm themselves. ``show_at``: from which score each check was recorded.
    """
    scans: dict[str, list[AnyBody]] = {}
    for body in _bodies(reader):
        if body.scan_id is not None and body.kind in _JUDGING:
            scans.setdefault(body.scan_id, []).append(body)
    found = [(scan_id, _of_bodies(bodies, site)) for scan_id, bodies in scans.items() if _is_clean(standing_of(bodies))]
    return _collected(found, {check: max(FLOOR, level) for check, level in show_at.items()})


def _collected(found: Sequence[tuple[str, Scores | None]], floors: Mapping[str, float]) -> CleanScans:
    used = [(name, scan) for name, scan in found if scan is not None]
    return CleanScans(tuple(name for name, _ in used), tuple(scan for _, scan in used), len(found) - len(used), floors)


def _bodies(reader: LedgerReader) -> Iterator[AnyBody]:
    after = Seq(reader.head().first - 1)
    while page := reader.rows(after, _PAGE_ROWS, _PAGE_BYTES):
        yield from (messages.decode(row.body) for row in page)
        after = page[-1].seq


def _is_clean(now: Standing | None) -> bool:
    return now is not None and not now.is_referred and now.is_guilty is False


def _of_bodies(bodies: Sequence[AnyBody], site: Site) -> Scores | None:
    last = max((body for body in bodies if isinstance(body, AssessmentBody)), key=lambda body: body.revision, default=None)
    if last is None or last.subject != site.subject or last.capture.kind != CaptureKind.LIVE:
        return None
    same = {use.sha256 for use in site.bundles} <= {part.sha256 for part in last.provenance.bundles}
    if not same or last.provenance.policy_digest != site.policy.digest or any(part.blocking for part in last.obstacles):
        return None
    return check_scores(findings_of(last), declaration_of(last))


def certify(site: Site, clean: CleanScans, terms: Terms, now: datetime) -> Certificate:
    """Give the certificate that ``clean`` is worth.

    Where more clean scans have a check's highest score, below 1, than the budget allows, the level lies above it: the check is
    ``silenced``.

    Raises:
        CommissionRefused: the budget cannot be kept with these scans.
    """
    checks = site.checks(clean.floors).for_scans(len(clean.scores), terms.budget)
    try:
        allotment = allot(clean.scores, checks, terms.budget)
    except CommissionRefused:
        checks = replace(checks, highest={})
        allotment = allot(clean.scores, checks, terms.budget)
    unseen = held_out(clean.scores, checks, terms.budget)
    parts = [
        CheckPart(check=check, threshold=level, is_fixed=check in checks.fixed, rate=RatePart.of(allotment.by_check[check]))
        for check, level in sorted(allotment.thresholds.items())
    ]
    return Certificate(
        site=site.site,
        subject=site.subject,
        source=terms.source,
        made_at=now,
        not_after=now + timedelta(days=terms.days),
        bundles=tuple(CoveredBundle(name=use.name, version=use.version, sha256=use.sha256) for use in site.bundles),
        policy_sha256=site.policy.digest,
        budget=terms.budget,
        whole_scan=RatePart.of(allotment.whole_scan),
        held_out=None if unseen is None else RatePart.of(unseen),
        checks=tuple(parts),
        skipped=clean.skipped,
        together=tuple(tuple(part) for part in checks.together),
    )
