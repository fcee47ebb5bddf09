"""What a page hears, and when: a link that breaks is told at once, not with the next second."""

import asyncio
from types import SimpleNamespace

from edge_agent.console.events import LinkState, Phase
from edge_agent.console.queue import Queue
from edge_agent.console.views import StateEvent
from edge_agent.console.web_stream import Hub
from edge_agent.errors import NotAllowed
from edge_agent.testing.clock import ManualClock

PATIENCE_S = 30.0


class OneSite:
    """As much of a desk as a stream looks at. Its clock stands still: no state is ever due by time."""

    def __init__(self):
        self.clock = ManualClock()
        self.queue = Queue(10)
        self.link = SimpleNamespace(client=SimpleNamespace(state=LinkState(Phase.LIVE)), problem=None)
        self.sites = [self.link]

    def state(self):
        return StateEvent(now=self.clock.now(), sites=[])

    def turns(self, phase):
        self.link.client.state = LinkState(phase)
        self.queue.ring()


def heard_after(change):
    """The names of what a page hears first, and after ``change`` of the site."""

    async def hearing():
        desk = OneSite()
        heard = Hub(desk, desk.clock, "boot").events("officer", "")
        try:
            async with asyncio.timeout(PATIENCE_S):
                first = await anext(heard)
                then = asyncio.ensure_future(anext(heard))
                await asyncio.sleep(0)
                change(desk)
                return [first.name, (await then).name]
        finally:
            await heard.aclose()

    return asyncio.run(hearing())


def test_a_link_that_breaks_is_told_before_the_next_second():
    assert ["state", "state"] == heard_after(lambda desk: desk.turns(Phase.STALE))


def test_a_site_that_lets_nobody_in_any_more_is_told_before_the_next_second():
    def ends(desk):
        desk.link.problem = NotAllowed("no")
        desk.queue.ring()

    assert ["state", "state"] == heard_after(ends)
