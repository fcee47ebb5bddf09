"""What the page of figures shows: each row's floor and goal, and where its figure is taken from. See ``models_page``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
            return f"{number(self.low, form)} to {number(self.high, form)}"
        return f">= {number(self.low, form)}" if self.low is not None else f"<= {number(self.high or 0.0, form)}"


@dataclass(frozen=True)
class Sources:
    """All that was measured, empty where a file is absent.

    ``metrics`` by bundle name; ``real``, ``scenarios``: figures by name; the rest as their files have it.
    """

    metrics: Mapping[str, Table]
    real: Mapping[str, Table]
    scenarios: Mapping[str, Table]
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


def tables(key: str, form: str, worst: Callable[[Sequence[float]], float]) -> Callable[[Sources], Measure | None]:
    """Take the worst of the seeds of the real weight tables; the range over the seeds is no interval and stands beside the count."""

    def take(sources: Sources) -> Measure | None:
        rows = list(sources.tables.get("by_seed", {}).values())
        if not rows:
            return None
        values = [row[key] for row in rows]
        span = f"{number(min(values), form)} to {number(max(values), form)}"
        return Measure(worst(values), None, f"{rows[0]['rows']:.0f} containers; worst of {len(rows)} seeds ({span})")

    return take


def farthest_from_90(values: Sequence[float]) -> float:
    """Give the coverage that is farthest from 90 %."""
    return max(values, key=lambda value: abs(value - 0.9))


def points_lost(sources: Sources) -> Measure | None:
    """Give the points of mAP50 lost on the unseen scanner."""
    s0, s2 = card("detector", "tiles_s0", "map50")(sources), card("detector", "tiles_s2", "map50")(sources)
    if s0 is None or s2 is None:
        return None
    lost = s0.value - s2.value
    span = None
    if s0.interval is not None and s2.interval is not None:  # of two independent figures (Newcombe, Statistics in Medicine 17, 1998)
        least = math.hypot(s0.value - s0.interval[0], s2.interval[1] - s2.value)
        most = math.hypot(s0.interval[1] - s0.value, s2.value - s2.interval[0])
        span = (100.0 * (lost - least), 100.0 * (lost + most))
    return Measure(100.0 * lost, span, s2.n)


def parameters(sources: Sources) -> Measure | None:
    """Give the numbers in the detector's graph, in millions."""
    count = sources.parameters.get("detector")
    return None if count is None else Measure(count / 1e6, None, "")


def tile_ms(sources: Sources) -> Measure | None:
    """Give the CPU time of one tile: the median, of the network only."""
    if not sources.speed:
        return None
    spread = f"median, least {sources.speed['ms_a_tile_least']:.1f}, 95 % below {sources.speed['ms_a_tile_p95']:.1f}"
    return Measure(sources.speed["ms_a_tile"], None, f"network only, one core of {sources.speed['processor']}; {spread}")


def research(key: str) -> Callable[[Sources], Measure | None]:
    """Take a figure of the research bundle."""
    return lambda sources: Measure(sources.research[key], None, f"{sources.research['kept']} pictures") if sources.research else None


S0, S1, S2, S3 = "S0, simulated", "S1, simulated", "S2, simulated", "S3, simulated"
_BOXES = "20-foot containers, two energies, simulated"
_SMT = "small_metal_containers"
_OTHER = "commissioned on the other half"
_OPIX = "OPIXray, own validation part"
_TABLES = "real tables, 5 folds; not the shipped network"
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
    Row("s1_any", "the same, found under whatever label", S1, None, None, "plain", card("detector", "tiles_s1", "ap50_any_label")),
    Row("s3", "detection of threats that nobody looked at, mAP50", S3, None, None, "plain", card("detector", "tiles_s3", "map50")),
    Row("s3_any", "the same, found under whatever label", S3, None, None, "plain", card("detector", "tiles_s3", "ap50_any_label")),
    Row("s2", "detection, points of mAP50 lost on an unseen scanner", S2, high(12), high(8), "one", points_lost),
    Row("smt1", "containers with small metal in the load that alarm at 1 % false alarms", _BOXES, low(0.6), low(0.95), "percent",
        card("detector", _SMT, "found_at_1pc_false")),
    Row("smt5", "the same at 5 %", _BOXES, low(0.8), None, "percent", card("detector", _SMT, "found_at_5pc_false")),
    Row("smt1_on", "those whose alarm is on the metal, at 1 %", _BOXES, None, None, "percent",
        card("detector", _SMT, "pointed_at_1pc_false")),
    Row("region", "heterogeneity, foreign goods, AUC", S0, low(0.97), low(0.99), "plain", card("contents", "foreign_goods_s0", "auc")),
    Row("overlay", "heterogeneity, small hidden objects, AUC", S1, low(0.70), low(0.85), "plain",
        card("contents", "hidden_overlay_s1", "auc")),
    Row("overlay_shows", "the same where the object shows by the Rose criterion", S1, None, None, "plain",
        card("contents", "hidden_overlay_that_shows_s1", "auc")),
    Row("pointing", "evidence map, pointing game", S0, low(0.93), low(0.96), "plain",
        card("contents", "foreign_goods_s0", "pointing_game")),
    Row("product", "product named right, where it is named", S0, low(0.90), low(0.90), "percent",
        card("contents", "product", "top1_where_named")),
    Row("coverage", "share of loads whose product is named", S0, low(0.85), low(0.95), "percent", card("contents", "product", "coverage")),
    Row("weight50", "weight after site fit, median error (loads under 2 t as if of 2 t)", "simulated", high(0.02), high(0.01), "percent",
        card("weight", "", "median_error_after_site_fit")),
    Row("weight90", "weight after site fit, 90 % of errors below", "simulated", high(0.05), high(0.04), "percent",
        card("weight", "", "p90_error_after_site_fit")),
    Row("weight_heavy50", "loads of 5 t and more, median error", "simulated", None, None, "percent",
        card("weight", "heavy", "median_error_after_site_fit")),
    Row("weight_heavy", "loads of 5 t and more, 90 % of errors below", "simulated", None, None, "percent",
        card("weight", "heavy", "p90_error_after_site_fit")),
    Row("weight_cover", "weight after site fit, 90 % interval covers", "simulated", None, None, "percent",
        card("weight", "", "covered_by_90_after_site_fit")),
    Row("weight_honest", "declared masses right but for 2 % that alert, no site fit", "simulated", None, None, "percent",
        card("weight", "declarations", "honest_alerted")),
    Row("weight_third", "declared masses a third too low that alert, no site fit", "simulated", None, None, "percent",
        card("weight", "declarations", "a_third_less_found")),
    Row("tables_mae", "weight from histograms, mean error kg", _TABLES, high(1430), high(1300), "kg", tables("mae_kg", "kg", max),
        _TABLES_COMMAND),
    Row("tables_ridge", "the same over ridge in the same folds", _TABLES, high(0.73), None, "plain", tables("over_ridge", "plain", max),
        _TABLES_COMMAND),
    Row("tables_median", "weight from histograms, median error", _TABLES, high(0.048), None, "percent",
        tables("median_error", "percent", max), _TABLES_COMMAND),
    Row("tables_cover", "weight from histograms, 90 % interval covers", _TABLES, Bound(0.86, 0.94), None, "percent",
        tables("covered_by_90", "percent", farthest_from_90), _TABLES_COMMAND),
    Row("empty", "empty against loaded, AUC", "real", low(0.99), low(0.99), "plain", real("empty against loaded/auc"), _REAL),
    Row("empty_right", "empty against loaded, right at the shipped level", "real", low(0.98), low(0.99), "percent",
        real("empty against loaded/right at the level in force"), _REAL),
    Row("empty_divergent", "empty divergent against loaded conforming, AUC", "real", low(0.99), None, "plain",
        real("empty divergent against loaded conforming/auc"), _REAL),
    Row("loaded_divergent", "loaded divergent against loaded conforming, AUC", "real", None, None, "plain",
        real("loaded divergent against loaded conforming/auc"), _REAL),
    Row("alerts", "alerts per 100 clean scans, commissioned on other ones", "real", high(5), high(3), "one",
        real(f"{_OTHER}/alerts of clean scans", 100.0), _REAL),
    Row("alerts_loaded", "of them conforming loads", "real", None, None, "one",
        real(f"{_OTHER}/alerts of conforming loaded scans", 100.0), _REAL),
    Row("found_loaded", "loaded divergent that alert after the same commissioning", "real", None, None, "percent",
        real(f"{_OTHER}/loaded divergent found"), _REAL),
    Row("opix50", "research recipe, mAP50", _OPIX, None, low(0.90), "plain", research("map50"), _OPIX_COMMAND),
    Row("opix", "research recipe, mAP50-95", _OPIX, None, low(0.43), "plain", research("map50_95"), _OPIX_COMMAND),
)  # fmt: skip


def number(value: float, form: str) -> str:
    """Write a figure in its row's form."""
    return {"plain": f"{value:.3g}", "percent": f"{100 * value:.1f} %", "kg": f"{value:,.0f}", "one": f"{value:.1f}"}[form]


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def _counted(table: Table, key: str) -> str:
    n = table.get(f"{key}_n")
    if n is not None:
        return " and ".join(str(part) for part in n) + " scans" if isinstance(n, list) else f"{n} scans"
    if "tiles" in table:
        return f"{table['tiles']} tiles, {table['objects']} objects, {table['ignored']} ignored"
    sites = f" of {table['sites']:.0f} scanners" if "sites" in table else ""
    return f"{table['containers']:.0f} containers{sites}" if "containers" in table else ""
