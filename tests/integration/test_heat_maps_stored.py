"""Maps of one view from two bundles lie beside each other as blobs."""

from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.maps import MapStore
from edge_agent.analysis.run import ViewMaps
from edge_agent.domain.geometry import Size
from edge_agent.errors import DiskLow
from edge_agent.ledger.blobs import BlobStore


def test_a_detectors_heat_map_is_stored_under_its_bundle_and_brings_no_goods(tmp_path: Path) -> None:
    store = MapStore(BlobStore(tmp_path))
    heat, goods = np.ones((2, 3), np.float32), np.zeros((4, 2, 3), np.uint8)
    refs = store.put(
        (ViewMaps("side", Size(30, 20), heat, goods, "contents/1"), ViewMaps("side", Size(30, 20), 0.5 * heat, None, "odd/2.0"))
    )
    assert ["heatmap:side", "goods-map:side:30x20", "heatmap:side:odd/2.0"] == [ref.role for ref in refs]
    (stored,) = store.goods(refs)
    np.testing.assert_array_equal(goods, stored.goods)


class Short:
    """A disk that is short, or that turns out to be."""

    def __init__(self, keeps_extras: bool) -> None:
        self.keeps_extras = keeps_extras
        self.told = 0

    def admits(self, size: int) -> bool:
        return True

    def ran_out(self) -> None:
        self.told += 1


MAPS = (ViewMaps("side", Size(30, 20), np.ones((2, 3), np.float32), None, "odd/2.0"),)


def test_on_a_short_disk_no_maps_are_written(tmp_path: Path) -> None:
    room = Short(keeps_extras=False)
    assert MapStore(BlobStore(tmp_path), room).put(MAPS) == ()
    assert (list(tmp_path.iterdir()), room.told) == ([], 0)


def test_maps_that_find_no_room_are_left_out_and_somebody_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: BlobStore, _content: bytes) -> tuple[str, int]:
        raise DiskLow("no space for a blob")

    monkeypatch.setattr(BlobStore, "put", full)
    room = Short(keeps_extras=True)
    assert MapStore(BlobStore(tmp_path), room).put(MAPS) == ()
    assert room.told == 1


def test_goods_maps_that_retention_took_are_left_out(tmp_path: Path) -> None:
    store = MapStore(BlobStore(tmp_path))
    heat = np.ones((2, 3), np.float32)
    views = [ViewMaps(view, Size(30, 20), heat, np.full((4, 2, 3), n, np.uint8), "c/1") for n, view in enumerate(("side", "top"))]
    refs = store.put(tuple(views))
    store.blobs.erase(refs[1].sha256)
    assert ["top"] == [goods.view for goods in store.goods(refs)]
