"""The daemon, armed: ``python -m benchmarks.armed_daemon --config FILE`` and what shall go wrong in it.

It is ``edge-agent run``, exit codes and all, with other lanes and another ``FaultPoint`` passed in; ``edge-agent`` itself has no switch
for this. ``--trap`` springs at a fault point; ``--hang``, ``--lie``, ``--break-device`` and ``--freeze-decoders`` last while the file
that ``--when`` names is there (``benchmarks.misbehaviour``); ``--sore-decoder`` starts decode children that die or hang on marked
pictures (``benchmarks.sore_decoder``).
"""

import argparse
import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_CHILD = """#!{python}
import sys
sys.path.insert(0, {root!r})
from benchmarks.sore_decoder import main
sys.exit(main(sys.argv[-2:]))
"""


def main() -> int:
    """Run the daemon to its end, whichever that is."""
    args = _arguments()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # as LimitCORE=0 in the unit
    if args.sore_decoder:  # before anything is imported that keeps the interpreter's name
        sys.executable = str(_child_script(args.config.parent))
    from benchmarks.misbehaviour import DeviceBreaks, FrozenDecoders, lane_maker
    from edge_agent.agent.build import run_agent
    from edge_agent.cli import run
    from edge_agent.cli.main import main as command_line
    from edge_agent.testing.faults import Armed, Trap

    points = {"device": DeviceBreaks, "decoders": FrozenDecoders}
    faults = points[args.faults](args.when) if args.faults else Armed([Trap.read(text) for text in args.trap])
    make_lane = lane_maker(args.when, hang=args.hang, lie=args.lie)
    armed = partial(run_agent, faults=faults, make_lane=make_lane, upkeep_after_s=args.upkeep_after)
    run.run_agent = armed  # type: ignore[assignment]  # all the rest is the command's own
    return command_line(["run", "--config", str(args.config)])


def traps_of(traps: Sequence[object]) -> list[str]:
    """Give the options that set ``traps``."""
    return [word for trap in traps for word in ("--trap", str(trap))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.add_argument("--trap", action="append", default=[], metavar="POINT:DEED[:NTH[:SCAN]]", help="kill, crash, hang or raise there")
    parser.add_argument("--sore-decoder", action="store_true", help="decode children that die or hang on marked pictures")
    parser.add_argument("--when", type=Path, metavar="FILE", help="the rest goes wrong while this file is there")
    parser.add_argument("--hang", metavar="LANE", help="work on this lane does not come back")
    parser.add_argument("--lie", metavar="LANE", help="this lane sees nothing in any tile")
    parser.add_argument("--break-device", dest="faults", action="store_const", const="device", help="the device is lost at each scan")
    parser.add_argument("--freeze-decoders", dest="faults", action="store_const", const="decoders", help="decode children stop, once")
    parser.add_argument("--upkeep-after", type=float, default=600.0, metavar="S", help="first sweep and check of the ledger (default 600)")
    args = parser.parse_args()
    if args.when is None and (args.hang or args.lie or args.faults):
        parser.error("--when is missing")
    if args.trap and args.faults:
        parser.error("--trap goes with neither --break-device nor --freeze-decoders")
    return args


def _child_script(folder: Path) -> Path:
    script = folder / "sore-decoder"
    script.write_text(_CHILD.format(python=sys.executable, root=str(_ROOT)))
    script.chmod(0o700)
    return script


if __name__ == "__main__":
    sys.exit(main())
