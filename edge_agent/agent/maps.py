"""Thumbnails, heat maps and goods maps as blobs."""

import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.engine import StoredGoods
from edge_agent.agent.space import UNLIMITED, Room
from edge_agent.analysis.run import ViewMaps
from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Scan
from edge_agent.errors import DiskLow
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.preview import thumbnail_bytes
from edge_agent.ledger.blobs import BlobStore

PREVIEW = "preview:"
HEAT = "heatmap:"
GOODS = "goods-map:"
_GOODS_TYPE = "application/x-npy+zlib"
_MAX_GOODS_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class MapStore:
    """Puts maps into the blob store and takes goods maps out again. None are put while the disk is short: assessment goes on without."""

    blobs: BlobStore
    room: Room = UNLIMITED

    def put(self, maps: tuple[ViewMaps, ...]) -> tuple[BlobRef, ...]:
        """Store the maps of all views; they are on disk before the fact that names them is journalled.

        A heat map that comes with goods is the contents bundle's, ``heatmap:<view>``; one of a detector is ``heatmap:<view>:<bundle>``.
        """
        return self._unless_short(lambda: self._all(maps))

    def _all(self, maps: tuple[ViewMaps, ...]) -> tuple[BlobRef, ...]:
        refs = []
        for view in maps:
            refs.append(self.put_heat(view.view if view.goods is not None else f"{view.view}:{view.bundle}", view.heat))
            if view.goods is None:
                continue
            out = io.BytesIO()
            np.lib.format.write_array(out, view.goods, allow_pickle=False)
            role = f"{GOODS}{view.view}:{view.size.width}x{view.size.height}"
            refs.append(self._ref(zlib.compress(out.getvalue(), 1), _GOODS_TYPE, role))
        return tuple(refs)

    def put_previews(self, scan: Scan) -> tuple[BlobRef, ...]:
        """Store a thumbnail of each view, ``preview:<view>``, whose whole area is the view's canonical frame."""
        return self._unless_short(lambda: tuple(self._ref(thumbnail_bytes(view), "image/png", PREVIEW + view.name) for view in scan.views))

    def _unless_short(self, put: Callable[[], tuple[BlobRef, ...]]) -> tuple[BlobRef, ...]:
        if not self.room.keeps_extras:
            return ()
        try:
            return put()
        except DiskLow:
            self.room.ran_out()
            return ()

    def put_heat(self, view: str, heat: NDArray[np.float32]) -> BlobRef:
        """Store one heat map as a grey picture, 255 = strongest evidence."""
        return self._ref(png_bytes(np.rint(heat * 255.0).astype(np.uint8)), "image/png", HEAT + view)

    def goods(self, refs: Sequence[BlobRef]) -> tuple[StoredGoods, ...]:
        """Give the goods maps among ``refs`` back, without those that retention took."""
        return tuple(self._goods(ref) for ref in refs if ref.role.startswith(GOODS) and self.blobs.has(ref.sha256))

    def _goods(self, ref: BlobRef) -> StoredGoods:
        view, _, size = ref.role.removeprefix(GOODS).rpartition(":")
        width, _, height = size.partition("x")
        raw = zlib.decompressobj().decompress(self.blobs.get(ref.sha256), _MAX_GOODS_BYTES)
        goods = np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False).astype(np.uint8, copy=False)
        return StoredGoods(view, Size(int(width), int(height)), goods)

    def _ref(self, data: bytes, media_type: str, role: str) -> BlobRef:
        sha256, size = self.blobs.put(data)
        return BlobRef(sha256, size, media_type, role)
