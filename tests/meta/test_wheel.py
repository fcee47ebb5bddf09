"""The wheel holds the package and what belongs beside it, nothing of the workshop, and runs without the checkout."""

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(importlib.util.find_spec("build") is None, reason="the package `build` is not installed"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def shared(names: list[str], folder: str) -> set[str]:
    """Paths below ``share/edge-agent/<folder>/``."""
    marker = f".data/data/share/edge-agent/{folder}/"
    return {name.partition(marker)[2] for name in names if marker in name}


def files_of(folder: str) -> set[str]:
    root = ROOT / folder
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_the_wheel_holds_every_module_of_the_package(names: list[str]) -> None:
    expected = {f"edge_agent/{name}" for name in files_of("edge_agent")}
    assert expected == {name for name in names if name.startswith("edge_agent/")}


@pytest.mark.parametrize("folder", ["config", "systemd", "exported_models"])
def test_the_wheel_brings_what_a_site_needs_beside_the_package(names: list[str], folder: str) -> None:
    assert files_of(folder) == shared(names, folder)


def test_the_wheel_holds_the_default_bundles_and_no_research_bundle(wheel: Path, names: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        cards = [tomllib.loads(archive.read(name).decode()) for name in names if name.endswith("/card.toml")]
    assert {"contents", "detector", "weight"} == {card["name"] for card in cards}
    assert [] == [card["name"] for card in cards if card.get("research_only")]


def test_the_wheel_holds_nothing_of_the_workshop(names: list[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert [top for top in tops if top != "edge_agent" and not top.endswith((".data", ".dist-info"))] == []


def test_the_wheel_carries_its_licence(names: list[str]) -> None:
    assert [name for name in names if name.endswith("LICENSE") and ".dist-info/" in name]


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("keys", "--help"), ("report", "--help")])
def test_the_unpacked_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import sys; sys.path.insert(0, 'site'); import edge_agent; print(edge_agent.__file__); import edge_agent.cli.main as m; m.main()"
    )
    done = subprocess.run(
        (sys.executable, "-c", program, *arguments), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout.splitlines()[0]
