"""``edge-agent assess`` on files that only a profile of the site's own can put together, and on the packages made of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli.main import main
from edge_agent.formats.encode import tiff_bytes
from edge_agent.testing.bundles import TEST_KEY, write_detection_bundle
from edge_agent.testing.drops import load_picture

PROFILE = """
name = "gate"
sidecar = ""
clock = "UTC"
quiet_s = 0.5
unknown_after_s = 120.0
required_views = ["side"]

[[member]]
role = "high"
pattern = '(?P<key>.+)\\.E2\\.tif'
need = "required"
deadline_s = 120.0
plane = { view = "side", quantity = "transmission", energy = "high" }

[[member]]
role = "low"
pattern = '(?P<key>.+)\\.E1\\.tif'
need = "expected"
deadline_s = 120.0
plane = { view = "side", quantity = "transmission", energy = "low" }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A scan of two files, the profile that joins them, and a bundle signed with the tests' key."""
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        (tmp_path / "in" / f"L3_4711.E{number}.tif").write_bytes(tiff_bytes(load_picture(seed=number)))
    (tmp_path / "gate.toml").write_text(PROFILE)
    write_detection_bundle(tmp_path / "bundles")
    return tmp_path


def assessed(place: Path, capsys: pytest.CaptureFixture[str], *what: str) -> list[dict[str, Any]]:
    """What the command says of each scan."""
    judging = ("--bundles", str(place / "bundles"), "--trust", TEST_KEY.public.text, "--device", "cpu", "--json")
    assert main(["assess", *what, *judging]) in (0, 3)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_profile_of_the_sites_own_takes_the_place_of_the_shipped_ones(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = assessed(place, capsys, "--profile", str(place / "gate.toml"), str(place / "in"))
    assert ("rejected" in one, "assessment" in one) == (False, True)
    assert 2 == len(assessed(place, capsys, str(place / "in")))  # the shipped ones see two pictures


def test_a_profile_that_is_not_there_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == main(["assess", "--profile", str(place / "absent.toml"), str(place / "in")])
    assert "absent.toml" in capsys.readouterr().err


def test_a_package_that_convert_wrote_is_assessed_as_the_scan_that_it_holds(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["scan", "convert", "--profile", str(place / "gate.toml"), "--out", str(place / "packages"), str(place / "in")])
    capsys.readouterr()
    (package,) = (place / "packages").iterdir()
    (of_files,) = assessed(place, capsys, "--profile", str(place / "gate.toml"), str(place / "in"))
    (of_package,) = assessed(place, capsys, str(package))
    assert "rejected" not in of_package
    found = [[{**part, "bundle": ""} for part in one["assessment"]["findings"]] for one in (of_files, of_package)]
    assert found[0] == found[1] != []
    assert package.name.startswith(of_package["assessment"]["scan_id"])


def test_a_side_car_that_names_a_parcel_makes_it_one_unless_told_otherwise(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = place / "parcels"
    assert 0 == main(["sim", "--out", str(folder), "--profile", "sim-parcel-colour", "--scans", "1", "--interval", "0"])
    capsys.readouterr()
    (by_itself,), (as_told,) = assessed(place, capsys, str(folder)), assessed(place, capsys, "--subject", "cargo", str(folder))
    assert ["parcel", "cargo"] == [one["assessment"]["subject"] for one in (by_itself, as_told)]


def test_a_damaged_package_is_rejected(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "cut.scan.zip").write_bytes(b"PK\x03\x04 and no more")
    (one,) = assessed(place, capsys, str(place / "cut.scan.zip"))
    assert one["rejected"] == "unreadable-scan"
