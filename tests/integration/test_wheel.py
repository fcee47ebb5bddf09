"""What is installed on a workstation: the code, the default bundles, configuration and units, and nothing that may not leave here."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

pytest.importorskip("build", reason="needs the development environment (requirements/dev.txt)")
ROOT = Path(__file__).resolve().parents[2]
SHARED = "share/edge-agent/"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = out.glob("edge_agent-*.whl")
    return zipfile.ZipFile(made)


def shared(wheel: zipfile.ZipFile) -> dict[str, str]:
    """Names below the shared folder, and the whole names."""
    return {name.partition(SHARED)[2]: name for name in wheel.namelist() if SHARED in name}


def test_it_holds_the_default_bundles_and_no_research_bundle(wheel: zipfile.ZipFile) -> None:
    cards = {name: tomllib.loads(wheel.read(whole).decode()) for name, whole in shared(wheel).items() if name.endswith("/card.toml")}
    assert {"contents", "detector", "weight"} == {PurePosixPath(name).parts[1] for name in cards}
    assert [] == [name for name, card in cards.items() if card.get("research_only")]


def test_it_holds_what_the_service_is_set_up_from(wheel: zipfile.ZipFile) -> None:
    names = set(shared(wheel))
    assert {"config/agent.example.toml", "config/policy.example.toml", "systemd/edge-agent.service"} <= names
    assert any(name.startswith("config/scanners/") for name in names)


def test_it_holds_no_training_no_tests_and_no_keys(wheel: zipfile.ZipFile) -> None:
    tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    assert {"edge_agent"} == {top for top in tops if not top.startswith("edge_agent-")}
    assert [] == [name for name in wheel.namelist() if name.endswith(("_secret", ".key"))]
