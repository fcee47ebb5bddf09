"""Arguments in, exit code out: what a service manager and a script can rely on."""

import argparse
import importlib
import re
from types import ModuleType

import pytest

from edge_agent import __version__, errors
from edge_agent.cli import main as cli
from edge_agent.cli.main import COMMANDS, exit_code, main
from edge_agent.errors import EdgeAgentError


def tree(root: type[EdgeAgentError] = EdgeAgentError) -> list[type[EdgeAgentError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in tree(child))]


def expected_code(error: type[EdgeAgentError]) -> int:
    if issubclass(error, errors.ConfigError | errors.BundleRejected):
        return 78
    return 70 if issubclass(error, errors.DeviceFailed | errors.LedgerDamaged | errors.LedgerFailed | errors.ArchiveDamaged) else 1


@pytest.mark.parametrize("error", tree(), ids=lambda error: error.code)
def test_every_error_has_its_exit_code(error: type[EdgeAgentError]) -> None:
    assert expected_code(error) == exit_code(error("what happened"))


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):
    """Let the command ``check`` raise what a test gives."""

    def give(problem: BaseException) -> None:
        command = ModuleType("command")

        def fail(_args: argparse.Namespace) -> int:
            raise problem

        command.register = lambda subparsers: subparsers.add_parser("check").set_defaults(run=fail)
        monkeypatch.setattr(cli.importlib, "import_module", lambda _name: command)

    return give


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.ConfigInvalid("site.id is missing"), 78),
        (errors.NotQuarantined("scan x"), 1),
        (errors.LedgerFailed("disk"), 70),
        (RuntimeError("a bug"), 70),
        (ExceptionGroup("loops", [ValueError("a bug in a loop")]), 70),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_whatever_a_command_raises_ends_with_its_code(raising, problem: BaseException, code: int) -> None:
    raising(problem)
    assert code == main(["check"])


def test_an_error_of_ours_is_one_sentence_and_a_hint_without_a_traceback(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(errors.ConfigInvalid("agent.toml: site.id: missing"))
    main(["check"])
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("Traceback")) == ("", 0)
    assert shown.err.startswith("edge-agent: config-invalid: agent.toml: site.id: missing\n  what to do: ")


def test_a_bug_is_shown_whole(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(RuntimeError("lost my way"))
    main(["check"])
    assert "lost my way" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["check"], ["check", "--config"], ["--config", "x", "run"], ["keys"]])
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert (0, f"edge-agent {__version__}\n") == (left.value.code, capsys.readouterr().out)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert [name for name in COMMANDS if not re.search(rf"^    {name}\s", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"edge_agent.cli.{name}")
    assert callable(module.run)
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert f"usage: edge-agent {name}" in capsys.readouterr().out
