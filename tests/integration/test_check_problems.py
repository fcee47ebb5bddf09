"""``edge-agent check``: each thing that would stop the daemon is found without starting it, and none hides another."""

import json
from pathlib import Path

import pytest

from benchmarks.small_site import SmallSite
from edge_agent.agent.check import find_problems
from edge_agent.cli.main import main
from edge_agent.testing.clock import ManualClock


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "site")


def codes(small: SmallSite) -> list[str]:
    return [problem.code for problem in find_problems(small.site.agent_toml, ManualClock())]


def details(small: SmallSite) -> str:
    return "\n".join(problem.detail for problem in find_problems(small.site.agent_toml, ManualClock()))


def edit(small: SmallSite, old: str, new: str) -> None:
    text = small.site.agent_toml.read_text()
    assert old in text
    small.site.agent_toml.write_text(text.replace(old, new, 1))


def model(small: SmallSite) -> Path:
    return next((small.site.folder / "bundles").rglob("model.onnx"))


def test_a_site_that_would_start_has_no_problem(small: SmallSite) -> None:
    assert codes(small) == []
    assert not small.site.state_dir.exists(), "a check changes nothing"


def test_a_scanner_folder_that_is_not_there_is_named(small: SmallSite) -> None:
    small.watched.rmdir()
    assert codes(small) == ["config-invalid"]
    assert str(small.watched) in details(small)


def test_a_secret_key_that_others_can_read_is_named(small: SmallSite) -> None:
    (small.site.folder / "keys/site.key_secret").chmod(0o644)
    assert codes(small) == ["keys-missing"]
    assert "mode 0644" in details(small)


def test_an_altered_model_is_named(small: SmallSite) -> None:
    model(small).write_bytes(model(small).read_bytes() + b"x")
    assert set(codes(small)) == {"bundle-corrupt"}
    assert "model.onnx was altered" in details(small)


def test_a_gpu_that_is_required_and_absent_is_named(small: SmallSite) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is an NVIDIA device here")
    edit(small, 'policy = "cpu"', 'policy = "require-gpu"')
    assert codes(small) == ["device-required"]


def test_an_expired_consumer_is_named(small: SmallSite) -> None:
    edit(small, 'role = "console"', 'role = "console"\nnot_after = 2026-03-02T11:59:59Z')
    assert codes(small) == ["config-invalid"]
    assert "console: not_after has passed" in details(small)


def test_headquarters_to_connect_to_that_nobody_enrolled_is_named(small: SmallSite) -> None:
    text = small.site.agent_toml.read_text()
    small.site.agent_toml.write_text(text + '\n[wire.outbound]\nendpoint = "tcp://hq.example:5580"\nconsumer = "away"\n')
    assert codes(small) == ["config-invalid"]
    assert "no [[consumer]] away" in details(small)


def test_a_broken_declarations_file_is_named_with_its_line(small: SmallSite) -> None:
    goods = small.site.folder / "goods.csv"
    goods.write_text("container,hs,description\nA,beef,0202\n")
    with small.site.agent_toml.open("a") as file:
        file.write(f'[declarations]\nfile = "{goods}"\n')
    assert "goods.csv: line 2" in details(small)


def test_problems_of_different_parts_are_named_together(small: SmallSite) -> None:
    small.watched.rmdir()
    (small.site.folder / "keys/site.key_secret").unlink()
    model(small).unlink()
    assert {"config-invalid", "keys-missing", "bundle-corrupt"} == set(codes(small))


def test_for_machines_the_same_comes_as_json(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    small.watched.rmdir()
    assert main(["check", "--config", str(small.site.agent_toml), "--json"]) == 78
    (problem,) = json.loads(capsys.readouterr().out)
    assert {"code", "detail", "hint"} == set(problem)


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(tmp_path / "agent.toml")]) == 78
    shown = capsys.readouterr().out
    assert "config-unreadable" in shown
    assert shown.endswith("1 problem\n")
