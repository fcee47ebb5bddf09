"""Maps of one view from two bundles lie beside each other as blobs."""

from pathlib import Path

import numpy as np

from edge_agent.agent.maps import MapStore
from edge_agent.analysis.run import ViewMaps
from edge_agent.domain.geometry import Size
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
