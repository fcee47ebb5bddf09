"""The reference pages say what the code says: every command and option, every key with its default, every log event.

A row that is missing is printed as it must stand on the page.
"""

import argparse
import ast
import dataclasses
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge_agent.agent.sections import AgentSections
from edge_agent.analysis.policy import OBSTACLES, SubjectPolicy
from edge_agent.cli.main import COMMANDS
from edge_agent.collector.config import CollectorConfig
from edge_agent.console.web_config import WebConsoleConfig
from edge_agent.telemetry import events

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


# ------------------------------------------------------------------------------------------------------------------- commands


def parser_of(command: str) -> argparse.ArgumentParser:
    subparsers = argparse.ArgumentParser(prog="edge-agent").add_subparsers()
    importlib.import_module(f"edge_agent.cli.{command}").register(subparsers)
    return subparsers.choices[command]


def leaves(command: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The command itself, or its actions where it has some."""
    parser = parser_of(command)
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield command, parser
    for group in groups:
        yield from ((f"{command} {name}", leaf) for name, leaf in group.choices.items())


def option_row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """One option as a row of a table: how it is written, and its help."""
    takes_value = action.nargs != 0
    choices = "{" + ",".join(str(choice) for choice in action.choices) + "}" if action.choices else ""
    value = action.metavar or choices or action.dest.upper()
    written = ", ".join(action.option_strings) + (f" {value}" if takes_value else "") if action.option_strings else str(value)
    words = parser._get_formatter()._expand_help(action) if action.help else ""
    return "| `{}` | {} |".format(*(text.strip().replace("|", r"\|") for text in (written, words)))


COMMAND_ROWS = [
    (name, option_row(parser, action))
    for command in COMMANDS
    for name, parser in leaves(command)
    for action in parser._actions
    if not isinstance(action, argparse._HelpAction)
]


def section(text: str, heading: str) -> str:
    """What stands under ``## heading``."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading: ## {heading}"
    return found[1]


@pytest.mark.parametrize(("command", "row"), COMMAND_ROWS, ids=lambda value: value[:40])
def test_every_option_of_every_command_is_documented_word_for_word(command: str, row: str) -> None:
    assert row in section(page("commands.md"), command).splitlines()


def test_the_page_documents_no_option_that_is_gone() -> None:
    expected = {row for _, row in COMMAND_ROWS}
    assert [row for row in page("commands.md").splitlines() if row.startswith("| `-") and row not in expected] == []


def test_the_page_documents_no_command_that_is_gone() -> None:
    expected = [name for command in COMMANDS for name, _ in leaves(command)]
    assert expected == [name for name in re.findall(r"^## (.+)$", page("commands.md"), re.MULTILINE) if name != "Exit codes"]


# -------------------------------------------------------------------------------------------------------------- configuration


def sub_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model behind a field, through optional and tuple."""

    def search(kind: Any) -> type[BaseModel] | None:
        if inspect.isclass(kind) and not get_args(kind) and issubclass(kind, BaseModel):
            return kind
        if get_origin(kind) in (tuple, UnionType, Annotated) or get_args(kind):
            return next((found for part in get_args(kind) if (found := search(part))), None)
        return None

    return search(field.annotation)


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "none"
    value = value.value if isinstance(value, Enum) else value
    value = json.dumps(sorted(value)) if isinstance(value, frozenset) else value
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


BY_THE_LOADER = {"policy": "policy.toml", "profiles": "scanners"}  # required in the model, filled in when the file does not name them


def key_rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The first two cells of every key's row."""
    for name, field in model.model_fields.items():
        inner = sub_model(field)
        if inner is not None:
            yield from key_rows(inner, f"{prefix}{name}.")
        else:
            default = f"`{BY_THE_LOADER[name]}`" if not prefix and name in BY_THE_LOADER else default_of(field)
            yield f"| `{prefix}{name}` | {default} |"


KEY_ROWS = [("agent.toml", row) for row in key_rows(AgentSections)] + [("collector.toml", row) for row in key_rows(CollectorConfig)]
KEY_ROWS += [("console.toml", row) for row in key_rows(WebConsoleConfig)]


@pytest.mark.parametrize(("file", "row"), KEY_ROWS, ids=lambda value: value[:60])
def test_every_configuration_key_is_documented_with_its_default(file: str, row: str) -> None:
    assert [line for line in section(page("configuration.md"), file).splitlines() if line.startswith(row) and len(line) > len(row) + 5]


def test_the_page_documents_no_key_that_is_gone() -> None:
    expected = {row.split("`")[1] for _, row in KEY_ROWS}
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", page("configuration.md"), re.MULTILINE))
    assert documented == expected


def test_every_policy_key_and_obstacle_is_documented() -> None:
    text = page("policy.md")
    keys = ["labels.<label>" if name == "labels" else name for name in SubjectPolicy.model_fields]
    assert [key for key in keys if f"| `{key}` |" not in text] == []
    assert [code for code in OBSTACLES if f"| `{code}` |" not in text] == []


# --------------------------------------------------------------------------------------------------------------------- events


def fields_of(function: ast.FunctionDef) -> list[str]:
    """Names of what an event carries, from the calls that build its line."""
    found: list[str] = []
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("bind", "info", "warning", "error"):
            for keyword in call.keywords:
                found += [keyword.arg] if keyword.arg else [field.name for field in dataclasses.fields(events.AssessedLine)]
    order = [argument.arg for argument in function.args.args]
    return sorted(set(found), key=lambda name: (order.index(name) if name in order else len(order), found.index(name)))


def event_rows() -> Iterator[str]:
    for function in ast.parse(Path(events.__file__).read_text("utf-8")).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        for call in calls:
            if call.func.attr in ("info", "warning", "error"):
                meaning = " ".join((ast.get_docstring(function) or "").replace("``", "`").split())
                carried = ", ".join(f"`{name}`" for name in fields_of(function))
                yield f"| `{call.args[0].value}` | {call.func.attr} | {carried} | {meaning} |"


EVENT_ROWS = list(event_rows())


@pytest.mark.parametrize("row", EVENT_ROWS, ids=lambda row: row.split("`")[1])
def test_every_log_event_is_documented_word_for_word(row: str) -> None:
    assert row in page("events.md").splitlines()


def test_the_page_documents_no_event_that_is_gone() -> None:
    documented = [line for line in page("events.md").splitlines() if line.startswith("| `")]
    assert sorted(documented) == sorted(EVENT_ROWS)


def test_an_event_is_named_like_its_function() -> None:
    functions = [node.name for node in ast.parse(Path(events.__file__).read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    assert functions == [row.split("`")[1] for row in EVENT_ROWS]
