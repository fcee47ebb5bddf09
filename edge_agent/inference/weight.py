"""Weighing a container by its picture: one small graph on features of one view, then the site's own correction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.assessment import BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import WeightEstimate
from edge_agent.domain.geometry import Box
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import BundleIncompatible, EnergyMissing, NotWeighable
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.scale import TRANSMISSION_MATTER, fit_container
from edge_agent.imaging.weighing import MassFeatures, mass_features
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.card import MassInput
from edge_agent.inference.contract import check_weight
from edge_agent.inference.outputs import WeightOutput
from edge_agent.inference.session import Session

WEIGHT = "weight"
FEWEST_WEIGHED = 10


@dataclass(frozen=True, slots=True)
class SiteFit:
    """A site's correction, fitted on weighbridge masses: ``scale * m + dark * m * dark_share + constant_kg``.

    ``widening``: factor on the width of the interval so that it covers 90 % at this site.
    """

    scale: float = 1.0
    dark: float = 0.0
    constant_kg: float = 0.0
    widening: float = 1.0

    def applied(self, mass_kg: float, dark_share: float) -> float:
        """Give the corrected mass in kg, never negative."""
        return max(0.0, self.scale * mass_kg + self.dark * mass_kg * dark_share + self.constant_kg)

    def interval(self, mass_kg: Sequence[float], dark_share: float) -> tuple[float, float, float]:
        """Give (low, middle, high) in kg from the graph's three quantiles.

        Where the graph holds an empty container possible (low quantile 0) it stays possible: a constant is fitted on loads.
        """
        low, middle, high = (self.applied(float(value), dark_share) for value in mass_kg)
        lowest = 0.0 if mass_kg[0] <= 0.0 else max(0.0, middle - (middle - low) * self.widening)
        return lowest, middle, middle + (high - middle) * self.widening


def fit_site(seen_kg: NDArray[np.float64], dark_share: NDArray[np.float64], true_kg: NDArray[np.float64]) -> SiteFit:
    """Fit a site's correction on weighed containers.

    ``seen_kg``: (n, 3) the graph's quantiles; ``dark_share``, ``true_kg``: (n,). Least squares on relative errors, twice, the second time
    with large misses weighed down (Huber), for a weighbridge slip with a wrong digit happens. The interval is widened or narrowed so
    that 90 % of these containers lie in it (split-conformal quantile, finite-sample corrected).

    Raises:
        NotWeighable: fewer than ten containers.
    """
    if len(true_kg) < FEWEST_WEIGHED:
        raise NotWeighable(f"a site fit needs {FEWEST_WEIGHED} weighed containers, there are {len(true_kg)}", {"weighed": len(true_kg)})
    middle, size = seen_kg[:, 1], np.maximum(true_kg, 1000.0)
    columns = np.stack([middle, middle * dark_share, np.full_like(middle, 1000.0)], axis=1) / size[:, None]
    prior = np.array([1.0, 0.0, 0.0])
    weights = np.ones(len(true_kg))
    for _ in range(3):
        rows = columns * weights[:, None]
        wanted = (true_kg / size - columns @ prior) * weights
        change = np.linalg.solve(rows.T @ rows + 1e-2 * np.eye(3), rows.T @ wanted)
        miss = np.abs(columns @ (prior + change) - true_kg / size)
        bound = 2.0 * max(float(np.median(miss)), 1e-4)
        weights = np.sqrt(np.minimum(1.0, bound / np.maximum(miss, 1e-9)))
    scale, dark, constant = (float(value) for value in prior + change)
    plain = SiteFit(scale, dark, constant * 1000.0)
    return replace(plain, widening=_widening(plain, seen_kg, dark_share, true_kg))


def _widening(plain: SiteFit, seen_kg: NDArray[np.float64], dark_share: NDArray[np.float64], true_kg: NDArray[np.float64]) -> float:
    """Give the factor on the half widths that lets 90 % of the weighed containers in."""
    ratios = []
    for values, share, true in zip(seen_kg, dark_share, true_kg, strict=True):
        low, middle, high = plain.interval(tuple(values), float(share))
        half = high - middle if true > middle else middle - low
        ratios.append(abs(true - middle) / max(half, 1.0))
    rank = min(len(ratios) - 1, math.ceil(0.9 * (len(ratios) + 1)) - 1)
    return float(np.sort(ratios)[rank])


@dataclass(frozen=True, slots=True)
class ScaleReading:
    """What a graph says of a view: ``mass_kg`` (5 %, 50 %, 95 % quantile), and the share of the region that nothing comes through."""

    mass_kg: tuple[float, float, float]
    dark_share: float


class ContainerScale:
    """Satisfies ``analysis.ports.WeightModel`` with one bundle on one session."""

    def __init__(self, bundle: Bundle, session: Session, fits: Mapping[ScannerId, SiteFit]) -> None:
        """Bind a weight bundle to its session. ``fits``: corrections by scanner; any other scanner gets the graph's own estimate.

        Raises:
            BundleIncompatible: the graph's inputs or outputs are not what the card says.
        """
        if not isinstance(bundle.card.output, WeightOutput) or not isinstance(bundle.card.input, MassInput):
            raise BundleIncompatible(f"{bundle.ref} is no weight bundle")
        self._bundle = bundle
        self._input = bundle.card.input
        self._output = bundle.card.output.mass_kg
        self._session = session
        self._fits = fits
        check_weight(bundle, session, self._input, bundle.card.output)

    @property
    def bundle(self) -> BundleUse:
        return self._bundle.use

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {WEIGHT: self._bundle.card.thresholds[WEIGHT]}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject in self._bundle.card.subjects

    def fitted(self, fits: Mapping[ScannerId, SiteFit]) -> "ContainerScale":
        """Give a scale on the same session with these corrections, by scanner."""
        return ContainerScale(self._bundle, self._session, fits)

    def weigh(self, view: View, scanner: ScannerId) -> WeightEstimate:
        """See ``analysis.ports.WeightModel``."""
        reading = self.read(view)
        low, middle, high = self._fits.get(scanner, SiteFit()).interval(reading.mass_kg, reading.dark_share)
        return WeightEstimate(middle, low, high, self._bundle.ref)

    def read(self, view: View) -> ScaleReading:
        """Give what the graph says of a view, before any correction.

        Raises:
            NotWeighable, EnergyMissing, InferenceFailed, DeviceFailed.
        """
        features = features_of(view)
        feeds = {self._input.tensor: features.values[None], self._input.coarse: np.array([[features.coarse_kg]], dtype=np.float32)}
        (mass_kg,) = self._session.run((self._output,), feeds)
        low, middle, high = (float(value) for value in mass_kg[0])
        return ScaleReading((low, middle, high), features.dark_share)


def features_of(view: View) -> MassFeatures:
    """Describe the matter in a view for a weight network.

    Raises:
        EnergyMissing: no high-energy plane. NotWeighable: a display picture, or millimetres a pixel that are unknown or only assumed.
    """
    high = view.plane(Energy.HIGH, Energy.SINGLE)
    if high is None:
        raise EnergyMissing(f"view {view.name} has no high-energy plane", {"view": view.name})
    if high.quantity is not Quantity.TRANSMISSION:
        raise NotWeighable("a rendered picture does not tell how much matter darkened it", {"view": view.name, "why": "display"})
    if view.pitch_mm is None or view.pitch_assumed:
        raise NotWeighable("the size of a pixel is not known for certain", {"view": view.name, "why": "pitch"})
    low = view.plane(Energy.LOW)
    is_dual = low is not None and low.quantity is Quantity.TRANSMISSION
    return mass_features(high, low if is_dual else None, view.load or _container(high), view.pitch_mm)


def _container(high: Plane) -> Box:
    fit = fit_container(density(high.pixels), TRANSMISSION_MATTER)
    return fit.box if fit is not None else Box(0, 0, high.size.width, high.size.height)
