"""From a weighbridge's list to corrected estimates: certificates on disk, the command on simulated scans, the scale with its fits."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.site import ROOT, Scanner, Settings, Site
from edge_agent.agent.at_hand import find_drops, member_digests
from edge_agent.agent.certificate import write_document
from edge_agent.agent.config import load_config
from edge_agent.agent.models_in_force import weighing_of
from edge_agent.agent.weighing import Scale, Weighbridge, Weighed, WeighedScans, Weighing, certify_weighing, find_weighing, weighing_path
from edge_agent.analysis.ports import one_by_one
from edge_agent.cli.main import main
from edge_agent.domain.assessment import BundleState, BundleUse
from edge_agent.domain.ids import ScannerId, SiteId, content_digest, scan_id
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import BundleIncompatible
from edge_agent.formats.profiles import load_profile
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.selftest import run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.weight import ScaleReading, SiteFit
from edge_agent.signing.detached import Trust
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.bundles import TEST_KEY, TEST_TRUST
from edge_agent.testing.factories import NOON
from edge_agent.testing.weight_bundle import write_weight_bundle

USE = BundleUse("scale", "1.0.0", "a" * 64, BundleState.SIMULATED)
PORTAL, OTHER = ScannerId("portal-1"), ScannerId("portal-2")
KEY = SigningKey.new("hq")
NOBODY = Trust.of([])
POLICY = ROOT / "config/policy.example.toml"
SCANS = 12


# ------------------------------------------------------------------------------------------------------------- certificates


def a_certificate(scanner: ScannerId = PORTAL, days: int = 90):
    readings = [ScaleReading((900.0 * n, 1000.0 * n, 1100.0 * n), 0.0) for n in range(4, 24)]
    loads = tuple(Weighed(reading, 1.2 * reading.mass_kg[1]) for reading in readings)
    return certify_weighing(Scale("north", scanner, USE), WeighedScans(loads, (), ()), NOON, days)


def found(
    folder: Path, *, site: str = "north", bundle: BundleUse | None = USE, trust: Trust = NOBODY, scanners: tuple[ScannerId, ...] = (PORTAL,)
) -> Weighing:
    return find_weighing(folder, Weighbridge(site, scanners, bundle), trust)


def problems(weighing: Weighing) -> list[tuple[str, Any]]:
    assert weighing.certificates == ()
    return [(reason.code, reason.params["scanner"]) for reason in weighing.problems]


def test_a_written_certificate_is_read_again_to_the_last_digit(tmp_path: Path) -> None:
    write_document(weighing_path(tmp_path, PORTAL), a_certificate(), None)
    assert (a_certificate(),) == found(tmp_path).certificates
    assert 1.2 == pytest.approx(found(tmp_path).fits(NOON)[PORTAL].scale, abs=0.01)
    assert Weighing() == found(tmp_path / "elsewhere")


def test_it_counts_for_no_other_bundle_site_or_scanner(tmp_path: Path) -> None:
    path = write_document(weighing_path(tmp_path, PORTAL), a_certificate(), None)
    newer = BundleUse("scale", "1.0.0", "b" * 64, BundleState.SIMULATED)
    assert [("weighing-mismatch", "portal-1")] == problems(found(tmp_path, bundle=newer))
    assert [("weighing-mismatch", "portal-1")] == problems(found(tmp_path, bundle=None))
    assert [("weighing-mismatch", "portal-1")] == problems(found(tmp_path, site="south"))
    path.rename(weighing_path(tmp_path, OTHER))
    assert [("weighing-mismatch", "portal-2")] == problems(found(tmp_path, scanners=(PORTAL, OTHER)))


def test_a_signature_beside_it_must_fit_and_be_trusted(tmp_path: Path) -> None:
    path = write_document(weighing_path(tmp_path, PORTAL), a_certificate(), KEY)
    trust = Trust.of([KEY.public])
    assert (a_certificate(),) == found(tmp_path, trust=trust).certificates
    assert [("weighing-unusable", "portal-1")] == problems(found(tmp_path))
    path.write_bytes(path.read_bytes().replace(b'"n": 20', b'"n": 21'))
    assert [("weighing-unusable", "portal-1")] == problems(found(tmp_path, trust=trust))


def test_a_deleted_signature_does_not_free_it_where_signatures_are_required(tmp_path: Path) -> None:
    path, trust = write_document(weighing_path(tmp_path, PORTAL), a_certificate(), KEY), Trust.of([KEY.public])
    present = Weighbridge("north", (PORTAL,), USE)
    assert (a_certificate(),) == find_weighing(tmp_path, present, trust, must_be_signed=True).certificates
    path.with_suffix(".signature.json").unlink()
    assert [("weighing-unusable", "portal-1")] == problems(find_weighing(tmp_path, present, trust, must_be_signed=True))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format": "certificate/1"}'])
def test_a_damaged_certificate_is_named_and_does_not_count(tmp_path: Path, content: bytes) -> None:
    weighing_path(tmp_path, PORTAL).write_bytes(content)
    assert [("weighing-unusable", "portal-1")] == problems(found(tmp_path))


def test_a_correction_that_no_scanner_needs_is_not_read_from_a_file_either(tmp_path: Path) -> None:
    path = write_document(weighing_path(tmp_path, PORTAL), a_certificate(), None)
    content = json.loads(path.read_bytes())
    content["fit"]["scale"] = 1000.0
    path.write_text(json.dumps(content))
    assert [("weighing-unusable", "portal-1")] == problems(found(tmp_path))


# ---------------------------------------------------------------------------------------------------------------- the scale


def loaded_from(tmp_path: Path, **about: Any) -> LoadedModels:
    write_weight_bundle(tmp_path, **about)
    return load_models(tmp_path, DevicePolicy.CPU, TEST_TRUST)


def a_view() -> View:
    return View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, np.full((60, 200), 20000, dtype=np.uint16)),), (5.0, 5.0))


def test_a_fit_changes_the_estimates_of_its_scanner_and_no_other(tmp_path: Path) -> None:
    plain = loaded_from(tmp_path)
    fitted = plain.fitted({PORTAL: SiteFit(scale=1.5, constant_kg=100.0, widening=2.0)})
    assert plain.scale is not None
    assert fitted.scale is not None
    kg = plain.scale.read(a_view()).mass_kg[1]
    estimate = fitted.scale.weigh(a_view(), PORTAL)
    assert 1.5 * kg + 100.0 == pytest.approx(estimate.mass_kg)
    assert (0.3 * kg, 0.3 * kg) == pytest.approx((estimate.mass_kg - estimate.low_kg, estimate.high_kg - estimate.mass_kg), rel=1e-5)
    other = fitted.scale.weigh(a_view(), OTHER)
    assert (0.9 * kg, kg, 1.1 * kg) == pytest.approx((other.low_kg, other.mass_kg, other.high_kg))
    assert other == plain.scale.weigh(a_view(), PORTAL)


def test_golden_cases_prove_the_graph_whatever_the_corrections(tmp_path: Path) -> None:
    fitted = loaded_from(tmp_path).fitted({PORTAL: SiteFit(scale=1.9)})
    assert 1 == run_selftest(fitted, one_by_one)


def test_a_graph_for_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleIncompatible, match=r"input features: this version feeds \[1, \d+\], the graph takes \[any, 7\]"):
        loaded_from(tmp_path, features=7)


# -------------------------------------------------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with simulated 16-bit scans and what they truly weigh."""
    folder = tmp_path_factory.mktemp("weighed")
    asked = ["sim", "--out", str(folder / "scans"), "--profile", "sim-cargo", "--scans", str(SCANS), "--interval", "0", "--seed", "5"]
    assert main([*asked, "--threat-share", "0", "--truth", str(folder / "truth.jsonl"), "--start", "2026-03-01T08:00:00+00:00"]) == 0
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Site:
    write_weight_bundle(tmp_path / "bundles")
    scanners = (Scanner("portal-1", "sim-cargo"), Scanner("portal-2", "sim-cargo"))
    return Site.prepared(tmp_path / "site", Settings(scanners, tmp_path / "bundles", trusted=(TEST_KEY.public.text,)))


def rows(weighed: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (weighed / "truth.jsonl").read_text().splitlines()]


def a_list(weighed: Path, folder: Path, keep: int = SCANS) -> Path:
    """Half of the rows by drop key with gross and tare, half by container number with the net mass, and one of a scan that is not there."""
    lines = ["scan,mass_kg,gross_kg,tare_kg", "GONE,1000,,"]
    for place, row in enumerate(rows(weighed)[:keep]):
        kg = row["load_kg"]
        lines.append(f"{row['identifier']},{kg},," if place % 2 else f"{row['key']},,{kg + 14500.0},14500")
    path = folder / "weights.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def commission(site: Site, weighed: Path, weights: Path, *more: str) -> int:
    asked = ["commission", "--config", str(site.agent_toml), "--scanner", "portal-1", "--scans", str(weighed / "scans")]
    return main([*asked, "--weights", str(weights), *more])


def test_a_list_and_scans_make_a_certificate_that_counts_at_the_next_start(
    site: Site, weighed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "weights.png"
    assert 0 == commission(site, weighed, a_list(weighed, tmp_path), "--days", "30", "--plot", str(picture))
    shown = capsys.readouterr()
    assert "left out: GONE: no scan answers to it" in shown.err
    assert "corrected, held out" in shown.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    config = load_config(site.agent_toml)
    loaded = load_models(config.store.active(), DevicePolicy.CPU, config.admission.trust)
    weighing = weighing_of(config, loaded)
    (certificate,) = weighing.certificates
    assert (SCANS, 1, 0) == (certificate.n, certificate.unmatched, certificate.unweighable)
    assert certificate.held_out is not None
    assert certificate.held_out.median < 0.5 * certificate.plain.median
    now = SystemClock().now()
    assert [PORTAL] == list(weighing.fits(now))
    assert {} == weighing.fits(now + timedelta(days=31))
    assert {} == weighing_of(config, loaded_from(tmp_path / "newer", version="2.0.0")).fits(now)


def test_no_row_of_the_list_stands_in_the_certificate(
    site: Site, weighed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == commission(site, weighed, a_list(weighed, tmp_path), "--json", "--dry-run")
    shown = capsys.readouterr().out
    assert "weighing/1" == json.loads(shown)["format"]
    assert not any(row["identifier"] in shown or row["key"] in shown for row in rows(weighed))
    assert not weighing_path(site.state_dir / "bundles/commission", PORTAL).exists()


def test_the_scan_id_of_the_journal_names_a_scan_too(site: Site, weighed: Path, tmp_path: Path) -> None:
    weights = a_list(weighed, tmp_path)
    ids = tmp_path / "ids.csv"
    text = weights.read_text()
    for row in rows(weighed):
        text = text.replace(row["key"], scan_id_of(row["key"], weighed))
    assert text != weights.read_text()
    ids.write_text(text)
    assert 0 == commission(site, weighed, ids, "--dry-run")


def scan_id_of(key: str, weighed: Path) -> str:
    """The id that the daemon would give the scan at this site."""
    profile = load_profile(ROOT / "config/scanners/sim-cargo.toml")
    drop = next(drop for drop, _ in find_drops([weighed / "scans"], [profile]) if drop.key == key)
    digest = content_digest((member.role, member.sha256) for member in member_digests(drop, profile) if member.is_pixels)
    return scan_id(SiteId("demo"), PORTAL, drop.key, digest)


def test_alert_levels_are_commissioned_from_corrected_estimates(
    site: Site, weighed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hand-made bundle counts the container too, so uncorrected every clean scan contradicts its declaration for certain."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.read_text().replace('required = ["detection", "contents"]', "required = []"))
    site.agent_toml.write_text(site.agent_toml.read_text().replace(str(POLICY), str(policy)))
    asked = ["commission", "--config", str(site.agent_toml), "--scanner", "portal-1", "--scans", str(weighed / "scans"), "--budget", "0.2"]
    assert 1 == main([*asked, "--dry-run"])
    said = capsys.readouterr().err
    assert "check weight gives its highest score to " in said
    assert ": weight at its highest score; it alarms at any level. Is the scan clean?" in said
    assert 0 == commission(site, weighed, a_list(weighed, tmp_path))
    assert 0 == main([*asked, "--dry-run"])


def test_too_few_weighed_loads_are_refused_and_nothing_is_written(
    site: Site, weighed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == commission(site, weighed, a_list(weighed, tmp_path, keep=9))
    told = capsys.readouterr().err
    assert "weighing-refused: 9 weighed loads, 10 are needed; 1 rows had no scan" in told
    assert "in kg (not tonnes" in told
    assert not weighing_path(site.state_dir / "bundles/commission", PORTAL).exists()


def test_a_list_that_is_none_is_refused_before_any_scan_is_read(
    site: Site, weighed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_bytes(b"\xff\xfe\x00")
    assert 78 == commission(site, weighed, wrong)
    assert 78 == commission(site, weighed, tmp_path / "nowhere.csv")
    wrong.write_text("scan,mass_kg\nSIM0005-00001,12 t\n")
    assert 78 == commission(site, weighed, wrong)
    assert "line 2" in capsys.readouterr().err
    asked = ["commission", "--config", str(site.agent_toml), "--scanner", "portal-1", "--from-journal", "--weights", str(wrong)]
    assert 78 == main(asked)
    assert "the journal keeps no pixels" in capsys.readouterr().err
