"""Where an exported row comes from: scan, fact, bundles and, in every row, what the scan was for. Pure.

Only ``live`` scans are real traffic: nothing here can take the kind of the others away.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.domain.capture import CaptureKind
from edge_agent.wire.facts import standing_of
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.messages import AnyBody, AssessmentBody, ControlBody, ReferralBody, VerdictBody

SCAN_COLUMNS = (
    *("scan_id", "revision", "kind", "is_real", "selection", "subject", "taken_at", "scanner", "site", "profile"),
    *("standing", "standing_by", "standing_fact_id"),
)
FINDING_COLUMNS = (
    *("scan_id", "revision", "kind", "fact_id", "bundle", "bundle_sha256", "bundle_state", "type", "label", "score", "view"),
    *("x0", "y0", "x1", "y1", "produced_at"),
)
LABEL_COLUMNS = ("scan_id", "revision", "kind", "fact_id", "by", "conclusion", "what", "hs", "reasons", "produced_at")


@dataclass(frozen=True, slots=True)
class About:
    """What every row repeats of its scan. ``kind`` and ``revision`` are the package's own."""

    scan_id: str
    revision: int
    kind: CaptureKind
    selection: str
    subject: str
    taken_at: str
    scanner: str
    profile: str

    @property
    def is_real(self) -> bool:
        """Whether the scan is live traffic."""
        return self.kind is CaptureKind.LIVE


@dataclass(frozen=True, slots=True)
class Word:
    """The conclusion that holds of a scan, whose it is, and the fact that says so; empty words when nobody judged it."""

    conclusion: str = ""
    by: str = ""
    fact_id: str = ""


def standing_word(facts: Sequence[AnyBody]) -> Word:
    """Give the standing as it is written into a row."""
    now = standing_of(facts)
    return Word() if now is None else Word(now.conclusion.value, now.voice.value, now.fact_id)


def machine_word(facts: Sequence[AnyBody], revision: int) -> AssessmentBody | None:
    """Give the machine's last assessment of a revision, None when there is none."""
    found = [fact for fact in facts if isinstance(fact, AssessmentBody) and fact.revision == revision]
    return found[-1] if found else None


def scan_row(about: About, facts: Sequence[AnyBody]) -> tuple[object, ...]:
    """Give the row of a scan: ``SCAN_COLUMNS``."""
    word = standing_word(facts)
    site = next((fact.site for fact in facts), "")
    return (
        *(about.scan_id, about.revision, about.kind.value, about.is_real, about.selection, about.subject, about.taken_at),
        *(about.scanner, site, about.profile, word.conclusion, word.by, word.fact_id),
    )


def finding_rows(about: About, facts: Sequence[AnyBody]) -> Iterator[tuple[object, ...]]:
    """Give a row for each located finding of the machine's last word on the revision: ``FINDING_COLUMNS``; boxes canonical, px."""
    body = machine_word(facts, about.revision)
    if body is None:
        return
    bundles = {bundle.ref: bundle for bundle in body.provenance.bundles}
    for part in body.findings:
        if not isinstance(part, DetectionPart | HeterogeneityPart):
            continue
        bundle = bundles.get(part.bundle)
        origin = (about.scan_id, about.revision, about.kind.value, body.fact_id, part.bundle)
        made_by = (bundle.sha256 if bundle else "", bundle.state if bundle else "")
        label = part.label if isinstance(part, DetectionPart) else ""
        boxes: list[tuple[object, ...]] = [part.box] if isinstance(part, DetectionPart) else list(part.regions)
        for box in boxes or [("",) * 4]:
            yield (*origin, *made_by, part.type, label, part.score, part.view, *box, body.produced_at.isoformat())


def label_rows(about: About, facts: Sequence[AnyBody]) -> Iterator[tuple[object, ...]]:
    """Give a row for each verdict and each thing that an examination found: ``LABEL_COLUMNS``."""
    for fact in facts:
        origin = (about.scan_id, fact.revision, about.kind.value, fact.fact_id)
        when = fact.produced_at.isoformat()
        if isinstance(fact, VerdictBody):
            reasons = " ".join(reason.code for reason in fact.reasons)
            yield (*origin, "supervisor" if fact.is_supervisor else "analyst", fact.conclusion, "", "", reasons, when)
        elif isinstance(fact, ControlBody):
            for what, hs in [(item.what, item.hs) for item in fact.found] or [("", "")]:
                yield (*origin, "examination", fact.conclusion, what, hs, "", when)


def bundle_digests(facts: Sequence[AnyBody]) -> Mapping[str, str]:
    """Give the digest of every bundle behind the facts, by ``name/version``."""
    bodies = [fact for fact in facts if isinstance(fact, AssessmentBody)]
    return {bundle.ref: bundle.sha256 for body in bodies for bundle in body.provenance.bundles}


def anonymised_fact(fact: AnyBody) -> AnyBody:
    """Give a fact without tokens, without what a trader or an officer typed, and without who judged."""
    match fact:
        case AssessmentBody():
            declared = fact.declared
            goods = [] if declared is None else [line.model_copy(update={"description": ""}) for line in declared.goods]
            return fact.model_copy(
                update={
                    "identities": [],
                    "readings": [],
                    "consignment": None,
                    "capture": fact.capture.model_copy(update={"as_written": ""}),
                    "declared": None if declared is None else declared.model_copy(update={"goods": goods, "ref": None}),
                }
            )
        case VerdictBody():
            return fact.model_copy(update={"officer": "", "workstation": ""})
        case ReferralBody():
            return fact.model_copy(update={"officer": None, "workstation": None})
        case ControlBody():
            found = [item.model_copy(update={"where": "", "concealment": ""}) for item in fact.found]
            return fact.model_copy(update={"office": "", "found": found, "officer": None, "remarks": None})
        case _:
            return fact
