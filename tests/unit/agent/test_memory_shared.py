"""Memory among scans: never more than there is, nobody overtakes, a huge scan gets its turn, and what is cancelled gives back."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.agent.memory import Memory, memory_for_scans


class Scans:
    """Scans that hold memory until they are told to end."""

    def __init__(self, total: int) -> None:
        self.memory = Memory(total)
        self.entered: list[int] = []
        self.held: dict[int, int] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.ends: list[asyncio.Event] = []

    async def begin(self, wanted: int) -> None:
        self.ends.append(asyncio.Event())
        self.tasks.append(asyncio.create_task(self._run(len(self.tasks), wanted)))
        await self.settle()

    async def _run(self, number: int, wanted: int) -> None:
        async with self.memory.share(wanted):
            self.entered.append(number)
            self.held[number] = min(wanted, self.memory.total)
            try:
                await self.ends[number].wait()
            finally:
                del self.held[number]

    async def end(self, number: int) -> None:
        self.ends[number].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def test_a_huge_scan_waits_for_room_and_small_ones_do_not_overtake_it() -> None:
    async def story() -> None:
        scans = Scans(100)
        for wanted in (60, 90, 10):
            await scans.begin(wanted)
        assert scans.entered == [0]
        await scans.end(0)
        assert scans.entered == [0, 1, 2]
        for number in (1, 2):
            await scans.end(number)
        await asyncio.gather(*scans.tasks)

    asyncio.run(story())


def test_a_scan_larger_than_everything_runs_alone() -> None:
    async def story() -> None:
        scans = Scans(100)
        for wanted in (1, 10_000, 1):
            await scans.begin(wanted)
        assert scans.entered == [0]
        await scans.end(0)
        assert (scans.entered, scans.held) == ([0, 1], {1: 100})
        await scans.end(1)
        assert scans.entered == [0, 1, 2]
        await scans.end(2)
        await asyncio.gather(*scans.tasks)

    asyncio.run(story())


steps = st.lists(
    st.one_of(st.tuples(st.just("begin"), st.integers(0, 150)), st.tuples(st.sampled_from(["end", "cancel"]), st.integers(0, 9)))
)


@settings(max_examples=60)
@given(steps)
def test_never_more_than_there_is_in_the_order_of_asking_and_all_of_it_comes_back(steps: list[tuple[str, int]]) -> None:
    async def story() -> None:
        scans = Scans(100)
        for what, value in steps:
            if what == "begin":
                await scans.begin(value)
            elif value < len(scans.tasks):
                if what == "cancel":
                    scans.tasks[value].cancel()
                await scans.end(value)
            assert sum(scans.held.values()) <= 100
        for number in range(len(scans.tasks)):
            await scans.end(number)
        await asyncio.gather(*scans.tasks, return_exceptions=True)
        assert scans.entered == sorted(scans.entered)
        async with asyncio.timeout(40.0), scans.memory.share(100):
            assert scans.held == {}

    asyncio.run(story())


def test_the_memory_for_scans_is_some_and_not_all() -> None:
    assert 1 << 20 < memory_for_scans()


@pytest.mark.parametrize("wanted", [0, 100])
def test_an_error_gives_back(wanted: int) -> None:
    async def story() -> None:
        memory = Memory(100)
        for _ in range(3):
            with pytest.raises(KeyError):
                async with memory.share(wanted):
                    raise KeyError
        async with asyncio.timeout(40.0), memory.share(100):
            pass

    asyncio.run(story())
