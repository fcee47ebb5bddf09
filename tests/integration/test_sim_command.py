"""``edge-agent sim`` as it writes into a real folder, and each habit of writing."""

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.cli.main import main
from edge_agent.formats.profiles import load_profile
from edge_agent.formats.sidecar import read_sidecar
from edge_agent.sim.habit import HABITS
from edge_agent.sim.scanner import Order, shoot

PROFILES = Path(__file__).parents[2] / "config" / "scanners"
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def shot():
    return shoot(Order("sim-parcel", 2, 1.0), 1, AT)


class Watched:
    """A wait that looks at the folder instead of sleeping."""

    def __init__(self, folder):
        self.folder = folder
        self.seen = []

    def __call__(self, seconds):
        assert seconds > 0
        self.seen.append({path.name: path.stat().st_size for path in self.folder.iterdir()})


@pytest.mark.parametrize("habit", sorted(HABITS))
def test_every_habit_ends_with_every_file_whole(habit, shot, tmp_path):
    HABITS[habit](shot, tmp_path, Watched(tmp_path))
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sidecar = shot.rewritten if habit == "rewrite" else shot.sidecar
    assert left == {file.name: file.data for file in (*shot.pictures, sidecar)}


def test_an_atomic_writer_never_shows_half_a_file(shot, tmp_path):
    HABITS["atomic"](shot, tmp_path, Watched(tmp_path))
    names = {file.name for file in (*shot.pictures, shot.sidecar)}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_slow_writer_lets_files_grow_in_place_and_the_side_car_comes_in_between(shot, tmp_path):
    wait = Watched(tmp_path)
    HABITS["slow"](shot, tmp_path, wait)
    first, last = shot.pictures[0].name, shot.pictures[-1].name
    sizes = [seen.get(first, 0) for seen in wait.seen]
    assert sizes == sorted(sizes)
    assert len({size for size in sizes if 0 < size}) >= 4
    assert any(shot.sidecar.name in seen and last not in seen for seen in wait.seen)


def test_the_side_car_comes_last_when_that_is_the_habit(shot, tmp_path):
    wait = Watched(tmp_path)
    HABITS["sidecar-last"](shot, tmp_path, wait)
    assert wait.seen == [{file.name: len(file.data) for file in shot.pictures}]


def test_a_side_car_is_written_again_after_all_was_there(shot, tmp_path):
    wait = Watched(tmp_path)
    HABITS["rewrite"](shot, tmp_path, wait)
    assert wait.seen == [{file.name: len(file.data) for file in (*shot.pictures, shot.sidecar)}]
    assert (tmp_path / shot.sidecar.name).read_bytes() == shot.rewritten.data


@pytest.mark.parametrize("profile", ["sim-cargo", "sim-parcel", "sim-parcel-colour", "sim-vehicle", "smiths-dataform"])
def test_the_command_writes_scans_that_the_shipped_profile_knows(profile, tmp_path):
    out, truth = tmp_path / "watched", tmp_path / "truth.jsonl"
    arguments = ["sim", "--out", str(out), "--profile", profile, "--scans", "2", "--interval", "0", "--seed", "7", "--truth", str(truth)]
    assert main(arguments) == 0
    rules = load_profile(PROFILES / f"{profile}.toml")
    told = [json.loads(line) for line in truth.read_text().splitlines()]
    keys = set()
    for path in out.iterdir():
        matches = [match for member in rules.members if (match := re.fullmatch(member.pattern, path.name))]
        assert matches, f"no member rule knows {path.name}"
        keys.add(matches[0]["key"])
    assert keys == {one["key"] for one in told}
    for path in (*out.glob("*.json"), *out.glob("*.xml")):
        sidecar = read_sidecar(path.read_bytes(), rules)
        assert sidecar.resources
        assert all((out / name).exists() for name in sidecar.resources)
        assert sidecar.kind is not None
        assert sidecar.kind != "live"


def test_the_same_seed_and_start_give_the_same_files(tmp_path):
    digests = []
    for name in ("one", "two"):
        out = tmp_path / name
        options = ["--scans", "2", "--interval", "0.01", "--seed", "9", "--start", "2026-03-04T05:06:07+00:00", "--profile", "sim-parcel"]
        assert main(["sim", "--out", str(out), *options]) == 0
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())})
    assert digests[0] == digests[1]
    assert len(digests[0]) == 6


def test_a_scenario_writes_the_load_with_and_without_its_concealed_goods(tmp_path):
    told = {}
    for share in ("1", "0"):
        truth = tmp_path / f"truth-{share}.jsonl"
        options = ["--scenario", "cigarettes", "--scans", "1", "--threat-share", share, "--truth", str(truth)]
        assert main(["sim", "--out", str(tmp_path / share), *options]) == 0
        told[share] = json.loads(truth.read_text())
    assert [found["label"] for found in told["1"]["hidden"]] == ["goods.cigarettes"]
    assert told["0"]["hidden"] == []
    assert told["0"]["declared"] == told["1"]["declared"] == ["3307"]


def test_a_parcel_scanner_is_not_asked_for_a_scenario(tmp_path, capsys):
    assert main(["sim", "--out", str(tmp_path / "out"), "--profile", "sim-parcel", "--scenario", "cosmetics"]) == 78
    assert "sim-parcel" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_truth_must_not_lie_among_the_scans(tmp_path, capsys):
    assert main(["sim", "--out", str(tmp_path), "--truth", str(tmp_path / "truth.jsonl")]) == 78
    assert "config-invalid" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["sim", "--out", str(tmp_path / "file" / "scans"), "--scans", "1"]) == 78
    assert "file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--scans", "0"],
        ["--interval", "-1"],
        ["--threat-share", "1.5"],
        ["--seed", "-1"],
        ["--start", "2026-03-04T05:06:07"],
        ["--habit", "x"],
        ["--profile", "x"],
        ["--scenario", "x"],
    ],
)
def test_nonsense_is_a_usage_error(options, tmp_path, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["sim", "--out", str(tmp_path / "out"), *options])
    assert refused.value.code == 2
    assert options[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
