"""The shape of the package: what is always wrong fails, what is merely large is listed as a warning."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "edge_agent"
MODULE_LINES, CLASS_LINES, FUNCTION_LINES = 400, 250, 50
BANNED_MODULES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
BROAD_HANDLERS = {
    ("formats/child_main.py", "_answer"),  # hostile bytes raise anything, and the next file must be served
    ("transport/desk.py", "_guarded"),  # one bad request must not end the service of all others
    ("console/desk.py", "_take"),  # one fact that our code breaks on must not end the links to all sites
    ("agent/shadow.py", "run"),  # whatever a bundle on trial does to a look must not end the daemon
    ("agent/models_in_force.py", "_shadow"),  # nor, at the start, keep the active ones from working
    ("cli/main.py", "main"),  # the last line before the exit code
}
BANNED_CALLS = {
    "time.time": {"telemetry/clock.py"},
    "datetime.now": {"telemetry/clock.py"},
    "datetime.utcnow": set(),
    "datetime.today": set(),
    "date.today": set(),
    "os.environ": {"cli/run.py"},
    "os.getenv": set(),
    "os.fork": set(),
    "os.system": set(),
    "logging.getLogger": set(),
    "structlog.configure": {"telemetry/setup.py"},
}
BANNED_IMPORTS = {"pickle", "marshal", "shelve", "multiprocessing", "sqlite3", "unittest"}

MODULES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in MODULES.items():
        yield from ((name, node) for node in ast.walk(tree) if isinstance(node, kind))


def dotted(node: ast.AST) -> str:
    """``a.b`` for an attribute of a plain name, else empty."""
    return f"{node.value.id}.{node.attr}" if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""


def handlers() -> Iterator[tuple[str, str, ast.ExceptHandler]]:
    """Every broad handler with its module and the function it stands in."""
    for name, tree in MODULES.items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.ExceptHandler) and is_broad(node):
                        yield name, function.name, node


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = [handler.type, *(handler.type.elts if isinstance(handler.type, ast.Tuple) else ())]
    return handler.type is None or any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in caught)


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether the last thing it does is to raise: cleaning up is no swallowing."""
    return isinstance(handler.body[-1], ast.Raise)


def test_the_package_was_read() -> None:
    assert len(MODULES) > 100


def test_no_module_is_a_dumping_ground() -> None:
    assert [name for name in MODULES if Path(name).stem in BANNED_MODULES] == []


def test_no_function_reaches_for_a_global() -> None:
    assert [name for name, _ in nodes(ast.Global)] == []


def test_broad_handlers_stand_in_the_named_places_only() -> None:
    found = {(name, function) for name, function, handler in handlers() if not raises_again(handler)}
    assert found == BROAD_HANDLERS


@pytest.mark.parametrize("banned", sorted(BANNED_CALLS))
def test_time_environment_and_loggers_are_arguments(banned: str) -> None:
    found = {name for name, node in nodes(ast.Attribute) if dotted(node) == banned}
    assert found <= BANNED_CALLS[banned]


def test_nothing_pickles_forks_or_mocks() -> None:
    found = {
        (name, alias.name) for name, node in nodes(ast.Import) for alias in node.names if alias.name.partition(".")[0] in BANNED_IMPORTS
    }
    found |= {(name, node.module) for name, node in nodes(ast.ImportFrom) if (node.module or "").partition(".")[0] in BANNED_IMPORTS}
    assert found == set()


def test_a_package_file_holds_no_code() -> None:
    """``__init__.py`` is a sentence and, at the top, the version; importing a package must cost nothing.

    The error tree is the one exception: its modules import nothing, and people look for an error by one name.
    """
    heavy = []
    for name, tree in MODULES.items():
        if name.endswith("__init__.py") and not name.startswith("errors/"):
            heavy += [name for node in tree.body if not isinstance(node, ast.Expr | ast.Assign)]
    assert heavy == []


def test_no_signature_tunnels_keywords() -> None:
    """``**kwargs`` passes on what ``ParamSpec`` types; the one other place replaces fields of its own state."""
    found = set()
    for name, node in (*nodes(ast.FunctionDef), *nodes(ast.AsyncFunctionDef)):
        hint = node.args.kwarg and node.args.kwarg.annotation
        if node.args.kwarg and not (isinstance(hint, ast.Attribute) and hint.attr == "kwargs"):
            found.add((name, node.name))
    assert {("collector/puller.py", "_say")} == {(name, function) for name, function in found if not name.startswith("testing/")}


@pytest.mark.filterwarnings("default")
def test_what_is_larger_than_the_budgets_is_listed() -> None:
    """Budgets are a compass: this warns and never fails."""
    large = [
        f"{name}: {count} lines" for name in MODULES if (count := len((PACKAGE / name).read_text("utf-8").splitlines())) > MODULE_LINES
    ]
    for kind, budget in ((ast.ClassDef, CLASS_LINES), (ast.FunctionDef, FUNCTION_LINES), (ast.AsyncFunctionDef, FUNCTION_LINES)):
        for name, node in nodes(kind):
            count = node.end_lineno - node.lineno + 1
            large += [f"{name}: {node.name}: {count} lines"] if count > budget else []
    for offender in large:
        warnings.warn(f"larger than its budget: {offender}", stacklevel=1)
