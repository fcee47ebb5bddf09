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


def main() -> None:
    """Fuzz until the time is up; ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long (default: 300)")
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
            "max_len": targets.MAX_BYTES,
            "timeout": 10,
            "rss_limit_mb": 2048,
            "seed": args.seed,
            "artifact_prefix": f"{args.found}/",
            "print_final_stats": 1,
        }
        atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(kept)], targets.one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
