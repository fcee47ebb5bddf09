"""Every command in the documentation is run as it stands there, page by page, in one folder, from top to bottom.

A comment above a block says how:

- ``<!-- terminal -->``: in a second terminal, until the page ends; it must not end before by itself with an error.
- ``<!-- exit: 3 -->``: the block ends with this exit code.
- ``<!-- not run: why -->``: it needs root, a GPU, a network or a person. Its ``edge-agent`` commands must still be understood.

Only ports are replaced, by free ones, so that a site on this machine is left alone.
"""

import re
import shlex
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.site import free_port
from edge_agent.cli.main import COMMANDS, _parser
from edge_agent.ledger.reader import LedgerReader

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:^<!-- (?P<how>[^\n]*) -->\n)?^```sh\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "exported_models/README.md"])
PRELUDE = """set -euo pipefail
pids=()
finish() {
    code=$?
    for pid in "${pids[@]}"; do
        if ! kill -TERM "$pid" 2>/dev/null; then
            wait "$pid" || { echo "the second terminal ended by itself: exit code $?" >&2; code=99; }
        fi
    done
    for pid in "${pids[@]}"; do wait "$pid" || true; done
    exit "$code"
}
trap finish EXIT
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page and how it is to be run."""

    text: str
    how: str

    @property
    def is_run(self) -> bool:
        return not self.how.startswith("not run: ")

    def script(self, number: int) -> str:
        """What a shell does for this block."""
        banner = f"echo '--- block {number}'\n"
        if self.how == "terminal":
            return f"{banner}( exec {self.text.strip()} ) > terminal-{number}.log 2>&1 &\npids+=($!)\n"
        if self.how.startswith("exit: "):
            return f"{banner}code=0\n(\n{self.text}) || code=$?\ntest $code -eq {int(self.how.removeprefix('exit: '))}\n"
        return banner + self.text


def blocks(document: Path) -> list[Block]:
    return [Block(found["text"], (found["how"] or "").strip()) for found in BLOCK.finditer(document.read_text("utf-8"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


RUN = [document for document in DOCUMENTS if any(block.is_run for block in blocks(document))]
COMMAND_LINES = [
    pytest.param(line, id=f"{name(document)}: {line[:70]}")
    for document in DOCUMENTS
    for block in blocks(document)
    for line in re.findall(r"^(?:sudo (?:-u \S+ )?)?(edge-agent .+)$", block.text.replace("\\\n", " "), re.MULTILINE)
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_block_says_how_it_is_run_in_words_that_exist(document: Path) -> None:
    known = re.compile(r"|terminal|exit: \d+|not run: .{10,}")
    assert [block.how for block in blocks(document) if not known.fullmatch(block.how)] == []


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_line_is_one_that_the_program_understands(line: str) -> None:
    words = shlex.split(line.partition(" || ")[0], comments=True)[1:]
    words = words[: words.index(">")] if ">" in words else words
    if words in (["--version"], ["--help"]):
        return
    assert words[0] in COMMANDS
    assert callable(_parser(words).parse_args(words).run)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("document", RUN, ids=name)
def test_a_page_works_from_top_to_bottom(document: Path, tmp_path: Path) -> None:
    for shipped in ("config", "examples", "exported_models"):
        (tmp_path / shipped).symlink_to(ROOT / shipped)
    here = f'export PATH="{Path(sys.executable).parent}:$PATH" OPENBLAS_NUM_THREADS=1\n'
    script = here + PRELUDE + "".join(block.script(number) for number, block in enumerate(blocks(document), start=1) if block.is_run)
    live, sync, pictures = free_port(), free_port(), free_port()
    if "blob_port" not in script:
        script = script.replace("sync_port = 5571", f"sync_port = 5571\nblob_port = {pictures}")
    (tmp_path / "page.sh").write_text(script.replace("5570", str(live)).replace("5571", str(sync)))
    done = subprocess.run(
        ("bash", "page.sh"),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=1100,
    )
    logs = "".join(f"\n{log.name}:\n{log.read_text(errors='replace')[-3000:]}" for log in sorted(tmp_path.glob("terminal-*.log")))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}{logs}"
    for ledger in tmp_path.glob("*/state/ledger.db"):
        with closing(LedgerReader.open(ledger)) as reader:
            counts = reader.counts()
            assert reader.verify() is None
        assert counts.assessed >= 3, logs
        assert counts.accepted == counts.assessed + counts.set_aside + counts.in_flight
