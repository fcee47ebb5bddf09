"""From a folder of bundles to models ready to run, each proven by its own golden cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from edge_agent.analysis.ports import Models
from edge_agent.domain.ids import ScannerId
from edge_agent.errors import BundleCorrupt, BundleRejected
from edge_agent.inference.bundle import Bundle, find_bundles, load_bundle
from edge_agent.inference.contents import ContentsAnalyser
from edge_agent.inference.detector import detector_of
from edge_agent.inference.session import DevicePolicy, Placement, Session
from edge_agent.inference.weight import ContainerScale, SiteFit
from edge_agent.signing.detached import Trust


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """Models, the bundles behind them, and where they really run."""

    models: Models
    bundles: tuple[Bundle, ...]
    placement: Placement

    @property
    def scale(self) -> ContainerScale | None:
        """Give the weight model as it stands on its session; None where none is in force."""
        weight = self.models.weight
        return weight if isinstance(weight, ContainerScale) else None

    def fitted(self, fits: Mapping[ScannerId, SiteFit]) -> "LoadedModels":
        """Give the same models, the weight model with corrections by scanner."""
        return self if self.scale is None else replace(self, models=replace(self.models, weight=self.scale.fitted(fits)))


def load_models(root: Path, device: DevicePolicy, trust: Trust, *, allow_research: bool = False) -> LoadedModels:
    """Load the bundles under ``root`` (``<name>/<version>/``): any number for detection, at most one for contents and one for weight.

    Raises:
        BundleRejected: no bundle at all, two that get in each other's way, or one that does not verify.
        DeviceRequired: as the session says.
    """
    bundles = [load_bundle(folder, trust, allow_research=allow_research) for folder in find_bundles(root)]
    if not bundles:
        raise BundleCorrupt(f"no bundle in {root}")
    return open_models(bundles, device)


def open_models(bundles: Sequence[Bundle], device: DevicePolicy) -> LoadedModels:
    """Put verified bundles onto a device; at least one.

    Raises:
        BundleRejected: two get in each other's way, or a graph is not what its card says. DeviceRequired: as the session says.
    """
    detection, contents_bundle, weight_bundle = _for_detection(bundles), _only(bundles, "contents"), _only(bundles, "weight")
    sessions = {bundle.ref: Session(bundle.model, device) for bundle in bundles}
    detectors = tuple(detector_of(bundle, sessions[bundle.ref]) for bundle in detection)
    contents = ContentsAnalyser(contents_bundle, sessions[contents_bundle.ref]) if contents_bundle else None
    weight = ContainerScale(weight_bundle, sessions[weight_bundle.ref], {}) if weight_bundle else None
    placement = next(iter(sessions.values())).placement
    return LoadedModels(Models(detectors, contents, weight), tuple(bundles), placement)


def _only(bundles: Sequence[Bundle], purpose: str) -> Bundle | None:
    found = [bundle for bundle in bundles if bundle.card.purpose == purpose]
    if len(found) > 1:
        raise BundleRejected(f"more than one {purpose} bundle: {[bundle.ref for bundle in found]}; keep one active")
    return found[0] if found else None


def _for_detection(bundles: Sequence[Bundle]) -> Sequence[Bundle]:
    """Give the detection bundles.

    A label is the key of alert levels and policy, so it has one meaning for each kind of subject.
    """
    found = [bundle for bundle in bundles if bundle.card.purpose == "detection"]
    for first, second in combinations(found, 2):
        shared = set(first.card.labels.names) & set(second.card.labels.names)
        if shared and first.card.subjects & second.card.subjects:
            raise BundleRejected(
                f"{first.ref} and {second.ref} both give {', '.join(sorted(shared))}; give the labels of one card other names, "
                "or keep one of the bundles away"
            )
    return found
