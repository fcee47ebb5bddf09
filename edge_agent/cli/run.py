"""``edge-agent run``: the daemon."""

import argparse
import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from edge_agent.agent.build import run_agent
from edge_agent.agent.config import AgentConfig, load_config
from edge_agent.agent.lifecycle import ServiceManager
from edge_agent.domain.clock import Clock
from edge_agent.errors import EdgeAgentError
from edge_agent.telemetry import events
from edge_agent.telemetry.clock import SystemClock
from edge_agent.telemetry.setup import set_up_logging


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="the daemon",
        description="Watch the configured scanners, assess every scan, publish. Logs JSON lines to stdout. SIGTERM stops it "
        "within grace_s; a second one at once. Exit codes: 0 stopped by signal, 70 unexpected error (start it again), 78 configuration.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until a signal."""
    return serve(args.config, run_agent)


def serve(config: Path, start: Callable[[AgentConfig, ServiceManager, Clock], Coroutine[Any, Any, None]]) -> int:
    """Run what ``start`` gives, which is ``run_agent`` here and the same with armed fault points in a test's launcher.

    Raises:
        EdgeAgentError: which ended the daemon; it stands in the log.
    """
    set_up_logging()
    environment = os.environ  # noqa: TID251 - the service manager's own channel; nothing is configured by it
    manager = ServiceManager(environment.get("NOTIFY_SOCKET"), environment.get("WATCHDOG_USEC"))
    try:
        asyncio.run(start(load_config(config), manager, SystemClock()))
    except* EdgeAgentError as group:
        problem = _first(group)
        events.agent_failed(problem)
        raise problem from group
    return 0


def _first(group: BaseExceptionGroup[EdgeAgentError]) -> EdgeAgentError:
    """Give the error that ended the daemon; task groups nest it."""
    for problem in group.exceptions:
        return _first(problem) if isinstance(problem, BaseExceptionGroup) else problem
    raise AssertionError("an exception group is never empty")
