"""From a folder of bundles to models ready to run, each proven by its own golden cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.analysis.ports import Models
from edge_agent.errors import BundleCorrupt, BundleRejected
from edge_agent.inference.bundle import Bundle, find_bundles, load_bundle
from edge_agent.inference.contents import ContentsAnalyser
from edge_agent.inference.detector import TiledDetector
from edge_agent.inference.session import DevicePolicy, Placement, Session


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """Models, the bundles behind them, and where they really run."""

    models: Models
    bundles: tuple[Bundle, ...]
    placement: Placement


def load_models(root: Path, device: DevicePolicy, *, allow_research: bool = False) -> LoadedModels:
    """Load the bundles under ``root`` (``<name>/<version>/``): one for detection, one for contents, either may be absent.

    Raises:
        BundleRejected: no bundle at all, two for the same purpose, or one that does not verify. DeviceRequired: as the session says.
    """
    bundles = [load_bundle(folder, allow_research=allow_research) for folder in find_bundles(root)]
    if not bundles:
        raise BundleCorrupt(f"no bundle in {root}")
    detector_bundle, contents_bundle = _only(bundles, "detection"), _only(bundles, "contents")
    sessions = {bundle.ref: Session(bundle.model, device) for bundle in bundles}
    detector = TiledDetector(detector_bundle, sessions[detector_bundle.ref]) if detector_bundle else None
    contents = ContentsAnalyser(contents_bundle, sessions[contents_bundle.ref]) if contents_bundle else None
    placement = next(iter(sessions.values())).placement
    return LoadedModels(Models(detector, contents), tuple(bundles), placement)


def _only(bundles: Sequence[Bundle], purpose: str) -> Bundle | None:
    found = [bundle for bundle in bundles if bundle.card.purpose == purpose]
    if len(found) > 1:
        raise BundleRejected(f"more than one {purpose} bundle: {[bundle.ref for bundle in found]}; keep one active")
    return found[0] if found else None
