"""Thumbnails and heat maps of the scan that is looked at, fetched one at a time and kept while there is room.

Whoever draws asks again and again; what is there is given at once, what is not is fetched meanwhile, and ``changed`` is called.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge_agent.console.board import ScanRow
from edge_agent.console.coarse import Overlay
from edge_agent.console.picture import GreyPicture, read_png
from edge_agent.domain.clock import Clock
from edge_agent.errors import PeerError
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.messages import AssessmentBody
from edge_agent.wire.results import has_alerted

_KEPT = 64
_AGAIN_S = 5.0
_PREVIEW = "preview:"
_HEAT = "heatmap:"

Fetch = Callable[[str, str], Awaitable[bytes]]
"""Gives the blob of a site: site, SHA-256."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What can be drawn of a scan now. ``picture`` is None while there is none, and ``note`` says why."""

    view: str = ""
    views: int = 0
    picture: GreyPicture | None = None
    overlay: Overlay = Overlay()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Missing:
    """Why a picture is not there; ``until``: monotonic seconds at which it is worth asking again."""

    why: str
    until: float


class Gallery:
    """Pictures by SHA-256, from whichever site has them."""

    def __init__(self, fetch: Fetch, clock: Clock, changed: Callable[[], None]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._changed = changed
        self._pictures: dict[str, GreyPicture | _Missing] = {}
        self._task: asyncio.Task[None] | None = None

    def shot(self, row: ScanRow, view: int, *, has_heat: bool) -> Shot:
        """Give what is there of the ``view``-th view of a scan; begin to fetch what is not. To be called on the loop's thread."""
        body = row.body
        previews = [blob for blob in body.blobs if blob.role.startswith(_PREVIEW)] if body is not None else []
        if body is None or not previews:
            return Shot(note="no picture of this scan is stored")
        blob = previews[view % len(previews)]
        name = blob.role.removeprefix(_PREVIEW)
        heat_name = _heat_of(body, name) if has_heat else ""
        picture = self._at_hand(row.site, blob.sha256)
        heat = self._at_hand(row.site, heat_name) if heat_name else None
        if isinstance(picture, GreyPicture):
            overlay = Overlay(_boxes(body, name), heat if isinstance(heat, GreyPicture) else None)
            return Shot(name, len(previews), picture, overlay, heat.why if isinstance(heat, _Missing) else "")
        return Shot(name, len(previews), note=picture.why if picture is not None else "the picture is being fetched")

    async def close(self) -> None:
        """Stop fetching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _at_hand(self, site: str, sha256: str) -> GreyPicture | _Missing | None:
        found = self._pictures.get(sha256)
        is_due = found is None or (isinstance(found, _Missing) and self._clock.monotonic() >= found.until)
        if is_due and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._load(site, sha256))
        return found

    async def _load(self, site: str, sha256: str) -> None:
        try:
            self._keep(sha256, read_png(await self._fetch(site, sha256)))
        except PeerError as problem:
            self._keep(sha256, _Missing(f"no picture: {problem.detail}", self._clock.monotonic() + _AGAIN_S))
        self._changed()

    def _keep(self, sha256: str, found: GreyPicture | _Missing) -> None:
        self._pictures[sha256] = found
        if len(self._pictures) > _KEPT:
            del self._pictures[next(iter(self._pictures))]


def _heat_of(body: AssessmentBody, view: str) -> str:
    """Give the digest of a view's heat map: the contents bundle's, else the first detector's; empty if there is none."""
    maps = {blob.role: blob.sha256 for blob in body.blobs if f"{blob.role}:".startswith(f"{_HEAT}{view}:")}
    return maps.get(_HEAT + view) or next(iter(maps.values()), "")


def _boxes(body: AssessmentBody, view: str) -> list[tuple[float, float, float, float]]:
    """Give the boxes found in a view as shares of it: of a scan on alert those that alert, else all."""
    frame = next((frame for frame in body.frames if frame.view == view), None)
    if frame is None or not frame.width or not frame.height:
        return []
    boxes = []
    for part in body.findings:
        if (
            isinstance(part, DetectionPart | HeterogeneityPart)
            and part.view == view
            and (body.conclusion != "alert" or has_alerted(part, body))
        ):
            boxes += [part.box] if isinstance(part, DetectionPart) else part.regions
    width, height = frame.width, frame.height
    return [(x0 / width, y0 / height, x1 / width, y1 / height) for x0, y0, x1, y1 in boxes]
