"""``edge-agent collect``: headquarters pulls every site's journal into its archive."""

import argparse
import asyncio
import gc
import json
import sys
from pathlib import Path

from edge_agent.collector.config import load
from edge_agent.collector.puller import SiteState
from edge_agent.collector.serve import collect, line
from edge_agent.collector.states import Phase
from edge_agent.domain.clock import Clock
from edge_agent.telemetry.clock import SystemClock
from edge_agent.telemetry.setup import set_up_logging
from edge_agent.transport.zap import Refusal

_MOST_NUMBERS_A_SECOND = 20
_MOST_STRANGERS = 100
"""Keys that are told of, each once: whoever draws new keys for ever fills no log."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "collect",
        help="headquarters: pull every site's journal into the archive",
        description="Pulls the journal of every configured site, verifies it and stores it; while a backlog drains, the newest rows first. "
        "One line of JSON for each change of a site's phase, and for progress at most 20 a second; alarms go to the log on standard error, "
        "and `edge-agent sites` shows how all sites stand. Exit 0 when stopped by a signal, or with --until-idle when everything there is "
        "was stored; 1 when not.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    idle = "end when no row has come for S seconds and no site is being reached or drained"
    parser.add_argument("--until-idle", type=_seconds, metavar="S", help=idle)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Collect until told to stop."""
    config = load(args.config)
    clock = SystemClock()
    set_up_logging(sys.stderr)
    progress = Progress(clock)

    def tell(state: SiteState) -> None:
        if not progress.is_worth_telling(state):
            return
        sys.stdout.write(json.dumps({"at": clock.now().isoformat(timespec="milliseconds"), **line(state)}) + "\n")
        sys.stdout.flush()
        if state.phase is Phase.DIVERGED:
            sys.stderr.write(f"STOPPED {state.site}: {state.detail}. An auditor must compare both journals; other sites go on.\n")

    known: set[str] = set()

    def refused(refusal: Refusal) -> None:
        if refusal.fingerprint not in known and len(known) < _MOST_STRANGERS:
            known.add(refusal.fingerprint)
            sys.stderr.write(f"REFUSED a site whose key is not enrolled here: {refusal.fingerprint or 'no key'}\n")

    _look_for_cycles_seldom()
    board = asyncio.run(collect(config, clock, tell, args.until_idle, refused))
    return 0 if args.until_idle is None or board.is_complete else 1


class Progress:
    """Keeps the lines few: each change of a site's phase is told, and of mere numbers so many a second of all sites together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._phases: dict[str, tuple[Phase, str]] = {}
        self._second = 0
        self._told = 0

    def is_worth_telling(self, state: SiteState) -> bool:
        """Tell whether to write a line about this."""
        phase = (state.phase, state.code)
        if self._phases.get(state.site) != phase:
            self._phases[state.site] = phase
            return True
        second = int(self._clock.monotonic())
        self._told = self._told + 1 if second == self._second else 1
        self._second = second
        return self._told <= _MOST_NUMBERS_A_SECOND


def _look_for_cycles_seldom() -> None:
    """Decoding a row makes hundreds of objects that die at once and are in no cycle; looking for cycles among them costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError("seconds above 0")
    return value
