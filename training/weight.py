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
from torch import nn

from edge_agent.agent.whole import write_whole
from edge_agent.imaging.weighing import FEATURES
from edge_agent.inference.weight import SiteFit, features_of, fit_site
from edge_agent.sim.scene import Scene, cargo_scene, draw_plan
from training.camera import Camera, draw_camera
from training.loop import write_json
from training.scale_network import ScaleNetwork, fit_scale
from training.workers import each

ROUNDS = 24
LIGHTEST_KG = 2000.0
"""Errors of lighter loads count as if they weighed this much: nobody needs 2 % of 100 kg."""

HEAVY_KG = 5000.0
"""From here on the container's own mass, which differs from one to the next, no longer makes most of the error."""

SITE_SEED = 1001
"""Of the scanners that nothing is learnt from, and one more of their containers."""

PAYLOAD_KG = 28_500.0
"""What an ISO 668 container may carry at most, about."""

_PITCH_MM, _PACKED = (6.0, 14.0), (1.0, 3.0)
_TOGETHER = 256
_RESAMPLES = 400

Rows = NDArray[np.float32]
"""(n, FEATURES + 3): features, coarse estimate kg, dark share, true mass of the load kg."""


SITES = (12, 80, 160)
"""Scanners of the test set, containers that each is fitted on, and those it is tested on."""


@dataclass(frozen=True, slots=True)
class Sites:
    """How many scanners to measure on, how many weighed containers each is fitted on, and how many it is tested on."""

    sites: int
    fitted: int
    tested: int


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Estimates of containers that no fit was made from.

    ``plain``, ``fitted``: (n, 3) low, middle, high kg as shipped and after the fit; ``true``: (n,) kg; ``site``: (n,) whose scanner saw it.
    """

    plain: NDArray[np.float64]
    fitted: NDArray[np.float64]
    true: NDArray[np.float64]
    site: NDArray[np.intp]


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


def train(rows: Rows, seed: int, work: Path | None = None) -> ScaleNetwork:
    """Give the network trained on ``rows``; ``work``: see ``fit_scale``."""
    features, coarse, mass = rows[:, :FEATURES], rows[:, FEATURES], rows[:, -1]
    return fit_scale(features, mass / coarse, coarse / np.maximum(mass, LIGHTEST_KG), ROUNDS, seed, work)


def predict(network: nn.Module, rows: Rows) -> NDArray[np.float64]:
    """Give (n, 3) kg: quantiles of the mass of the load."""
    parts = torch.from_numpy(np.ascontiguousarray(rows[:, :FEATURES])).split(_TOGETHER)
    with torch.inference_mode():
        factor = torch.cat([network(part) for part in parts]).clamp(min=0).numpy()
    return factor.astype(np.float64) * rows[:, FEATURES : FEATURES + 1]


def site_cameras(count: int, seed: int) -> list[Camera | None]:
    """Give scanners that nothing is learnt from."""
    rng = default_rng(seed)
    return [draw_camera(rng, 0.0) for _ in range(count)]


def site_rows(size: Sites, seed: int, workers: int) -> Rows:
    """Give the containers of scanners that nothing is learnt from, (size.sites, size.fitted + size.tested, FEATURES + 3)."""
    cameras = site_cameras(size.sites, seed)
    return make_rows(size.fitted + size.tested, seed + 1, cameras, workers).reshape(size.sites, size.fitted + size.tested, -1)


def weighed(network: nn.Module, rows: Rows, fitted: int) -> Weighed:
    """Weigh the containers of each site after the first ``fitted``, as shipped and by the fit that those give."""
    plain, corrected, true, sites = [], [], [], []
    for number, site in enumerate(rows):
        seen, dark, mass = predict(network, site), site[:, FEATURES + 1], site[:, -1]
        correction = fit_site(seen[:fitted], dark[:fitted], mass[:fitted])
        plain += [SiteFit().interval(values, 0.0) for values in seen[fitted:]]
        corrected += [correction.interval(values, share) for values, share in zip(seen[fitted:], dark[fitted:], strict=True)]
        true += list(mass[fitted:])
        sites += [number] * len(mass[fitted:])
    return Weighed(np.array(plain), np.array(corrected), np.array(true), np.array(sites))


def figures(seen: Weighed) -> dict[str, Any]:
    """Give the errors as shipped and after each site's own fit; loads of 5 t and more also alone.

    Errors are shares of the true mass, of at least ``LIGHTEST_KG``. Intervals are drawn from sites, then from the containers of each
    (bootstrap): containers of one scanner and one fit are not independent.
    """
    size = np.maximum(seen.true, LIGHTEST_KG)
    plain, fitted = (np.abs(values[:, 1] - seen.true) / size for values in (seen.plain, seen.fitted))
    is_inside = (seen.fitted[:, 0] <= seen.true) & (seen.true <= seen.fitted[:, 2])
    is_heavy = seen.true >= HEAVY_KG
    table: dict[str, Any] = {
        "containers": len(plain),
        "sites": len(np.unique(seen.site)),
        "median_error": _rounded(np.median(plain)),
        "p90_error": _rounded(np.percentile(plain, 90)),
        **_quantiles(fitted, seen.site),
        **_bounded("covered_by_90_after_site_fit", is_inside.astype(np.float64), seen.site, lambda values: float(np.mean(values))),
    }
    if is_heavy.any():
        table["heavy"] = {"containers": int(is_heavy.sum()), **_quantiles(fitted[is_heavy], seen.site[is_heavy])}
    return table


def _quantiles(errors: NDArray[np.float64], site: NDArray[np.intp]) -> dict[str, Any]:
    return {
        **_bounded("median_error_after_site_fit", errors, site, lambda values: float(np.median(values))),
        **_bounded("p90_error_after_site_fit", errors, site, lambda values: float(np.percentile(values, 90))),
    }


def _bounded(name: str, values: NDArray[np.float64], site: NDArray[np.intp], of: Callable[[NDArray[np.float64]], float]) -> dict[str, Any]:
    """Give a figure of (n,) values with its 95 % interval, drawn from sites and then from what each has."""
    rng = default_rng(1)
    members = [values[site == number] for number in np.unique(site)]
    drawn = [
        of(np.concatenate([rng.choice(members[place], len(members[place])) for place in rng.integers(0, len(members), len(members))]))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {name: _rounded(of(values)), f"{name}_interval_95": [_rounded(low), _rounded(high)]}


def load(path: Path) -> ScaleNetwork:
    """Give a trained network."""
    network = ScaleNetwork()
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return network.eval()


def _rounded(value: float | np.floating) -> float:
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
    sites = "scanners to measure on, containers that each is fitted on, and those it is tested on (default: 12 80 160)"
    parser.add_argument("--sites", type=int, nargs=3, default=SITES, metavar=("N", "FITTED", "TESTED"), help=sites)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="rows, checkpoint.pt and metrics.json go there")
    parser.add_argument("--seed", type=int, default=1, help="of containers and weights (default: 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw containers (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = kept(args.out / "rows.npy", lambda: make_rows(args.count, args.seed, [None], args.workers))
    network = train(rows, args.seed, args.out / "rounds")
    torch.save(network.state_dict(), args.out / "checkpoint.pt")
    size = Sites(*args.sites)
    unseen = kept(args.out / "sites.npy", lambda: site_rows(size, SITE_SEED, args.workers))
    metrics = figures(weighed(network, unseen, size.fitted))
    write_json(args.out / "metrics.json", metrics)
    print(metrics)


if __name__ == "__main__":
    main()
