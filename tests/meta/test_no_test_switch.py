"""Nothing that is shipped can arm a fault point: only the launcher of a test passes one in."""

import ast
from pathlib import Path

import pytest

from edge_agent.agent.ports import Point

PACKAGE = Path(__file__).parents[2] / "edge_agent"
SHIPPED = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py")) if not path.is_relative_to(PACKAGE / "testing")}
ARMING = {"FaultPoint", "Armed", "Trap", "Deed", "Point", "UNARMED", "faults", "make_lane"}


def names(tree: ast.Module) -> set[str]:
    """Give every name that a module uses, takes, passes by keyword or imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.alias(name=name):
                found.add(name)
    return found


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_no_command_knows_a_fault_point(path: Path) -> None:
    assert set() == ARMING & names(SHIPPED[path])


def test_no_shipped_module_imports_what_belongs_to_tests() -> None:
    imports = [(path, node) for path, tree in SHIPPED.items() for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert len(imports) > 500
    assert [] == [path.name for path, node in imports if (node.module or "").startswith(("edge_agent.testing", "tests", "benchmarks"))]


def test_only_the_unarmed_fault_point_is_shipped() -> None:
    """Whatever has a method ``reached`` could be passed to ``run_agent``."""
    classes = [node for tree in SHIPPED.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    able = {one.name: one for one in classes for part in one.body if isinstance(part, ast.FunctionDef) and part.name == "reached"}
    assert {"FaultPoint", "Unarmed"} == able.keys()
    (method,) = (part for part in able["Unarmed"].body if isinstance(part, ast.FunctionDef))
    assert all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in method.body), "a docstring, nothing else"


def test_every_point_is_reached_somewhere_in_the_agent() -> None:
    text = "".join(path.read_text() for path in (PACKAGE / "agent").glob("*.py"))
    assert [] == [point.name for point in Point if f"Point.{point.name}" not in text]
