"""The client library lives on the base package alone: a wheel in a new environment, and a console of ten lines in it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.testing.factories import a_scan_id, an_assessment
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.transport.keys import new_key_pair

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "tifffile", "imagecodecs", "watchdog", "pillow"}


def pip(python, *words):
    quiet = ("-m", "pip", "--disable-pip-version-check", "--retries", "1", "--timeout", "15")
    return subprocess.run((str(python), *quiet, *words), capture_output=True, text=True, check=False, timeout=400, cwd=ROOT)


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory):
    """The interpreter of an environment that holds the wheel and its base dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    built = pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr[-300:]}")
    subprocess.run((sys.executable, "-m", "venv", str(folder / "venv")), check=True, timeout=400)
    python = folder / "venv/bin/python"
    (wheel,) = folder.glob("edge_agent-*.whl")
    done = pip(python, "install", str(wheel))
    if done.returncode:
        pytest.skip(f"pip has no packages here: {done.stderr[-300:]}")
    return python


async def told(process, text):
    """The next line of a process that holds ``text``."""
    async with asyncio.timeout(60):
        while text not in (line := await process.stdout.readline()):
            assert line, "the console ended"
    return line


@pytest.mark.system
@pytest.mark.timeout(1500)
def test_the_wheel_brings_no_heavy_package(clean_python):
    installed = {one["name"].lower() for one in json.loads(pip(clean_python, "list", "--format", "json").stdout)}
    assert "pyzmq" in installed
    assert set() == installed & HEAVY


@pytest.mark.system
@pytest.mark.timeout(1500)
def test_the_terminal_console_and_the_key_commands_start_there(clean_python):
    for words in (("watch", "--help"), ("keys", "--help"), ("collect", "--help")):
        done = subprocess.run((clean_python, "-I", "-m", "edge_agent", *words), capture_output=True, text=True, check=False, timeout=200)
        assert (0, "") == (done.returncode, done.stderr), words


@pytest.mark.system
@pytest.mark.timeout(1500)
def test_ten_lines_make_a_console_there(clean_python, tmp_path):
    async def law():
        keys = Keyring(*(new_key_pair(name, tmp_path / "keys") for name in ("site", "console-1", "hq", "stranger")))
        async with loopback_site(tmp_path, Setting(keys)) as site:
            await site.add(an_assessment(a_scan_id("a"), conclusion="alert"))
            files = [str(tmp_path / "keys" / name) for name in ("site.key", "console-1.key_secret")]
            words = (str(clean_python), "-I", str(ROOT / "examples/console.py"), site.sync, *files)
            process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, cwd=tmp_path)
            try:
                await told(process, b"conclusion='alert'")
                await told(process, b"live LinkState")
                await site.add(an_assessment(a_scan_id("b"), conclusion="no-alert"))
                assert b"live SeenFact" in await told(process, b"conclusion='no-alert'")
            finally:
                process.kill()
                await process.wait()

    asyncio.run(law())


def test_the_example_has_ten_lines_that_do_something():
    code = (ROOT / "examples/console.py").read_text().split('"""', 2)[2]
    lines = [line for line in code.splitlines() if line.strip() and not line.strip().startswith('"""')]
    assert len(lines) <= 10
    page = (ROOT / "docs/how-to/build-your-own-console.md").read_text()
    assert all(line in page for line in lines)
