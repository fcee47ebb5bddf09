"""Writes ``docs/reference/models.md``: ``python -m training.models_page``. Every figure comes from a file that a command wrote.

Simulated figures are those of the shipped cards. ``benchmarks/results/`` holds the others: ``real_models.json``, ``tile_speed.json``,
``weight_tables.json``, ``research.json``. Why a figure falls short is said in ``training/shortfalls.toml``, one sentence or more a row.
"""

import argparse
import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference/models.md"
SHORTFALLS = ROOT / "training/shortfalls.toml"
_REAL = "python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json"

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """A figure; ``interval``: 95 %, None where there is none; ``n``: what was counted, in words."""

    value: float
    interval: tuple[float, float] | None
    n: str


@dataclass(frozen=True)
class Bound:
    """What a figure must reach: at least ``low``, at most ``high``."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def words(self, form: str) -> str:
        if self.low is not None and self.high is not None:
            return f"{_number(self.low, form)} to {_number(self.high, form)}"
        return f">= {_number(self.low, form)}" if self.low is not None else f"<= {_number(self.high or 0.0, form)}"


@dataclass(frozen=True)
class Sources:
    """All that was measured. ``metrics`` by bundle name; ``real``: figures by name; the rest as their files have it, empty if absent."""

    metrics: Mapping[str, Table]
    real: Mapping[str, Table]
    speed: Table
    tables: Table
    research: Table
    parameters: Mapping[str, int]


@dataclass(frozen=True)
class Row:
    """One line of the table. ``form``: how numbers are written. ``command``: what measures it where no file has it yet."""

    key: str
    what: str
    where: str
    floor: Bound | None
    goal: Bound | None
    form: str
    measure: Callable[[Sources], Measure | None]
    command: str = "python -m training.make_models"


def card(bundle: str, group: str, key: str) -> Callable[[Sources], Measure | None]:
    """Take a figure out of a card's metrics; its interval and count stand beside it there."""

    def take(sources: Sources) -> Measure | None:
        metrics = sources.metrics.get(bundle, {})
        table = metrics.get(group, {}) if group else metrics
        return None if key not in table else Measure(table[key], _pair(table.get(f"{key}_interval_95")), _counted(table, key))

    return take


def real(name: str, scale: float = 1.0) -> Callable[[Sources], Measure | None]:
    """Take a figure of the real scans; ``scale`` 100 makes a share a number in a hundred."""

    def take(sources: Sources) -> Measure | None:
        row = sources.real.get(name)
        if row is None:
            return None
        interval = None if row["low"] is None else (row["low"] * scale, row["high"] * scale)
        return Measure(row["value"] * scale, interval, ", ".join(f"{count} {word}" for word, count in row["n"].items()))

    return take


def tables(key: str, worst: Callable[[Sequence[float]], float]) -> Callable[[Sources], Measure | None]:
    """Take the worst of the seeds of the real weight tables; the range over the seeds stands where an interval would."""

    def take(sources: Sources) -> Measure | None:
        rows = list(sources.tables.get("by_seed", {}).values())
        if not rows:
            return None
        values = [row[key] for row in rows]
        return Measure(worst(values), (min(values), max(values)), f"{rows[0]['rows']:.0f} containers; worst and range of {len(rows)} seeds")

    return take


def farthest_from_90(values: Sequence[float]) -> float:
    """Give the coverage that is farthest from 90 %."""
    return max(values, key=lambda value: abs(value - 0.9))


def points_lost(sources: Sources) -> Measure | None:
    """Give the points of mAP50 lost on the unseen scanner."""
    s0, s2 = card("detector", "tiles_s0", "map50")(sources), card("detector", "tiles_s2", "map50")(sources)
    if s0 is None or s2 is None:
        return None
    span = None if s2.interval is None else (100.0 * (s0.value - s2.interval[1]), 100.0 * (s0.value - s2.interval[0]))
    return Measure(100.0 * (s0.value - s2.value), span, s2.n)


def parameters(sources: Sources) -> Measure | None:
    """Give the numbers in the detector's graph, in millions."""
    count = sources.parameters.get("detector")
    return None if count is None else Measure(count / 1e6, None, "")


def tile_ms(sources: Sources) -> Measure | None:
    """Give the CPU time of one tile."""
    return Measure(sources.speed["ms_a_tile"], None, f"{sources.speed['processor']}, one core") if sources.speed else None


def research(key: str) -> Callable[[Sources], Measure | None]:
    """Take a figure of the research bundle."""
    return lambda sources: Measure(sources.research[key], None, f"{sources.research['kept']} pictures") if sources.research else None


S0, S1, S2 = "S0, simulated", "S1, simulated", "S2, simulated"
_SMT = "small_metal_containers"
_OTHER = "commissioned on the other half/alerts of clean scans"
_OPIX = "OPIXray, own validation part"
_TABLES = "real tables, 5 folds"
_TABLES_COMMAND = "python -m training.weight_tables TABLES.npz --seed N"
_OPIX_COMMAND = "python -m training.research"


def low(value: float) -> Bound:
    """At least."""
    return Bound(low=value)


def high(value: float) -> Bound:
    """At most."""
    return Bound(high=value)


ROWS = (
    Row("map50", "detection, mAP50", S0, low(0.82), low(0.88), "plain", card("detector", "tiles_s0", "map50")),
    Row("map50_95", "detection, mAP50-95", S0, low(0.56), low(0.62), "plain", card("detector", "tiles_s0", "map50_95")),
    Row("parameters", "detector, million parameters", "-", high(1.5), high(1.5), "plain", parameters),
    Row("tile_ms", "detector, ms a 256-px tile", "-", high(5), high(5), "one", tile_ms, "python -m benchmarks.tile_speed"),
    Row("s1", "detection of held-out threats, mAP50", S1, low(0.65), low(0.75), "plain", card("detector", "tiles_s1", "map50")),
    Row("s2", "detection, points of mAP50 lost on an unseen scanner", S2, high(12), high(8), "one", points_lost),
    Row("smt1", "containers with small metal found at 1 % false alarms", "simulated", low(0.6), low(0.95), "percent",
        card("detector", _SMT, "found_at_1pc_false")),
    Row("smt5", "the same at 5 %", "simulated", low(0.8), None, "percent", card("detector", _SMT, "found_at_5pc_false")),
    Row("region", "heterogeneity, foreign goods, AUC", S0, low(0.97), low(0.99), "plain", card("contents", "foreign_goods_s0", "auc")),
    Row("overlay", "heterogeneity, small hidden objects, AUC", S1, low(0.70), low(0.85), "plain",
        card("contents", "hidden_overlay_s1", "auc")),
    Row("pointing", "evidence map, pointing game", S0, low(0.93), low(0.96), "plain",
        card("contents", "foreign_goods_s0", "pointing_game")),
    Row("product", "product named right, where it is named", S0, low(0.90), low(0.90), "percent",
        card("contents", "product", "top1_where_named")),
    Row("coverage", "share of loads whose product is named", S0, low(0.85), low(0.95), "percent", card("contents", "product", "coverage")),
    Row("weight50", "weight after site fit, median error", "simulated", high(0.02), high(0.01), "percent",
        card("weight", "", "median_error_after_site_fit")),
    Row("weight90", "weight after site fit, 90 % of errors below", "simulated", high(0.05), high(0.04), "percent",
        card("weight", "", "p90_error_after_site_fit")),
    Row("tables_mae", "weight recipe, mean error kg", _TABLES, high(1430), high(1300), "kg", tables("mae_kg", max), _TABLES_COMMAND),
    Row("tables_ridge", "the same over ridge in the same folds", _TABLES, high(0.73), None, "plain", tables("over_ridge", max),
        _TABLES_COMMAND),
    Row("tables_median", "weight recipe, median error", _TABLES, high(0.048), None, "percent", tables("median_error", max),
        _TABLES_COMMAND),
    Row("tables_cover", "weight recipe, 90 % interval covers", _TABLES, Bound(0.86, 0.94), None, "percent",
        tables("covered_by_90", farthest_from_90), _TABLES_COMMAND),
    Row("empty", "empty against loaded, AUC", "real", low(0.99), low(0.99), "plain", real("empty against loaded/auc"), _REAL),
    Row("empty_right", "empty against loaded, right at the shipped level", "real", low(0.98), low(0.99), "percent",
        real("empty against loaded/right at the level in force"), _REAL),
    Row("empty_divergent", "empty divergent against loaded conforming, AUC", "real", low(0.99), None, "plain",
        real("empty divergent against loaded conforming/auc"), _REAL),
    Row("loaded_divergent", "loaded divergent against loaded conforming, AUC", "real", None, None, "plain",
        real("loaded divergent against loaded conforming/auc"), _REAL),
    Row("alerts", "alerts per 100 clean scans, commissioned on other ones", "real", high(5), high(3), "one", real(_OTHER, 100.0), _REAL),
    Row("opix50", "research recipe, mAP50", _OPIX, None, low(0.90), "plain", research("map50"), _OPIX_COMMAND),
    Row("opix", "research recipe, mAP50-95", _OPIX, None, low(0.43), "plain", research("map50_95"), _OPIX_COMMAND),
)  # fmt: skip


def falls_short(row: Row, sources: Sources) -> bool:
    """Tell whether a figure that was measured misses its floor."""
    seen = row.measure(sources)
    return seen is not None and row.floor is not None and not row.floor.holds(seen.value)


def read_sources(root: Path = ROOT) -> Sources:
    """Read the cards and the results; results of other bundles than the shipped ones are left out."""
    cards = {path.parents[1].name: tomllib.loads(path.read_text()) for path in sorted(root.glob("exported_models/*/*/card.toml"))}
    results = {name: _json(root / f"benchmarks/results/{name}.json") for name in ("real_models", "tile_speed", "weight_tables", "research")}
    shipped = {hashlib.sha256(path.read_bytes()).hexdigest() for path in root.glob("exported_models/*/*/card.toml")}
    refs = {f"{card['name']}/{card['version']}" for card in cards.values()}
    real = results["real_models"]
    is_ours = bool(real) and {bundle["sha256"] for bundle in real["bundles"]} <= shipped
    return Sources(
        {name: card["metrics"] for name, card in cards.items()},
        {row["name"]: row for row in real["figures"]} if is_ours else {},
        results["tile_speed"] if results["tile_speed"].get("bundle") in refs else {},
        results["weight_tables"],
        results["research"],
        {path.parents[1].name: _count_numbers(path) for path in sorted(root.glob("exported_models/*/*/model.onnx"))},
    )


def page(root: Path = ROOT) -> str:
    """Give the page's text."""
    sources = read_sources(root)
    reasons = tomllib.loads((root / "training/shortfalls.toml").read_text())["reasons"]
    parts = [_HEAD, _table(sources), _shortfalls(sources, reasons), _bundles(root, sources), _real_table(root, sources), _TAIL]
    return "\n".join(part for part in parts if part)


_HEAD = """# Models: what they can do and what they cannot

Written by `python -m training.models_page` from the shipped cards and the files in `benchmarks/results/`; a test checks that it is current.

**Every figure marked "simulated" was measured on simulated scans only** and says nothing about real ones. S0: new random states of what was
trained on. S1: threats and goods held out of training. S2: a scanner of a kind that was not trained on. The sets are frozen; their digests
stand in the cards. Nothing is tuned on a test set; on the real scans nothing is fitted beyond what the table says. Figures of a share or an
area stand with their 95 % interval and what was counted.

## Floors, goals and figures

The floor is for bundles trained on a CPU, the goal for those trained with an accelerator.
"""

_TAIL = """## How to measure again

| what | command |
|---|---|
| bundles and simulated figures | `python -m training.make_models` |
| real container scans | `python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json` |
| time a tile | `python -m benchmarks.tile_speed --out benchmarks/results/tile_speed.json` |
| weight recipe on real tables | `python -m training.weight_tables TABLES.npz --seed N` |
| this page | `python -m training.models_page` |
| your own labelled scans | `edge-agent evaluate` ([how](../how-to/evaluate-a-bundle.md)) |
"""


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
    interval = "" if seen.interval is None else f"{_number(seen.interval[0], row.form)} to {_number(seen.interval[1], row.form)}"
    return f"{_number(seen.value, row.form)} | {interval} | {seen.n} | {_verdict(row, seen.value)}"


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
use no model: a check that does not beat them may have learnt brightness alone.

| figure | value | 95 % interval | of |
|---|---|---|---|"""
    lines = [
        f"| {row['name'].replace('/', ': ')} | {row['value']:.3f} | "
        f"{'' if row['low'] is None else format(row['low'], '.3f') + ' to ' + format(row['high'], '.3f')} | "
        f"{', '.join(f'{count} {word}' for word, count in row['n'].items())} |"
        for row in sources.real.values()
    ]
    return "\n".join([head, *lines, ""])


def _number(value: float, form: str) -> str:
    return {"plain": f"{value:.3g}", "percent": f"{100 * value:.1f} %", "kg": f"{value:,.0f}", "one": f"{value:.1f}"}[form]


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def _counted(table: Table, key: str) -> str:
    n = table.get(f"{key}_n")
    if n is not None:
        return " and ".join(str(part) for part in n) + " scans" if isinstance(n, list) else f"{n} scans"
    if "tiles" in table:
        return f"{table['tiles']} tiles, {table['objects']} objects"
    return f"{table['containers']:.0f} containers" if "containers" in table else ""


def _count_numbers(path: Path) -> int:
    return sum(int(np.prod(part.dims)) for part in onnx.load(path).graph.initializer)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PAGE.write_text(page())
    print(PAGE)


if __name__ == "__main__":
    main()
