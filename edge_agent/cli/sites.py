"""``edge-agent sites``: how all sites stand, alarms first."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_agent.collector.config import load
from edge_agent.collector.states import Phase, SiteNow, States, read_states
from edge_agent.telemetry.clock import SystemClock

_LOOK_EVERY_S = 1.0
_COLOURS = {Phase.CURRENT: "green", Phase.DRAINING: "cyan", Phase.CONNECTING: "yellow"}
_HEALTH = {"healthy": "green", "degraded": "yellow", "failing": "red"}
_RANK = {phase: rank for rank, phase in enumerate((Phase.DIVERGED, Phase.REFUSED, Phase.SILENT, Phase.HELD_UP, Phase.CONNECTING))}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "sites",
        help="headquarters: how all sites stand, alarms first",
        description="Shows what the running collector last said of its sites: it writes that every two seconds beside its archive. "
        "LAG: rows that the site has and headquarters has not verified yet. HEARD: since the site answered last. CLOCK: its clock minus "
        "headquarters'. HEALTH: the site's own word. Exit 0; with --check 1 when there is an alarm, or when the collector does not run.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    parser.add_argument("--json", action="store_true", help="the same as JSON, with everything that is known")
    parser.add_argument("--watch", action="store_true", help="go on showing it until Ctrl-C")
    parser.add_argument("--check", action="store_true", help="for monitoring: exit 1 when there is an alarm")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the states once, or again and again."""
    path, clock = load(args.config).states_file, SystemClock()
    states = read_states(path)
    if args.json:
        sys.stdout.write(states.model_dump_json(indent=1) + "\n")
    elif args.watch:
        _watch(path, clock)
    else:
        Console(highlight=False).print(page(states, clock.now()))
    is_alarm = states.is_dead(clock.now()) or any(site.alarms for site in states.sites)
    return 1 if args.check and is_alarm else 0


def _watch(path: Path, clock: SystemClock) -> None:
    with Live(page(read_states(path), clock.now()), auto_refresh=False, screen=sys.stdout.isatty()) as live:
        while True:
            time.sleep(_LOOK_EVERY_S)
            live.update(page(read_states(path), clock.now()), refresh=True)


def page(states: States, now: datetime) -> RenderableType:
    """Give the whole page: a summary, the alarms with their figures, then one line a site; what is wrong stands first."""
    return Group(_summary(states, now), *_alarm_lines(states, now), _table(states, now))


def _summary(states: States, now: datetime) -> Text:
    phases = Counter(site.phase for site in states.sites)
    parts = ", ".join(f"{phases[phase]} {phase.value}" for phase in Phase if phases[phase])
    text = Text(f"{len(states.sites)} sites: {parts}")
    if states.is_dead(now):
        text.append(f"\nTHE COLLECTOR DOES NOT RUN: it last wrote {ago(states.age_s(now))} ago", "bold red")
    return text


def _alarm_lines(states: States, now: datetime) -> Iterator[Text]:
    for site in _ranked(states.sites):
        for alarm in site.alarms:
            lasted = ago((now - alarm.since).total_seconds())
            yield Text.assemble(("! ", "bold red"), (site.site, "bold"), f"  {alarm.code.value} for {lasted}: {alarm.detail}")


def _table(states: States, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("SITE", overflow="fold", max_width=24)
    table.add_column("PHASE", no_wrap=True)
    for name in ("LAG", "HEARD", "CLOCK"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("HEALTH", no_wrap=True)
    table.add_column("ALARMS", overflow="fold")
    for site in _ranked(states.sites):
        table.add_row(*_cells(site, now))
    return table


def _cells(site: SiteNow, now: datetime) -> list[Text | str]:
    heard = "never" if site.last_heard is None else ago((now - site.last_heard).total_seconds())
    return [
        site.site,
        Text(site.phase.value, _COLOURS.get(site.phase, "bold red")),
        f"{site.lag:,}",
        heard,
        _skew(site.clock_skew_s),
        Text(site.health, _HEALTH.get(site.health, "")),
        Text(" ".join(alarm.code.value for alarm in site.alarms), "red"),
    ]


def _skew(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "0.0 s" if abs(seconds) < 0.05 else f"{seconds:+.1f} s"


def _ranked(sites: tuple[SiteNow, ...]) -> list[SiteNow]:
    """Sort: alarms first, then the worst phase, then the longest lag, then by name."""
    return sorted(sites, key=lambda site: (not site.alarms, _RANK.get(site.phase, len(_RANK)), -site.lag, site.site))


def ago(seconds: float) -> str:
    """Give a duration in its largest unit that is at least one: 7 s, 3 min, 5 h, 2 d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"
