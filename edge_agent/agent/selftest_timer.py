"""The golden self-test while the daemon works: a device that begins to answer wrongly must not call anything ``no-alert``.

At the start the same cases were run before READY. Here they come again on a timer, in the place of a scan and on the same lanes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from edge_agent.agent.dispatch import Dispatch
from edge_agent.agent.engine import Engine
from edge_agent.domain.assessment import Reason
from edge_agent.errors import DeviceUntrusted, InferenceFailed, SelfTestFailed
from edge_agent.inference.selftest import Golden, run_golden
from edge_agent.telemetry import events

_FAREWELL_S = 1.5
"""Longer than a heartbeat's interval: consoles hear that the site is failing before it falls silent."""


@dataclass
class SelfTest:
    """When the golden cases last came out, and why they do not any more; read by health."""

    cases: tuple[Golden, ...]
    passed_at: datetime
    failure: Reason | None = field(default=None, init=False)


async def keep_testing(test: SelfTest, engine: Engine, dispatch: Dispatch, every_s: float, tell: Callable[[], Awaitable[None]]) -> None:
    """Run the golden cases every ``every_s`` seconds until cancelled or until one fails; ``tell`` is to make health known then.

    Raises:
        DeviceUntrusted: a case did not come out. Scans in hand were given up before, so none of them is concluded; scans since
            ``passed_at``, which the health fact names, were judged by a device that may have been wrong.
        DeviceFailed: the device is lost.
    """
    while True:
        await asyncio.sleep(every_s)
        async with dispatch.slot():
            try:
                count = await engine.cpu.run(run_golden, engine.loaded, test.cases, engine.device.fan)
            except (SelfTestFailed, InferenceFailed) as problem:
                dispatch.abandon()
                test.failure = Reason(SelfTestFailed.code, {"why": problem.code, "passed_at": test.passed_at.isoformat()})
                events.self_test_failed(problem.code, problem.detail)
                await tell()
                await asyncio.sleep(_FAREWELL_S)
                raise DeviceUntrusted(problem.detail, {"passed_at": test.passed_at.isoformat()}) from problem
        test.passed_at = engine.clock.now()
        events.self_test_passed(count)
