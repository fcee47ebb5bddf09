"""The shipped bundles on the published finds: ``python -m benchmarks.scenarios --out benchmarks/results/scenarios.json``.

Each scenario of the simulator is seen by several scanners, with its concealed goods and as the same load without them, and goes through
the whole path of the product: files, side-car, decoding, comparison, policy. All of it is simulated.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import track

from edge_agent.agent.at_hand import Outcome, Rules, Workbench, find_drops, open_workbench
from edge_agent.analysis.policy import parse_policy
from edge_agent.cli.profiles import named_profile
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Heterogeneity
from edge_agent.evaluation.figure import Figure, shares
from edge_agent.imaging.regions import peak_of
from edge_agent.inference.installed import installed_bundles, release_key, share_dir
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission
from edge_agent.signing.detached import WORKSHOP, Trust
from edge_agent.sim.scanner import Order, Shot, shoot
from edge_agent.sim.scenario import SCENARIOS
from edge_agent.telemetry.clock import SystemClock

SCANNERS = 6
COMMAND = "python -m benchmarks.scenarios --out benchmarks/results/scenarios.json"
_FIRST_SEED = 9000
_TAKEN_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_SAYS_GOODS = ("heterogeneity", "mixed-load")


@dataclass(frozen=True)
class Seen:
    """What was made of one scan.

    ``points``: the strongest evidence lies where goods are concealed; ``is_known``: the bundle knows what was declared.
    """

    scenario: str
    is_guilty: bool
    words: tuple[str, ...]
    score: float
    points: bool
    is_known: bool


def orders(scanners: int) -> Iterator[Order]:
    """Give every scenario before every scanner, with and without its concealed goods."""
    for name in sorted(SCENARIOS):
        for seed in range(_FIRST_SEED, _FIRST_SEED + scanners):
            yield from (Order("sim-cargo", seed, share, name) for share in (1.0, 0.0))


def look(bench: Workbench, order: Order) -> Seen:
    """Shoot one scan into a folder of its own and judge it."""
    shot = shoot(order, 1, _TAKEN_AT)
    with tempfile.TemporaryDirectory() as folder:
        for file in (*shot.pictures, shot.sidecar):
            (Path(folder) / file.name).write_bytes(file.data)
        ((drop, profile),) = find_drops([Path(folder)], [named_profile(order.profile)])
        return seen(order, shot, bench.assess(drop, profile))


def seen(order: Order, shot: Shot, outcome: Outcome) -> Seen:
    """Give what counts of a judged scan."""
    judgement = outcome.judgement
    if judgement is None or order.scenario is None:
        raise SystemExit(f"{shot.key}: {outcome.rejected}")
    conclusion = judgement.conclusion
    score = max((found.score for found in judgement.findings if isinstance(found, Heterogeneity)), default=0.0)
    is_known = all(obstacle.code != "goods-unknown" for obstacle in conclusion.obstacles)
    is_guilty = order.threat_share > 0.0
    words = tuple(reason.code for reason in conclusion.reasons)
    return Seen(order.scenario, is_guilty, words, score, is_guilty and _points(shot, outcome), is_known)


def _points(shot: Shot, outcome: Outcome) -> bool:
    assert outcome.judgement is not None
    for maps in outcome.judgement.maps:
        if maps.goods is None or not maps.heat.any():
            continue
        across, down = peak_of(maps.heat)
        x, y = across * maps.size.width, down * maps.size.height
        hidden: list[dict[str, Any]] = shot.truth["hidden"]  # type: ignore[assignment]
        return any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in (one["box"] for one in hidden))
    return False


def figures(scans: Sequence[Seen]) -> list[Figure]:
    """Give each scenario's figures; an alert counts here when the goods are its reason."""
    rows: list[Figure] = []
    for name in sorted({one.scenario for one in scans}):
        ours = [one for one in scans if one.scenario == name]
        guilty, clean = ([one for one in ours if one.is_guilty is side] for side in (True, False))
        rows += shares(f"{name}/alerts for its goods, concealed", (_alerts(one) for one in guilty), "scans")
        rows += shares(f"{name}/alerts for its goods, without them", (_alerts(one) for one in clean), "scans")
        rows += shares(f"{name}/evidence points at the concealed goods", (one.points for one in guilty), "scans")
        ranked = (with_it.score > without.score for with_it, without in zip(guilty, clean, strict=True))
        rows += shares(f"{name}/scores higher than the same load without them", ranked, "pairs")
        rows += shares(f"{name}/declared goods known to the bundle", (one.is_known for one in ours), "scans")
    return rows


def _alerts(one: Seen) -> bool:
    return any(word in _SAYS_GOODS for word in one.words)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--bundles", type=Path, default=installed_bundles(), metavar="DIR", help="default: the shipped ones")
    parser.add_argument("--unsigned", action="store_true", help="take bundles that nobody has signed yet")
    parser.add_argument(
        "--scanners", type=int, default=SCANNERS, metavar="N", help=f"how many scanners see each load (default: {SCANNERS})"
    )
    args = parser.parse_args(argv)
    policy = parse_policy((share_dir() / "config/policy.example.toml").read_bytes())
    admission = Admission(WORKSHOP if args.unsigned else Trust.of([release_key()]))
    rules = Rules(SubjectKind.CARGO, None, None)
    with open_workbench(policy, args.bundles, DevicePolicy.PREFER_GPU, rules, SystemClock(), admission) as bench:
        scans = [look(bench, order) for order in track(list(orders(args.scanners)), "scenarios")]
        bundles = [
            {"name": use.name, "version": use.version, "sha256": use.sha256}
            for use in (bundle.use for bundle in bench.engine.loaded.bundles)
        ]
    content = {"format": "evaluation/1", "command": COMMAND, "bundles": bundles, "figures": [one.table() for one in figures(scans)]}
    for row in content["figures"]:
        print(f"{row['name']:65s} {row['value']:6.3f} [{row['low']:.3f}, {row['high']:.3f}] {row['n']}")  # type: ignore[index]
    if args.out is not None:
        args.out.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
