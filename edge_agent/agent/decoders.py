"""Decode children, each with the thread that waits for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from edge_agent.agent.lanes import Lane
from edge_agent.analysis.deadline import Deadline
from edge_agent.domain.drop import ProbeResult
from edge_agent.domain.profile import Profile
from edge_agent.errors import DecodeTimedOut, OutOfTime
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.members import Decoded, MemberFile
from edge_agent.formats.sandbox import SandboxReport, weakest


@dataclass(frozen=True, slots=True)
class _Seat:
    child: DecodeChild
    lane: Lane


class Decoders:
    """Hands each request to a free child; waits when all are busy."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        """Take a lane of one thread for each child."""
        self._seats = tuple(_Seat(DecodeChild(), lane) for lane in lanes)
        self._free: asyncio.Queue[_Seat] = asyncio.Queue()
        for seat in self._seats:
            self._free.put_nowait(seat)

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

    async def decode(self, members: Sequence[MemberFile], profile: Profile, deadline: Deadline) -> Decoded:
        """Decode the members of a scan in a child, which is killed at the profile's deadline or at the scan's, whichever is earlier.

        Raises:
            ScanRejected: with the leaf that says why. DropUnavailable: a member is not there. OutOfTime: the scan's deadline passed.
        """
        async with self._seat() as seat:
            deadline.check()
            limits = profile.limits
            allowed_s = min(limits.deadline_s, deadline.left_s)
            try:
                return await seat.lane.run(seat.child.decode, members, replace(profile, limits=replace(limits, deadline_s=allowed_s)))
            except DecodeTimedOut as problem:
                if allowed_s == limits.deadline_s:
                    raise
                raise OutOfTime("the time for this scan was over before it was decoded", {"stage": "decode"}) from problem

    def close(self) -> None:
        """End every child; a request in hand fails."""
        for seat in self._seats:
            seat.child.close()

    @asynccontextmanager
    async def _seat(self) -> AsyncIterator[_Seat]:
        seat = await self._free.get()
        try:
            yield seat
        finally:
            self._free.put_nowait(seat)
