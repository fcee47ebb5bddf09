"""Writes ``docs/reference/models.md``: ``python -m training.models_page``. Every figure comes from a file that a command wrote.

Simulated figures are those of the shipped cards. ``benchmarks/results/`` holds the others, named in ``RESULTS``. Rows, floors and goals
stand in ``models_rows``; why a figure falls short is said in ``training/shortfalls.toml``, one sentence or more a row.
"""

import argparse
import hashlib
import json
import tomllib
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from training.models_picture import bars
from training.models_rows import ROWS, Measure, Row, Sources, Table, number

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference/models.md"
SHORTFALLS = ROOT / "training/shortfalls.toml"
IMAGES = ROOT / "docs/images"

RESULTS = ("real_models", "scenarios", "tile_speed", "weight_tables", "research")


def falls_short(row: Row, sources: Sources) -> bool:
    """Tell whether a figure that was measured misses its floor."""
    seen = row.measure(sources)
    return seen is not None and row.floor is not None and not row.floor.holds(seen.value)


def read_sources(root: Path = ROOT) -> Sources:
    """Read the cards and the results; results of other bundles than the shipped ones are left out."""
    cards = {path.parents[1].name: tomllib.loads(path.read_text()) for path in sorted(root.glob("exported_models/*/*/card.toml"))}
    results = {name: _json(root / f"benchmarks/results/{name}.json") for name in RESULTS}
    shipped = {hashlib.sha256(path.read_bytes()).hexdigest() for path in root.glob("exported_models/*/*/card.toml")}
    refs = {f"{card['name']}/{card['version']}" for card in cards.values()}
    return Sources(
        {name: card["metrics"] for name, card in cards.items()},
        _figures(results["real_models"], shipped),
        _figures(results["scenarios"], shipped),
        results["tile_speed"] if results["tile_speed"].get("bundle") in refs else {},
        results["weight_tables"],
        results["research"],
        {path.parents[1].name: _count_numbers(path) for path in sorted(root.glob("exported_models/*/*/model.onnx"))},
    )


def _figures(results: Table, shipped: Set[str]) -> dict[str, Table]:
    """Give the figures by name, none where they were measured with bundles that are not shipped."""
    is_ours = bool(results) and {bundle["sha256"] for bundle in results["bundles"]} <= shipped
    return {row["name"]: row for row in results["figures"]} if is_ours else {}


def page(root: Path = ROOT) -> str:
    """Give the page's text."""
    sources = read_sources(root)
    reasons = tomllib.loads((root / "training/shortfalls.toml").read_text())["reasons"]
    parts = [
        _HEAD,
        _table(sources),
        _shortfalls(sources, reasons),
        _DETAIL if sources.metrics else "",
        _bundles(root, sources),
        _real_table(root, sources),
        _scenarios(sources),
        _TAIL,
    ]
    return "\n".join(part for part in parts if part)


_HEAD = """# Models: what they can do and what they cannot

Written by `python -m training.models_page` from the shipped cards and the files in `benchmarks/results/`; a test checks that it is current.

**Every figure marked "simulated" was measured on simulated scans only** and says nothing about real ones. S0: new random states of what was
trained on. S1: threats and goods held out of training. S2: scanners of a kind that was not trained on (other energies, pixels, noise,
curves and colours). S3: threats of shapes kept in reserve. The sets are frozen; their digests stand in the cards. Tile figures are COCO's
average precisions of the graphs that ship; threats that do not show by the Rose criterion are ignored, and counted beside them.

**What the sets were used for.** No weight and no threshold is fitted to a test set. But what was missed in S1 was looked at whenever more
shapes were composed for training, and floors, posts and faults of exports were simulated after what the real scans showed, so that S1 and
the real scans are development sets: something quite new will be found less often than they say. Nobody has looked at what was missed in
S3. That the strongest evidence is taken over no less than half a percent of a container was chosen with the real scans in sight.

Figures of a share or an area stand with their 95 % interval and what was counted. Intervals of tile figures are drawn from scenes, those
of weights from scanners, and those at fixed false alarms allow for the threshold.

## Floors, goals and figures

The floor is for bundles trained on a CPU, the goal for those trained with an accelerator.
"""

_SCENARIOS = """## Published finds, simulated

Goods hidden among others as Indian Customs has found them: firecrackers in miscellaneous goods, cosmetics among garments, cigarettes in
air fresheners. Each load is seen by several simulated scanners with its concealed goods and without them, through the whole path
(`edge-agent sim --scenario`). All scans of a scenario show the same load, so the intervals tell of scanners, not of loads. Where the
declared goods are unknown to the bundle, the load is compared with its own majority (obstacle `goods-unknown`).

| figure | value | 95 % interval | of |
|---|---|---|---|"""

_TAIL = """## How to measure again

| what | command |
|---|---|
| simulated figures of these bundles | `python -m training.measure` |
| bundles made anew, and their figures | `python -m training.make_models` |
| real container scans | `python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json` |
| published finds | `python -m benchmarks.scenarios --out benchmarks/results/scenarios.json` |
| time a tile | `python -m benchmarks.tile_speed --out benchmarks/results/tile_speed.json` |
| weight recipe on real tables | `python -m training.weight_tables TABLES.npz --seed N` |
| this page | `python -m training.models_page` |
| your own labelled scans | `edge-agent evaluate` ([how](../how-to/evaluate-a-bundle.md)) |
"""


_DETAIL = """## By label and by family, simulated

![Average precision by label at IoU 0.5: known shapes, held-out ones, unseen scanners, shapes in reserve](../images/models-labels.svg)

![Share of 80 mm cells that the contents network gives the right family, S0](../images/models-families.svg)
"""


def pictures(sources: Sources) -> dict[str, str]:
    """Give the page's pictures, SVG by file name."""
    sets = {"S0": "S0, known shapes", "S1": "S1, held-out shapes", "S2": "S2, unseen scanner", "S3": "S3, shapes in reserve"}
    tiles = sources.metrics["detector"]
    labels = {name: _named(tiles[f"tiles_{key.lower()}"], "ap50_") for key, name in sets.items()}
    cells = _named(sources.metrics["contents"]["cells_s0"], "cells_")
    families = {name: cells[name] for name in sorted(cells, key=lambda name: -cells[name]) if name != "right"}
    return {
        "models-labels.svg": bars("Average precision by label at IoU 0.5, simulated", labels),
        "models-families.svg": bars("Right cells by family, simulated", {"share of 80 mm cells that get the right family, S0": families}),
    }


def _named(table: Table, prefix: str) -> dict[str, float]:
    return {key.removeprefix(prefix).replace("_", " "): value for key, value in table.items() if key.startswith(prefix)}


def _table(sources: Sources) -> str:
    lines = ["| what | set | floor | goal | figure | 95 % interval | of | |", "|---|---|---|---|---|---|---|---|"]
    for row in ROWS:
        floor, goal = (bound.words(row.form) if bound else "-" for bound in (row.floor, row.goal))
        lines.append(f"| {row.what} | {row.where} | {floor} | {goal} | {_cells(row, row.measure(sources))} |")
    return "\n".join(lines) + "\n"


def _cells(row: Row, seen: Measure | None) -> str:
    """Give figure, interval, count and verdict."""
    if seen is None:
        return f"- | | | not measured for these bundles: `{row.command}`"
    interval = "" if seen.interval is None else f"{number(seen.interval[0], row.form)} to {number(seen.interval[1], row.form)}"
    return f"{number(seen.value, row.form)} | {interval} | {seen.n} | {_verdict(row, seen.value)}"


def _verdict(row: Row, value: float) -> str:
    if row.goal is not None and row.goal.holds(value):
        return "goal met"
    if row.floor is None:
        return "stated" if row.goal is None else "below the goal"
    return "floor met" if row.floor.holds(value) else "**falls short**"


def _shortfalls(sources: Sources, reasons: Mapping[str, str]) -> str:
    short = [row for row in ROWS if falls_short(row, sources)]
    lines = [f"- **{row.what}** ({row.where}): {reasons.get(row.key, 'not explained yet.')}" for row in short]
    return "\n".join(["## What falls short, and why", "", *lines, ""]) if lines else ""


def _bundles(root: Path, sources: Sources) -> str:
    lines = ["## Bundles", "", "| bundle | state | numbers in the graph | trained on | known faults |", "|---|---|---|---|---|"]
    for path in sorted(root.glob("exported_models/*/*/card.toml")):
        card = tomllib.loads(path.read_text())
        about = card["training"]
        faults = about.get("known_faults", "")
        name = f"{card['name']}/{card['version']}"
        lines.append(
            f"| `{name}` | {card['state']} | {sources.parameters[card['name']]:,} | {about['data']} | {faults or card['limits']} |"
        )
    return "\n".join(lines) + "\n"


def _real_table(root: Path, sources: Sources) -> str:
    """Give every figure of the real scans, with the two baselines beside what brightness could tell."""
    if not sources.real:
        return ""
    about = _json(root / "benchmarks/results/real_models.json")
    names = ", ".join(f"`{bundle['name']}/{bundle['version']}`" for bundle in about["bundles"])
    head = f"""## Real container scans, all figures

{about["pictures"]} rendered 8-bit pictures of one customs service through the whole path, by {names}. "Divergent" means that a
classifier of that service disagreed with the declared heading, not proven fraud; most of them are plainly empty. Mean grey and dark share
use no model: a check that does not beat them may have learnt brightness alone. {about["label_source"]}

{_commissioned(about)}

| figure | value | 95 % interval | of |
|---|---|---|---|"""
    return "\n".join([head, *_lines(sources.real), ""])


def _commissioned(about: Table) -> str:
    """Say what commissioning on half of the real scans came to, and which checks it left with a level that nothing reaches."""
    halves = about["commissioning"]["halves"]
    budgets = " and ".join(f"{half['budget']:.1%}" for half in halves)
    used = " and ".join(str(half["clean_scans_used"]) for half in halves)
    silent = {check for half in halves for check, level in half["checks"].items() if not level["can_alarm"]}
    wanted, names = f"{about['commissioning']['budget_wanted']:.0%}", ", ".join(f"`{name}`" for name in sorted(silent))
    said = f"Commissioned on {used} clean scans, the budgets that could be kept were {budgets}; {wanted}"
    rest = f" In at least one half nothing can reach the level of {names} any more: that buys the few alerts." if silent else ""
    return f"{said} was wanted. Most of the clean scans are empty containers that the benchmark declares as empty.{rest}"


def _scenarios(sources: Sources) -> str:
    """Give what the bundles make of the published finds."""
    if not sources.scenarios:
        return ""
    return "\n".join([_SCENARIOS, *_lines(sources.scenarios), ""])


def _lines(figures: Mapping[str, Table]) -> list[str]:
    return [
        f"| {row['name'].replace('/', ': ')} | {row['value']:.3f} | "
        f"{'' if row['low'] is None else format(row['low'], '.3f') + ' to ' + format(row['high'], '.3f')} | "
        f"{', '.join(f'{count} {word}' for word, count in row['n'].items())} |"
        for row in figures.values()
    ]


def _count_numbers(path: Path) -> int:
    return sum(int(np.prod(part.dims)) for part in onnx.load(path).graph.initializer)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def main() -> None:
    """Write the page and its pictures."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PAGE.write_text(page())
    for name, picture in pictures(read_sources()).items():
        (IMAGES / name).write_text(picture)
    print(PAGE)


if __name__ == "__main__":
    main()
