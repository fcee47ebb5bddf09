"""What headquarters and a console import stays light, and importing the package costs nothing."""

import json
import subprocess
import sys

import pytest

HEAVY = ("numpy", "cv2", "onnxruntime", "watchdog", "PIL", "tifffile", "imagecodecs")


WEB = ("fastapi", "starlette", "uvicorn", "argon2")
"""The extra ``console``: who collects, reports or watches in a terminal does without."""


def loaded_by(module: str) -> set[str]:
    """Names of all modules that importing ``module`` adds in a fresh interpreter."""
    program = f"import json, sys; before = set(sys.modules); import {module}; print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=150)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded_by("edge_agent") == {"edge_agent"}


@pytest.mark.parametrize(
    "module",
    [
        "edge_agent.cli.main",
        "edge_agent.collector.serve",
        "edge_agent.collector.archive.store",
        "edge_agent.console.client",
        "edge_agent.console.terminal",
        "edge_agent.wire.verbs",
        "edge_agent.cli.watch",
        "edge_agent.cli.collect",
        "edge_agent.cli.report",
        "edge_agent.cli.keys",
        "edge_agent.cli.tokens",
        "edge_agent.collector.api",
    ],
)
def test_headquarters_and_console_load_no_pixels_and_no_models(module: str) -> None:
    assert sorted({*HEAVY, *WEB} & loaded_by(module)) == []


def test_the_command_line_loads_a_command_only_when_it_is_asked_for() -> None:
    loaded = {name for name in loaded_by("edge_agent.cli.main") if name.startswith("edge_agent.")}
    assert {name for name in loaded if not name.startswith("edge_agent.errors.")} == {
        "edge_agent.cli",
        "edge_agent.cli.main",
        "edge_agent.errors",
    }


def test_the_runtime_never_loads_what_belongs_to_tests_or_training() -> None:
    assert {
        name for name in loaded_by("edge_agent.cli.run") if name.startswith(("edge_agent.testing", "edge_agent.sim", "torch", "onnx."))
    } == set()
