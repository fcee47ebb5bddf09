"""The page about performance and `benchmarks/results`: what it quotes was kept, and nothing kept breaks a floor that it names."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = " ".join((ROOT / "docs/explanation/performance.md").read_text("utf-8").split())
AT_MOST, AT_LEAST = float("inf"), float("-inf")


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / f"benchmarks/results/{name}.json").read_text("utf-8"))
    return found


def at(name: str, path: str) -> float:
    value: Any = kept(name)
    for step in path.split("/"):
        value = value[step]
    return float(value)


def of_many_sites(key: str) -> list[float]:
    return [
        at(f"many_sites-{archive}", f"{when}/{key}") for archive in ("sqlite", "postgres") for when in ("before_the_kill", "after_the_kill")
    ]


def test_the_reports_figures_are_the_kept_ones() -> None:
    report = kept("report")
    seconds = report["figures_cpu_s"] + report["page_cpu_s"] + report["json_cpu_s"]
    peak, before = report["peak_mb"], report["peak_mb_before"]
    assert f"{report['scans']:,} invented scans" in PAGE
    assert f"{seconds:.0f} s of processor time, {peak:.0f} MB at most ({peak - before:.0f} MB more than before it began" in PAGE


def test_the_collectors_figures_are_the_kept_ones() -> None:
    row_ms, files = of_many_sites("collector_cpu_ms_per_row"), of_many_sites("collector_files")
    held_mib = math.ceil(max(of_many_sites("collector_peak_mib")) / 10) * 10
    assert f"a row costs it {min(row_ms):.1f} to {max(row_ms):.1f} ms" in PAGE
    assert f"it holds up to {held_mib} MiB and {round(max(files), -2):,.0f} descriptors" in PAGE


def test_what_our_own_checks_of_a_file_cost_is_the_kept_figure() -> None:
    ms = kept("formats")
    library = {"png": "OpenCV", "jpeg-xl": "imagecodecs"}
    names = [name.split()[1].rstrip(":") for name in ms if name.startswith("decode") and name.endswith("edge-agent")]
    more = {name: ms[f"decode {name}: edge-agent"] - ms[f"decode {name}: {library.get(name, 'tifffile')}"] for name in names}
    assert len(more) == 6
    in_tiff = max(value for name, value in more.items() if name.startswith("tiff"))
    assert f"cost up to {max(more.values()):.0f} ms over the bare libraries, in TIFF up to {math.ceil(in_tiff)} ms" in PAGE


@pytest.mark.parametrize(
    ("words", "name", "path", "least", "most"),
    [
        ("| `whole_path_over_bare_ort` | scan in memory", "latest", "whole_path_over_bare_ort", 0.95, AT_MOST),
        ("does nothing | ≤ 30 |", "latest", "overhead_ms_64_tiles", AT_LEAST, 30),
        ("99 of 100 rows at a console 10 ms after their commit", "wire", "p99_ms", AT_LEAST, 10),
        ("changes that by a fifth at most", "wire", "p99_change", AT_LEAST, 0.2),
        ("costs the site 64 MB at most", "wire", "memory_mb", AT_LEAST, 64),
        ("it is level again 5 s after it goes on", "wire", "stopped_repair_s", AT_LEAST, 5),
        ("silence shows after 3 s", "wire", "stale_s", AT_LEAST, 3),
        ("a key in the queue or in the viewer is painted after 100 ms", "console", "queue_keys/max_ms", AT_LEAST, 100),
        ("a key in the queue or in the viewer is painted after 100 ms", "console", "viewer_keys/max_ms", AT_LEAST, 100),
        ("95 of 100 frames come within 50 ms", "console", "pan_whole/p95_ms", AT_LEAST, 50),
        ("95 of 100 frames come within 50 ms", "console", "pan_true_size/p95_ms", AT_LEAST, 50),
        ("is within a tenth of what it held after 20", "console", "heap/growth", AT_LEAST, 0.1),
        ("`make soak-console` opens 1,000", "soak-console", "plan/opened", 1000, 1000),
        ("the link is stale 3.5 s after the cut", "console_cut", "stale_after_s", AT_LEAST, 3.5),
        ("is true again 3 s after its end", "console_cut", "true_after_s", AT_LEAST, 3),
        ("an alert is on the screen a second after it was made", "console_cut", "seen_ms/max", AT_LEAST, 1000),
        ("no scan is missing", "console_cut", "scans_missing", 0, 0),
        ("no decision lost", "console_cut", "verdicts_lost", 0, 0),
        ("no decision lost, doubled", "console_cut", "verdicts_doubled", 0, 0),
        ("3,000 rows a second in all on two cores", "drain-sqlite", "rows_per_s", 3000, AT_MOST),
        ("can be queried two seconds after its commit", "drain-sqlite", "queryable_after_s_max", AT_LEAST, 2),
        ("all connected after 5 s", "many_sites-sqlite", "connected_s", AT_LEAST, 5),
        ("all connected after 5 s", "many_sites-postgres", "connected_s", AT_LEAST, 5),
        ("decoded in 300 ms", "formats", "decode tiff-none: edge-agent", AT_LEAST, 300),
        ("decoded in 300 ms", "formats", "decode tiff-deflate: edge-agent", AT_LEAST, 300),
        ("a package written in 1,000 ms (deflate)", "formats", "package deflate: write", AT_LEAST, 1000),
        ("or 450 ms (zstd)", "formats", "package zstd: write", AT_LEAST, 450),
        ("a tile of both planes out of it in 15 ms", "formats", "package deflate: tile of both planes", AT_LEAST, 15),
        ("a tile of both planes out of it in 15 ms", "formats", "package zstd: tile of both planes", AT_LEAST, 15),
    ],
)
def test_no_kept_figure_breaks_the_floor_that_the_page_names(words: str, name: str, path: str, least: float, most: float) -> None:
    assert words in PAGE
    assert least <= at(name, path) <= most


def test_five_hundred_sites_keep_within_the_floors_that_the_page_names() -> None:
    assert "2,000 rows a second into SQLite and into PostgreSQL (`--archive postgres`), 300 MB, nothing lost or doubled" in PAGE
    assert min(of_many_sites("rows_per_s")) >= 2000
    assert max(of_many_sites("collector_peak_mib")) * 1.048576 <= 300
    assert [kept(f"many_sites-{archive}")["wrong_sites"] for archive in ("sqlite", "postgres")] == [[], []]
    assert kept("drain-sqlite")["wrong_sites"] == []


def test_chaos_and_soak_were_kept_without_a_breach() -> None:
    assert [kept(name)["breaches"] for name in ("chaos", "soak")] == [[], []]
