"""Whoever asks a command of training/ or benchmarks/ for help is told what each option is for."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(
    path for folder in ("training", "benchmarks") for path in (ROOT / folder).glob("*.py") if "add_argument(" in path.read_text()
)


def silent(source: str) -> list[str]:
    """Options and operands that are added without help, by what stands between the brackets first."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    added = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"]
    return [ast.unparse(call.args[0]) for call in added if not any(keyword.arg == "help" for keyword in call.keywords)]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_option_says_what_it_is_for(path: Path) -> None:
    assert silent(path.read_text()) == []


def test_an_option_without_help_is_seen() -> None:
    assert silent('parser.add_argument("--out", type=Path)\nparser.add_argument("--seed", help="of chance")') == ["'--out'"]
