"""A scanner's correction from the command to the officer: weighed scans, a restart, a corrected estimate against the declared mass."""

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from benchmarks.site import running
from benchmarks.small_site import SmallSite
from edge_agent.cli.main import main
from edge_agent.testing.weight_bundle import write_weight_bundle
from edge_agent.wire.findings import WeightPart
from edge_agent.wire.messages import AssessmentBody, AuditBody, HealthBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SCANS = 12


def simulated(folder: Path) -> list[dict[str, Any]]:
    asked = ["sim", "--out", str(folder / "scans"), "--profile", "sim-cargo", "--scans", str(SCANS), "--interval", "0", "--seed", "5"]
    assert main([*asked, "--threat-share", "0", "--truth", str(folder / "truth.jsonl"), "--start", "2026-03-01T08:00:00+00:00"]) == 0
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]


def deliver(small: SmallSite, scans: Path, key: str, declared_kg: float) -> None:
    """Write the files of a scan, its load declared with another mass."""
    said = json.loads((scans / f"{key}.json").read_text())
    for item in said["declared"]:
        item["gross_kg"] = declared_kg / len(said["declared"])
    pictures = {f"{key}_{energy}.tif": (scans / f"{key}_{energy}.tif").read_bytes() for energy in ("high", "low")}
    small.deliver_together({**pictures, f"{key}.json": json.dumps(said).encode()}, "pair")


def weighed(small: SmallSite) -> list[tuple[AssessmentBody, WeightPart]]:
    bodies = [body for body in small.bodies("assessment") if isinstance(body, AssessmentBody)]
    return [(body, part) for body in bodies for part in body.findings if isinstance(part, WeightPart)]


def test_a_corrected_estimate_reaches_the_officer_and_goes_with_its_bundle(small: SmallSite, tmp_path: Path) -> None:
    rmtree(small.site.folder / "bundles/bright")  # nothing but weighing is looked at here
    write_weight_bundle(small.site.folder / "bundles")
    rows = sorted(simulated(tmp_path), key=lambda row: row["load_kg"])
    heaviest, second = rows[-1], rows[-2]
    weights = tmp_path / "weights.csv"
    weights.write_text("scan,mass_kg\n" + "".join(f"{row['key']},{row['load_kg']}\n" for row in rows))
    asked = ["commission", "--config", str(small.site.agent_toml), "--scanner", "pair", "--scans", str(tmp_path / "scans")]
    assert main([*asked, "--weights", str(weights)]) == 0
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        deliver(small, tmp_path / "scans", heaviest["key"], 90_000.0)
        small.wait_for(lambda: len(weighed(small)) == 1, daemon)
        console = small.site.console("officer", "--plain", "--count", "3")
        with running(console):
            small.wait_for(lambda: "declared 90000 kg, looks like " in console.log.read_text(), daemon)
        assert daemon.stop() == 0
    body, estimate = weighed(small)[0]
    fit = json.loads((small.site.state_dir / "bundles/commission/weight-pair.json").read_text())["fit"]
    assert heaviest["load_kg"] == pytest.approx(estimate.mass_kg, rel=0.35)
    assert ["weight-mismatch"] == [reason.code for reason in body.reasons]
    assert {"simulated"} == {part.state for part in body.provenance.bundles}
    (started,) = [body.event for body in small.bodies("audit") if isinstance(body, AuditBody) and body.event.code == "bundles-in-force"]
    assert "weight-pair" in started.params
    # Another bundle: the correction counts no more, health says so, and the estimate is the bundle's own.
    write_weight_bundle(tmp_path / "incoming", version="2.0.0")
    assert main(["bundle", "activate", str(tmp_path / "incoming/scale/2.0.0"), "--config", str(small.site.agent_toml)]) == 0
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        deliver(small, tmp_path / "scans", second["key"], second["load_kg"])
        small.wait_for(lambda: len(weighed(small)) == 2, daemon)
        assert daemon.stop() == 0
    _, plain = weighed(small)[1]
    assert 0.1 == pytest.approx((plain.high_kg - plain.mass_kg) / plain.mass_kg, abs=1e-3)
    assert fit["widening"] > 1.5, "else the two intervals could not be told apart"
    health = [body for body in small.bodies("health") if isinstance(body, HealthBody)][-1]
    assert ("weighing-mismatch", {"scanner": "pair"}) in [(reason.code, reason.params) for reason in health.reasons]
