"""The daemon's life between READY and the stop: one task group, every loop in it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_agent.agent.amendments import Amendments
from edge_agent.agent.arrivals import Arrivals
from edge_agent.agent.dispatch import Dispatch
from edge_agent.agent.lifecycle import ServiceManager
from edge_agent.agent.pipeline import Pipeline
from edge_agent.agent.sockets import Sockets
from edge_agent.ledger.records import Job

Helper: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Loops:
    """Everything that runs while the daemon is up."""

    arrivals: Sequence[Arrivals | Amendments]
    dispatch: Dispatch
    sockets: Sockets
    pipeline: Pipeline
    unpacked: Sequence[Job]
    helping: Sequence[Helper]
    """What runs beside the main job until the stop, and is cancelled then: watchdog, health, shadow, results, house-keeping."""


async def live(loops: Loops, stop: asyncio.Event, manager: ServiceManager, grace_s: float) -> None:
    """Run every loop until ``stop``; then take nothing new, let scans in hand finish within ``grace_s``, and return.

    Any loop that fails cancels the others and raises: the process ends, the service manager starts it again, the ledger resumes.
    """
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(loops.sockets.serve())
        intake = [tasks.create_task(arrivals.run(stop)) for arrivals in loops.arrivals]
        helping = [tasks.create_task(helper()) for helper in loops.helping]
        tasks.create_task(_pack_backlog(loops, stop))
        dispatching = tasks.create_task(loops.dispatch.run(stop))
        await stop.wait()
        manager.tell("STOPPING=1")
        loops.dispatch.ring()
        for arrivals in loops.arrivals:
            arrivals.ring()
        try:
            async with asyncio.timeout(grace_s):
                await asyncio.gather(dispatching, *intake)
        except TimeoutError:
            pass  # what is still in hand stays claimed and is resumed at the next start
        for task in (serving, *helping):
            task.cancel()


async def _pack_backlog(loops: Loops, stop: asyncio.Event) -> None:
    """Write the packages that a death left unwritten; the list is from before the first claim, so nobody else works on them."""
    for job in loops.unpacked:
        await loops.dispatch.without_suspects(stop)
        if stop.is_set():
            return
        await loops.pipeline.pack_again(job)
