"""What turns a decoded scan into a judgement: models, policy and the lanes they run on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent import __version__
from edge_agent.agent.certificate import Commissioning
from edge_agent.agent.lanes import Lane
from edge_agent.analysis.conclude import Conclusion, Evidence, conclude
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import Check, Policy
from edge_agent.analysis.run import ViewMaps, declaration_obstacles, examine
from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Obstacle, Provenance, Reason
from edge_agent.domain.clock import Clock
from edge_agent.domain.declaration import Declaration, comparable
from edge_agent.domain.finding import Finding, Heterogeneity
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Scan
from edge_agent.errors import ScanUnassessable
from edge_agent.inference.load import LoadedModels

_ABOUT_METADATA = frozenset(
    {"undeclared", "goods-unknown", "link-weak", "sidecar-unreadable", "resource-missing", "partial", "check-missing"}
)
"""Obstacles that are looked for anew under a changed side-car or declaration. Every other one is about the pixels, and stays."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Findings, the conclusion drawn from them, the maps behind them, and milliseconds a stage."""

    findings: tuple[Finding, ...]
    conclusion: Conclusion
    maps: tuple[ViewMaps, ...]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class StoredGoods:
    """Goods shares (k, h, w) uint8 in 1/255 of a view of ``size`` px, as an earlier assessment left them."""

    view: str
    size: Size
    goods: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier assessment of the same pixels found, for concluding again without inference."""

    findings: Sequence[Finding]
    obstacles: Sequence[Obstacle]
    goods: Sequence[StoredGoods]


@dataclass(frozen=True, slots=True)
class Engine:
    """Judges scans. ``device`` runs tiles, ``cpu`` everything else; both are lanes, for onnxruntime and OpenCV release the GIL."""

    loaded: LoadedModels
    policy: Policy
    device: Lane
    cpu: Lane
    clock: Clock
    config_digest: str
    commissioning: Commissioning = Commissioning()

    def judge(self, scan: Scan, notes: tuple[Reason, ...], deadline: Deadline | None = None) -> Judgement:
        """Run every check on ``scan`` and conclude; blocking, for the cpu lane. ``deadline``: None = as long as it takes.

        Raises:
            DeviceFailed: the device is lost.
        """
        seen = examine(scan, notes, self.loaded.models, self.policy, self.device.fan, deadline or Deadline(self.clock))
        started = self.clock.monotonic()
        conclusion = conclude(seen.evidence, self.policy.of(scan.subject.kind))
        timings = {**seen.timings_ms, "conclude": (self.clock.monotonic() - started) * 1000.0}
        return Judgement(seen.evidence.findings, conclusion, seen.maps, timings)

    def judge_unread(self, particulars: Particulars, problem: ScanUnassessable) -> Judgement:
        """Conclude on a scan of which nothing could be looked at, and ``problem`` says why."""
        obstacle = Obstacle(problem.code, problem.fields)
        declaration, notes = comparable(particulars.declaration), particulars.notes
        conclusion = conclude(Evidence((), (obstacle,), frozenset(), {}, declaration, notes), self.policy.of(particulars.subject.kind))
        return Judgement((), conclusion, (), {})

    def judge_again(self, particulars: Particulars, notes: tuple[Reason, ...], earlier: Earlier) -> Judgement:
        """Conclude again under changed particulars: what was seen stays, what was compared with the declaration is compared anew."""
        started = self.clock.monotonic()
        compared, maps, unlisted = self._compare_again(comparable(particulars.declaration), earlier)
        findings = tuple(finding for finding in earlier.findings if not isinstance(finding, Heterogeneity)) + compared
        anew = _ABOUT_METADATA | {note.code for note in notes}
        obstacles = [obstacle for obstacle in earlier.obstacles if obstacle.code not in anew]
        rules = self.policy.of(particulars.subject.kind)
        obstacles += [Obstacle(note.code, note.params) for note in notes if note.code not in rules.alert_on]
        obstacles += [Obstacle("partial", {"role": role}) for role in particulars.partial]
        if maps:
            obstacles += declaration_obstacles(particulars.declaration, unlisted)
        missing = {obstacle.params.get("check") for obstacle in earlier.obstacles if obstacle.code == "check-missing"}
        if (earlier.goods and not compared) or _views(earlier.findings) - _views(compared):
            missing.add(Check.CONTENTS.value)  # the shares are gone by retention, or another bundle is in force, which cannot read them
        done = frozenset(check for check in Check if check.value not in missing)
        conclusion = conclude(
            Evidence(
                findings,
                tuple(obstacles),
                done,
                self.loaded.models.alert_levels(particulars.subject.kind),
                comparable(particulars.declaration),
                notes,
            ),
            rules,
        )
        return Judgement(findings, conclusion, maps, {"conclude": (self.clock.monotonic() - started) * 1000.0})

    def _compare_again(
        self, declaration: Declaration | None, earlier: Earlier
    ) -> tuple[tuple[Finding, ...], tuple[ViewMaps, ...], tuple[str, ...]]:
        """Compare what the contents bundle in force left of the views; shares of another bundle's classes would mean something else."""
        contents = self.loaded.models.contents
        if contents is None:
            return (), (), ()
        declared = contents.families(declaration.headings if declaration is not None else ())
        own = [one for one in earlier.findings if isinstance(one, Heterogeneity) and one.bundle == contents.bundle.ref]
        before = {finding.view: finding for finding in own}
        compared, maps = [], []
        for stored in (goods for goods in earlier.goods if goods.view in before):
            finding, heat = contents.judge_again(before[stored.view], stored.goods, stored.size, declared.families)
            compared.append(finding)
            maps.append(ViewMaps(stored.view, stored.size, heat, stored.goods, contents.bundle.ref))
        return tuple(compared), tuple(maps), declared.unlisted

    def provenance(self) -> Provenance:
        """Say which models on which device under which policy judge here."""
        placement, now = self.loaded.placement, self.clock.now()
        return Provenance(
            daemon=f"edge-agent {__version__}",
            runtime=placement.runtime,
            provider=placement.provider,
            device=placement.device,
            bundles=tuple(self.commissioning.use(bundle.use, bundle.card.subjects, now) for bundle in self.loaded.bundles),
            config_digest=self.config_digest,
            policy_digest=self.policy.digest,
        )


def _views(findings: Iterable[Finding]) -> set[str]:
    """Give the views that were compared with the declaration."""
    return {finding.view for finding in findings if isinstance(finding, Heterogeneity)}
