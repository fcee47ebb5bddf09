"""Heat maps and goods maps as blobs."""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.engine import StoredGoods
from edge_agent.analysis.run import ViewMaps
from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.geometry import Size
from edge_agent.formats.encode import png_bytes
from edge_agent.ledger.blobs import BlobStore

HEAT = "heatmap:"
GOODS = "goods-map:"
_GOODS_TYPE = "application/x-npy+zlib"
_MAX_GOODS_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class MapStore:
    """Puts maps into the blob store and takes goods maps out again."""

    blobs: BlobStore

    def put(self, maps: tuple[ViewMaps, ...]) -> tuple[BlobRef, ...]:
        """Store the maps of all views; they are on disk before the fact that names them is journalled.

        A heat map that comes with goods is the contents bundle's, ``heatmap:<view>``; one of a detector is ``heatmap:<view>:<bundle>``.
        """
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

    def put_heat(self, view: str, heat: NDArray[np.float32]) -> BlobRef:
        """Store one heat map as a grey picture, 255 = strongest evidence."""
        return self._ref(png_bytes(np.rint(heat * 255.0).astype(np.uint8)), "image/png", HEAT + view)

    def goods(self, refs: Sequence[BlobRef]) -> tuple[StoredGoods, ...]:
        """Give the goods maps among ``refs`` back."""
        return tuple(self._goods(ref) for ref in refs if ref.role.startswith(GOODS))

    def _goods(self, ref: BlobRef) -> StoredGoods:
        view, _, size = ref.role.removeprefix(GOODS).rpartition(":")
        width, _, height = size.partition("x")
        raw = zlib.decompressobj().decompress(self.blobs.get(ref.sha256), _MAX_GOODS_BYTES)
        goods = np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False).astype(np.uint8, copy=False)
        return StoredGoods(view, Size(int(width), int(height)), goods)

    def _ref(self, data: bytes, media_type: str, role: str) -> BlobRef:
        sha256, size = self.blobs.put(data)
        return BlobRef(sha256, size, media_type, role)
