"""``edge-agent check``: each thing that would stop the daemon is found without starting it, and none hides another."""

import json
import shlex
from pathlib import Path

import pytest

from benchmarks.small_site import SmallSite
from edge_agent.agent.check import find_problems
from edge_agent.cli.main import main
from edge_agent.inference.bundle import sign_bundle
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.bundles import TEST_KEY, write_detection_bundle
from edge_agent.testing.clock import ManualClock

UNIT = Path(__file__).resolve().parents[2] / "systemd/edge-agent.service"


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


def service_check(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run what the unit runs before each start; give its exit code and what it shows."""
    (line,) = [line for line in UNIT.read_text().splitlines() if line.startswith("ExecStartPre=")]
    command, *arguments = shlex.split(line.partition("=")[2])
    assert command == "/usr/bin/edge-agent"
    capsys.readouterr()
    code = main([argument.replace("/etc/edge-agent/agent.toml", str(small.site.agent_toml)) for argument in arguments])
    return code, capsys.readouterr().out


def activate(small: SmallSite, folder: Path) -> None:
    assert main(["bundle", "activate", str(folder), "--config", str(small.site.agent_toml)]) == 0


def damage(root: Path) -> None:
    for found in root.rglob("model.onnx"):
        found.write_bytes(b"damaged")


def test_the_service_starts_over_a_damaged_active_set_while_there_is_one_to_fall_back_to(
    small: SmallSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    activate(small, write_detection_bundle(tmp_path / "incoming", version="2.0.0"))
    damage(small.site.state_dir / "bundles/sets")
    code, shown = service_check(small, capsys)
    assert code == 0
    assert "model.onnx was altered" in shown
    assert "starts with it all the same" in shown
    damage(small.site.folder / "bundles")
    assert service_check(small, capsys)[0] == 78


def test_the_service_starts_with_the_installed_bundles_where_no_activated_set_is_trusted_any_more(
    small: SmallSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("2.0.0", "3.0.0"):
        activate(small, write_detection_bundle(tmp_path / "incoming", version=version))
    newer = SigningKey.new("newer")
    sign_bundle(small.site.folder / "bundles/bright/1.0.0", newer)
    edit(small, TEST_KEY.public.text, newer.public.text)
    code, shown = service_check(small, capsys)
    assert code == 0
    assert "bundle-untrusted" in shown


def test_the_service_starts_where_nobody_can_tell_what_was_active(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    (small.site.state_dir / "bundles").mkdir(parents=True)
    (small.site.state_dir / "bundles/state.json").write_text("{")
    code, shown = service_check(small, capsys)
    assert code == 0
    assert "state.json cannot be read" in shown


def test_a_key_that_the_daemon_cannot_do_without_stops_the_service(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    (small.site.folder / "keys/site.key_secret").unlink()
    assert service_check(small, capsys)[0] == 78


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
    (small.site.folder / "keys/site.key_secret").unlink()
    assert main(["check", "--config", str(small.site.agent_toml), "--json"]) == 78
    (problem,) = json.loads(capsys.readouterr().out)
    assert {"code", "detail", "hint", "stops"} == set(problem)
    assert problem["stops"]


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(tmp_path / "agent.toml")]) == 78
    shown = capsys.readouterr().out
    assert "config-unreadable" in shown
    assert shown.endswith("1 problem\n")
