"""The daemon with armed fault points: ``python -m benchmarks.storm_daemon --config FILE [--trap POINT:DEED[:NTH[:SCAN]]]...``.

It is ``edge-agent run``, exit codes and all, with another ``FaultPoint`` passed in; ``edge-agent`` itself has no switch for this.
``--sore-decoder`` starts decode children that die or hang on marked pictures (``benchmarks.sore_decoder``).
"""

import argparse
import resource
import sys
from functools import partial
from pathlib import Path

_CHILD = """#!{python}
import sys
from benchmarks.sore_decoder import main
sys.exit(main(sys.argv[-2:]))
"""


def main() -> int:
    """Run the daemon to its end, whichever that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.add_argument("--trap", action="append", default=[], metavar="POINT:DEED[:NTH[:SCAN]]", help="kill, crash, hang or raise there")
    parser.add_argument("--sore-decoder", action="store_true", help="decode children that die or hang on marked pictures")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # as LimitCORE=0 in the unit
    if args.sore_decoder:  # before anything is imported that keeps the interpreter's name
        sys.executable = str(_child_script(args.config.parent))
    from edge_agent.agent.build import run_agent
    from edge_agent.cli import run
    from edge_agent.cli.main import main as command_line
    from edge_agent.testing.faults import Armed, Trap

    armed = Armed([Trap.read(text) for text in args.trap])
    run.run_agent = partial(run_agent, faults=armed)  # type: ignore[assignment]  # all the rest is the command's own
    return command_line(["run", "--config", str(args.config)])


def _child_script(folder: Path) -> Path:
    script = folder / "sore-decoder"
    script.write_text(_CHILD.format(python=sys.executable))
    script.chmod(0o700)
    return script


if __name__ == "__main__":
    sys.exit(main())
