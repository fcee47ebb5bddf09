"""Train the weight network: ``python -m training.weight --count 6000 --out DIR``.

Whole simulated containers go through the runtime's own features (``inference.weight.features_of``), each seen by a scanner of its own,
with one energy or two. The network learns by what factor the coarse estimate is off, with its 5 % and 95 % quantiles.

``metrics.json``: errors on scanners that were not learnt from, before and after a site fit on 80 weighed containers each. What is in
the folder already (``rows.npy``, ``sites.npy``) is not made again.
"""

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray
from rich.progress import track

from edge_agent.agent.whole import write_whole
from edge_agent.imaging.weighing import FEATURES
from edge_agent.inference.weight import SiteFit, features_of, fit_site
from edge_agent.sim.scene import Scene, cargo_scene, draw_plan
from training.camera import Camera, draw_camera
from training.loop import write_json
from training.metrics import share
from training.scale_network import ScaleNetwork, fit_scale
from training.workers import each

ROUNDS = 24
LIGHTEST_KG = 2000.0
"""Errors of lighter loads count as if they weighed this much: nobody needs 2 % of 100 kg."""

HEAVY_KG = 5000.0
"""From here on the container's own mass, which differs from one to the next, no longer makes most of the error."""

PAYLOAD_KG = 28_500.0
"""What an ISO 668 container may carry at most, about."""

_PITCH_MM, _PACKED = (6.0, 14.0), (1.0, 3.0)
_TOGETHER = 256

Rows = NDArray[np.float32]
"""(n, FEATURES + 3): features, coarse estimate kg, dark share, true mass of the load kg."""


@dataclass(frozen=True, slots=True)
class Sites:
    """How many scanners to measure on, how many weighed containers each is fitted on, and how many it is tested on."""

    sites: int
    fitted: int
    tested: int


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Estimates of containers that no fit was made from: (n, 3) low, middle, high kg as shipped and after the fit; (n,) true kg."""

    plain: NDArray[np.float64]
    fitted: NDArray[np.float64]
    true: NDArray[np.float64]


def row_of(seed: SeedSequence, camera: Camera | None) -> NDArray[np.float32]:
    """Give one container as one of :data:`Rows`; ``camera`` None draws a scanner for it alone."""
    rng = default_rng(seed)
    scene = _container(rng)
    while scene.load_kg > PAYLOAD_KG:
        scene = _container(rng)
    own = camera if camera is not None else draw_camera(rng, 0.0)
    seen = features_of(replace(own, seed=int(rng.integers(0, 2**31))).view(scene))
    return np.concatenate([seen.values, [seen.coarse_kg, seen.dark_share, scene.load_kg]]).astype(np.float32)


def _container(rng: np.random.Generator) -> Scene:
    """Draw a container: half of them packed as the pictures' scenes are, half up to three times as densely, as traders fill them."""
    packed = float(np.exp(rng.uniform(*np.log(_PACKED)))) if rng.random() < 0.5 else 1.0
    return cargo_scene(replace(draw_plan(rng), window_mm=None, packed=packed), float(rng.uniform(*_PITCH_MM)), rng)


def _row(order: tuple[SeedSequence, Camera | None]) -> NDArray[np.float32]:
    return row_of(*order)


def make_rows(count: int, seed: int, cameras: list[Camera | None], workers: int) -> Rows:
    """Give ``count`` containers for each camera, in the cameras' order; the same seed gives the same rows."""
    seeds = SeedSequence(seed).spawn(count * len(cameras))
    orders = [(one, cameras[place // count]) for place, one in enumerate(seeds)]
    return np.stack(list(track(each(_row, orders, workers, together=8), "weighing", total=len(orders))))


def train(rows: Rows, seed: int) -> ScaleNetwork:
    """Give the network trained on ``rows``."""
    features, coarse, mass = rows[:, :FEATURES], rows[:, FEATURES], rows[:, -1]
    return fit_scale(features, mass / coarse, coarse / np.maximum(mass, LIGHTEST_KG), ROUNDS, seed)


def predict(network: ScaleNetwork, rows: Rows) -> NDArray[np.float64]:
    """Give (n, 3) kg: quantiles of the mass of the load."""
    parts = torch.from_numpy(np.ascontiguousarray(rows[:, :FEATURES])).split(_TOGETHER)
    with torch.inference_mode():
        factor = torch.cat([network(part) for part in parts]).clamp(min=0).numpy()
    return factor.astype(np.float64) * rows[:, FEATURES : FEATURES + 1]


def site_rows(size: Sites, seed: int, workers: int) -> Rows:
    """Give the containers of scanners that nothing is learnt from, (size.sites, size.fitted + size.tested, FEATURES + 3)."""
    rng = default_rng(seed)
    cameras: list[Camera | None] = [draw_camera(rng, 0.0) for _ in range(size.sites)]
    return make_rows(size.fitted + size.tested, seed + 1, cameras, workers).reshape(size.sites, size.fitted + size.tested, -1)


def weighed(network: ScaleNetwork, rows: Rows, fitted: int) -> Weighed:
    """Weigh the containers of each site after the first ``fitted``, as shipped and by the fit that those give."""
    plain, corrected, true = [], [], []
    for site in rows:
        seen, dark, mass = predict(network, site), site[:, FEATURES + 1], site[:, -1]
        correction = fit_site(seen[:fitted], dark[:fitted], mass[:fitted])
        plain += [SiteFit().interval(values, 0.0) for values in seen[fitted:]]
        corrected += [correction.interval(values, share) for values, share in zip(seen[fitted:], dark[fitted:], strict=True)]
        true += list(mass[fitted:])
    return Weighed(np.array(plain), np.array(corrected), np.array(true))


def figures(seen: Weighed) -> dict[str, Any]:
    """Give the errors as shipped and after each site's own fit; loads of 5 t and more also alone."""
    size = np.maximum(seen.true, LIGHTEST_KG)
    plain, fitted = (np.abs(values[:, 1] - seen.true) / size for values in (seen.plain, seen.fitted))
    is_inside = (seen.fitted[:, 0] <= seen.true) & (seen.true <= seen.fitted[:, 2])
    heavy = fitted[seen.true >= HEAVY_KG]
    return {
        "containers": len(plain),
        "median_error": _rounded(np.median(plain)),
        "p90_error": _rounded(np.percentile(plain, 90)),
        "median_error_after_site_fit": _rounded(np.median(fitted)),
        "p90_error_after_site_fit": _rounded(np.percentile(fitted, 90)),
        **share("covered_by_90_after_site_fit", int(is_inside.sum()), len(is_inside)),
        **({} if not heavy.size else {"heavy": _heavy(heavy)}),
    }


def _heavy(errors: NDArray[np.float64]) -> dict[str, Any]:
    middle, most = _rounded(np.median(errors)), _rounded(np.percentile(errors, 90))
    return {"containers": len(errors), "median_error_after_site_fit": middle, "p90_error_after_site_fit": most}


def load(path: Path) -> ScaleNetwork:
    """Give a trained network."""
    network = ScaleNetwork()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def _rounded(value: np.floating) -> float:
    return round(float(value), 4)


def kept(path: Path, make: Callable[[], Rows]) -> Rows:
    """Give the rows of a file, made first where it is not there: they take longer than the training."""
    if not path.exists():
        written = io.BytesIO()
        np.save(written, make())
        write_whole(path, written.getvalue())
    rows: Rows = np.load(path)
    return rows


def main() -> None:
    """Make the rows, train, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6000, help="containers to learn from (default: %(default)s)")
    sites = "scanners to measure on, containers that each is fitted on, and those it is tested on (default: 6 80 120)"
    parser.add_argument("--sites", type=int, nargs=3, default=(6, 80, 120), metavar=("N", "FITTED", "TESTED"), help=sites)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="rows, checkpoint.pt and metrics.json go there")
    parser.add_argument("--seed", type=int, default=1, help="of containers and weights; the test scanners' are 1000 more (default: 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw containers (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = kept(args.out / "rows.npy", lambda: make_rows(args.count, args.seed, [None], args.workers))
    network = train(rows, args.seed)
    torch.save(network.state_dict(), args.out / "checkpoint.pt")
    size = Sites(*args.sites)
    unseen = kept(args.out / "sites.npy", lambda: site_rows(size, args.seed + 1000, args.workers))
    metrics = figures(weighed(network, unseen, size.fitted))
    write_json(args.out / "metrics.json", metrics)
    print(metrics)


if __name__ == "__main__":
    main()
