"""Coverage-guided fuzzing of every parser: ``python -m tests.hostile.fuzz --seconds 300 --found DIR``.

Our own parsers are instrumented; the fuzzer keeps each input that reaches a new branch. An input that breaks the law of
``targets.one_input``, hangs or eats memory ends the run with a non-zero code and is written to DIR. Put it into
``tests/hostile/findings`` when the fault is mended: it is replayed for ever.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_agent.formats", "edge_agent.domain", "edge_agent.wire"]):
    from tests.hostile import targets

MOST_BYTES = 256 << 20
"""What one input may add to the memory that the process ever held: the pictures are of 65,536 pixels at most."""


class OneInput:
    """The law of ``targets.one_input``, and that no input eats memory.

    The fuzzer's own limit does not say which input it was, and counts what the process that started this one once held: the kernel
    hands ``ru_maxrss`` on through ``exec``. ``VmHWM`` is our own.
    """

    def __init__(self) -> None:
        self._peak = peak_bytes()

    def __call__(self, data: bytes) -> None:
        targets.one_input(data)
        before, self._peak = self._peak, peak_bytes()
        assert self._peak - before < MOST_BYTES, f"{(self._peak - before) >> 20} MiB for {len(data)} bytes"


def peak_bytes() -> int:
    """The most memory that this process ever held, proc_pid_status(5)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Fuzz until the time is up; ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long (default: 300)")
    parser.add_argument("--runs", type=int, default=-1, help="end after so many inputs (default: no end but the time)")
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"), help="folder for what breaks a law (default: fuzz-found)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0 = another one each time")
    args = parser.parse_args()
    args.found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as folder:
        kept = Path(folder) / "kept"
        kept.mkdir()
        for name, data in targets.seeds(Path(folder)).items():
            (kept / name).write_bytes(data)
        options = {
            "max_total_time": args.seconds,
            "runs": args.runs,
            "max_len": targets.MAX_BYTES,
            "timeout": 60,
            "rss_limit_mb": 0,
            "seed": args.seed,
            "artifact_prefix": f"{args.found}/",
            "print_final_stats": 1,
        }
        atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(kept)], OneInput())
        atheris.Fuzz()


if __name__ == "__main__":
    main()
