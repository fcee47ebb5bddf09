"""Decode children, each with the thread that waits for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge_agent.agent.lanes import Lane
from edge_agent.domain.drop import ProbeResult
from edge_agent.domain.profile import Profile
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.members import Decoded, MemberFile
from edge_agent.formats.sandbox import SandboxReport, weakest


@dataclass(frozen=True, slots=True)
class _Seat:
    child: DecodeChild
    lane: Lane


class Decoders:
    """Hands each request to a free child; waits when all are busy."""

    def __init__(self, count: int) -> None:
        self._seats = tuple(_Seat(DecodeChild(), Lane(f"decode-{number}")) for number in range(count))
        self._free: asyncio.Queue[_Seat] = asyncio.Queue()
        for seat in self._seats:
            self._free.put_nowait(seat)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(seat.lane for seat in self._seats)

    async def start(self) -> SandboxReport:
        """Start every child ahead of its first request (importing the decoders takes a third of a second); give the weakest fences.

        Raises:
            DecoderUnavailable: a child does not start.
        """
        return weakest(await asyncio.gather(*(seat.lane.run(seat.child.sandbox) for seat in self._seats)))

    async def probe(self, members: Sequence[MemberFile], profile: Profile) -> ProbeResult:
        """Look at the headers of a drop in a child."""
        async with self._seat() as seat:
            return await seat.lane.run(seat.child.probe, members, profile)

    async def decode(self, members: Sequence[MemberFile], profile: Profile) -> Decoded:
        """Decode the members of a scan in a child.

        Raises:
            ScanRejected: with the leaf that says why. DropUnavailable: a member is not there.
        """
        async with self._seat() as seat:
            return await seat.lane.run(seat.child.decode, members, profile)

    def close(self) -> None:
        """End every child and its thread."""
        for seat in self._seats:
            seat.child.close()
            seat.lane.close()

    @asynccontextmanager
    async def _seat(self) -> AsyncIterator[_Seat]:
        seat = await self._free.get()
        try:
            yield seat
        finally:
            self._free.put_nowait(seat)
