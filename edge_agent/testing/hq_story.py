"""What headquarters would hear from a few sites over weeks: scans, verdicts, examinations, health; invented, seeded, with known truth.

The rows are what a site's journal holds, encoded and chained as the agent does it. Nothing here comes from real scans or people.
"""

import heapq
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import ScanId, ScannerId, Seq, SiteId, fact_id
from edge_agent.wire.chain import JournalRow, link
from edge_agent.wire.findings import DetectionPart
from edge_agent.wire.frames import topic
from edge_agent.wire.handed_over import ConsignmentPart, DeclaredPart, GoodsPart
from edge_agent.wire.messages import (
    AnyBody,
    AssessmentBody,
    BundlePart,
    CapturePart,
    CodeParams,
    ControlBody,
    FoundPart,
    HealthBody,
    ObstaclePart,
    ProvenancePart,
    ReferralBody,
    SetAsideBody,
    VerdictBody,
    encode,
)

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
_THINGS = {
    "handgun": ("handgun", 0.82),
    "knife": ("knife", 0.45),
    "cocaine": ("bricks", 0.70),
    "spirits": ("bottle", 0.60),
    "cigarettes": ("heterogeneity", 0.65),
}
"""What is hidden, by the control form's word: what the machine calls it, and how often it sees it."""
CLASSES = {"bricks": ("cocaine",), "bottle": ("spirits",), "heterogeneity": ("cigarettes",)}
"""Words of the control form that the machine's classes stand for, where they are not the same word."""
_NO_LABEL = "heterogeneity"
_FALSE_ALARMS = {label: 0.01 for label, _ in _THINGS.values()}
_GOODS = (("0202", 0.03), ("0803", 0.05), ("6109", 0.03), ("6403", 0.06), ("8471", 0.02), ("8528", 0.03), ("9403", 0.08), ("4011", 0.02))
"""Declared heading and how often such a load hides something."""
_ORIGINS = ("CN", "IN", "VN", "TR", "BR", "DE", "EG", "MA", "CO", "NL")
_SELECTIONS = {"targeted": 55, "random": 15, "campaign": 20, "unknown": 10}
_KINDS = {"live": 960, "tip": 10, "test": 10, "synthetic": 10, "staged": 5, "calibration": 5}
_HOURS = (1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 7, 6, 7, 8, 8, 7, 6, 4, 3, 2, 2, 1, 1)
_ILLS = (("degraded", "disk-low"), ("degraded", "certificate-expired"), ("failing", "gpu-error"))
_DOUBTED = ("dark", "view-missing", "out-of-time", "inference-failed")


@dataclass(frozen=True, slots=True)
class SiteStory:
    """One site's ways. ``scans_a_day``: over all its scanners; ``guilty``: factor on how often its loads hide something."""

    name: str
    scanners: tuple[str, ...]
    subject: str
    scans_a_day: int
    officers: int
    guilty: float = 1.0
    scans_all: bool = False


SITES = (
    SiteStory("harbour", ("gate-1", "gate-2"), "cargo", 160, 9),
    SiteStory("airport", ("belt-1",), "parcel", 220, 7, guilty=0.6, scans_all=True),
    SiteStory("border", ("lane-1",), "vehicle", 60, 3, guilty=1.8),
)


def story(
    seed: int = 1, sites: Sequence[SiteStory] = SITES, days: int = 60, since: datetime = FIRST_DAY
) -> Iterator[tuple[str, JournalRow]]:
    """Give (site, row) of all sites, by the time at which each row was journalled; the same rows for the same arguments.

    Each site's rows are one chain from number 1. Results of examinations come days later, so those of the last days are pending.
    ``since``: aware.
    """
    told = [_told(Random(f"{seed} {site.name}"), site, days, since) for site in sites]  # noqa: S311 - invented, not secret
    for _, site, row in heapq.merge(*told, key=lambda item: item[:2]):
        yield site, row


def _told(chance: Random, site: SiteStory, days: int, since: datetime) -> Iterator[tuple[datetime, str, JournalRow]]:
    epoch = uuid.UUID(int=chance.getrandbits(128)).bytes
    end = since + timedelta(days=days)
    hashed, last = epoch, dict[str, Seq]()
    seq = Seq(0)
    for body in _Site(chance, site, days, since).facts():
        if body.produced_at >= end:
            return
        seq = Seq(seq + 1)
        raw = encode(body)
        where = topic(SiteId(site.name), ScannerId(body.scanner) if body.scanner else None, body.kind)
        hashed = link(hashed, seq, raw)
        yield body.produced_at, site.name, JournalRow(epoch, seq, last.get(where, Seq(0)), where, raw, hashed)
        last[where] = seq


@dataclass(frozen=True, slots=True)
class _Load:
    """One scan as it is, before anybody judged it. ``hides``: what is in it, by the control form's word; empty for nothing."""

    scan_id: str
    scanner: str
    taken_at: datetime
    kind: str
    selection: str
    heading: str
    origin: str
    hides: str


@dataclass(slots=True)
class _Site:
    """Tells one site's facts by time: what follows from a scan later waits in a heap."""

    chance: Random
    site: SiteStory
    days: int
    since: datetime
    later: list[tuple[datetime, int, AnyBody]] = field(default_factory=list)
    number: "count[int]" = field(default_factory=count)

    def facts(self) -> Iterator[AnyBody]:
        self._health()
        for day in range(self.days):
            for taken_at in self._moments(self.since + timedelta(days=day)):
                while self.later and self.later[0][0] <= taken_at:
                    yield heapq.heappop(self.later)[2]
                self._scan(self._load(taken_at))
        while self.later:
            yield heapq.heappop(self.later)[2]

    def _tell(self, body: AnyBody) -> None:
        heapq.heappush(self.later, (body.produced_at, next(self.number), body))

    def _moments(self, day: datetime) -> list[datetime]:
        weekend = 0.5 if day.weekday() >= 5 else 1.0
        scans = round(self.site.scans_a_day * weekend * self.chance.uniform(0.85, 1.15))
        hours = self.chance.choices(range(24), _HOURS, k=scans)
        return sorted(day + timedelta(hours=hour, seconds=self.chance.uniform(0, 3600)) for hour in hours)

    def _load(self, taken_at: datetime) -> _Load:
        chance = self.chance
        heading, guilt = chance.choice(_GOODS)
        selection = chance.choices(tuple(_SELECTIONS), tuple(_SELECTIONS.values()))[0]
        selection = "scan-all" if self.site.scans_all and selection != "random" else selection
        guilt *= self.site.guilty * (2.5 if selection == "targeted" else 1.0)
        return _Load(
            scan_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            scanner=chance.choice(self.site.scanners),
            taken_at=taken_at,
            kind=chance.choices(tuple(_KINDS), tuple(_KINDS.values()))[0],
            selection=selection,
            heading=heading,
            origin=chance.choice(_ORIGINS),
            hides=chance.choice(tuple(_THINGS)) if chance.random() < guilt else "",
        )

    def _scan(self, load: _Load) -> None:
        at = load.taken_at + timedelta(seconds=20 + 4 * self.chance.lognormvariate(0.0, 0.6))
        if self.chance.random() < 0.006:
            self._tell(_set_aside(self.site, load, at))
            return
        body = self._assessment(load, at)
        self._tell(body)
        self._decided(load, body)

    def _assessment(self, load: _Load, at: datetime) -> AssessmentBody:
        chance = self.chance
        unreadable = chance.random() < 0.02
        labels = [] if unreadable else self._alerting(load)
        version = "0.3.0" if at < self.since + timedelta(days=self.days * 0.6) else "0.4.0"
        return AssessmentBody.model_validate(
            {
                **_about(self.site, load, at, FactKind.ASSESSMENT),
                "capture": CapturePart(kind=load.kind, taken_at=load.taken_at, as_written="", tz_assumed=load.scanner == "gate-2"),
                "selection": load.selection,
                "subject": self.site.subject,
                "identities": [],
                "declared": DeclaredPart(goods=[GoodsPart(hs=load.heading)], source="sidecar"),
                "conclusion": "unassessable" if unreadable else "alert" if labels else "no-alert",
                "reasons": [_reason(label) for label in labels],
                "obstacles": [ObstaclePart(code=chance.choice(_DOUBTED), blocking=True)] if unreadable else [],
                "findings": [_detection(chance, number, label, version) for number, label in enumerate(labels, 1) if label != _NO_LABEL],
                "provenance": _provenance(version),
                "timings_ms": self._timings(),
                "consignment": ConsignmentPart(origin=load.origin),
            }
        )

    def _alerting(self, load: _Load) -> list[str]:
        label, sight = _THINGS.get(load.hides, ("", 0.0))
        seen = {label} if self.chance.random() < sight else set()
        return sorted(seen | {other for other, often in _FALSE_ALARMS.items() if self.chance.random() < often})

    def _timings(self) -> dict[str, float]:
        chance = self.chance
        stages = {"queue": 60, "decode": 350, "detect": 1900, "contents": 420, "conclude": 1}
        return {stage: round(typical * chance.lognormvariate(0.0, 0.35), 3) for stage, typical in stages.items()}

    def _decided(self, load: _Load, body: AssessmentBody) -> None:
        """Let an officer decide, or the clock run out; then perhaps an examination."""
        chance = self.chance
        took = timedelta(seconds=40 * chance.lognormvariate(0.0, 0.7))
        is_sample = load.selection == "random" and chance.random() < 0.99
        if chance.random() < 0.02:
            self._tell(_referral(self.site, load, body.produced_at + timedelta(seconds=600)))
            if is_sample:
                self._examined(load, body.produced_at + took)
            return
        suspects = self._suspects(load, body)
        officer = f"officer-{self.site.name}-{chance.randrange(self.site.officers)}"
        self._tell(_verdict(self.site, load, body.produced_at + took, "suspicious" if suspects else "not-suspicious", officer))
        if is_sample or (suspects and chance.random() < 0.85):
            self._examined(load, body.produced_at + took)

    def _suspects(self, load: _Load, body: AssessmentBody) -> bool:
        """Officers follow most alerts, and see some of what the machine misses."""
        if body.conclusion == "alert":
            return self.chance.random() < (0.85 if load.hides else 0.45)
        return self.chance.random() < (0.25 if load.hides else 0.01)

    def _examined(self, load: _Load, decided_at: datetime) -> None:
        chance = self.chance
        at = decided_at + timedelta(hours=6 + 40 * chance.lognormvariate(0.0, 0.8))
        called_off = chance.random() < 0.015
        outcome = "not-examined" if called_off else "found" if load.hides else "nothing-found"
        self._tell(_control(self.site, load, at, outcome))
        if chance.random() < 0.004 and not called_off:
            other = "nothing-found" if load.hides else "found"
            self._tell(_control(self.site, load, at + timedelta(hours=5), other, f"laboratory-{self.site.name}"))

    def _health(self) -> None:
        """Let the site be ill now and then; it always says when it is well again."""
        at = self.since
        self._tell(_health(self.site, at, "healthy", ()))
        while at < self.since + timedelta(days=self.days):
            at += timedelta(days=self.chance.expovariate(1 / 6))
            state, code = self.chance.choice(_ILLS)
            self._tell(_health(self.site, at, state, (code,)))
            at += timedelta(hours=self.chance.expovariate(1 / 3))
            self._tell(_health(self.site, at, "healthy", ()))


def _about(site: SiteStory, load: _Load, at: datetime, kind: FactKind) -> dict[str, object]:
    """Give what every fact about a scan says; the moment tells facts of one kind apart."""
    scan = ScanId(load.scan_id)
    cause = at.isoformat()
    about = {"fact_id": fact_id(scan, kind.value, 1, cause), "site": site.name, "scanner": load.scanner, "scan_id": scan}
    return {**about, "revision": 1, "cause": cause, "produced_at": at}


def _reason(label: str) -> CodeParams:
    """Give why a class alerted; a check of the whole view has no label."""
    if label == _NO_LABEL:
        return CodeParams(code=label, params={"score": 0.8, "threshold": 0.6, "view": "top"})
    return CodeParams(code="detection-alert", params={"label": label, "score": 0.9, "threshold": 0.6, "view": "top"})


def _detection(chance: Random, number: int, label: str, version: str) -> DetectionPart:
    x, y = chance.uniform(0, 900), chance.uniform(0, 500)
    box = (round(x, 1), round(y, 1), round(x + chance.uniform(15, 90), 1), round(y + chance.uniform(15, 90), 1))
    return DetectionPart(
        id=number, label=label, score=round(chance.uniform(0.6, 0.99), 4), box=box, view="top", bundle=f"detector/{version}"
    )


def _provenance(version: str) -> ProvenancePart:
    return ProvenancePart(
        daemon="0.1.0",
        runtime="onnxruntime 1.26",
        provider="CPUExecutionProvider",
        device="cpu",
        bundles=[
            BundlePart(name="detector", version=version, sha256=version.encode().hex().ljust(64, "0"), state="commissioned"),
            BundlePart(name="contents", version="0.2.0", sha256="cd" * 32, state="commissioned"),
        ],
        members=[],
        config_digest="c0" * 32,
        policy_digest="d0" * 32,
    )


def _set_aside(site: SiteStory, load: _Load, at: datetime) -> SetAsideBody:
    about = _about(site, load, at, FactKind.SET_ASIDE)
    more = {"reason": CodeParams(code="unreadable-scan"), "members": [], "capture_kind": load.kind, "selection": load.selection}
    return SetAsideBody.model_validate({**about, **more})


def _verdict(site: SiteStory, load: _Load, at: datetime, conclusion: str, officer: str) -> VerdictBody:
    about = _about(site, load, at, FactKind.VERDICT)
    who = {"officer": officer, "workstation": f"console-{site.name}", "is_supervisor": False}
    return VerdictBody.model_validate({**about, **who, "conclusion": conclusion, "reasons": [], "decided_at": at})


def _referral(site: SiteStory, load: _Load, at: datetime) -> ReferralBody:
    about = _about(site, load, at, FactKind.REFERRAL)
    return ReferralBody.model_validate({**about, "reason": CodeParams(code="decision-clock")})


def _control(site: SiteStory, load: _Load, at: datetime, outcome: str, office: str = "") -> ControlBody:
    about = _about(site, load, at, FactKind.CONTROL)
    found = [FoundPart(what=load.hides or "cigarettes", hs=load.heading, quantity="1")] if outcome == "found" else []
    more = {"conclusion": outcome, "found": found, "office": office or f"office-{site.name}", "submitted_by": "hq", "examined_at": at}
    return ControlBody.model_validate({**about, **more})


def _health(site: SiteStory, at: datetime, state: str, codes: Sequence[str]) -> HealthBody:
    cause = at.isoformat()
    about = {"fact_id": fact_id(SiteId(site.name), FactKind.HEALTH.value, 0, cause), "site": site.name, "revision": 0, "cause": cause}
    return HealthBody.model_validate({**about, "produced_at": at, "state": state, "reasons": [CodeParams(code=code) for code in codes]})
