"""Thumbnails: plain enough for a console without picture libraries, small, and of the whole canonical frame."""

import numpy as np
import pytest

from edge_agent.agent.maps import MapStore
from edge_agent.console.picture import read_png
from edge_agent.domain.capture import Subject, SubjectKind
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.ledger.blobs import BlobStore
from edge_agent.testing.factories import a_capture, a_scan_id


def a_scan(*pixels):
    kinds = {np.dtype(np.uint16): Quantity.TRANSMISSION, np.dtype(np.uint8): Quantity.DISPLAY}
    views = tuple(View(f"v{n}", (Plane(kinds[each.dtype], Energy.SINGLE, each),), None) for n, each in enumerate(pixels))
    return Scan(a_scan_id("a"), 1, ScannerRef(ScannerId("s1"), "p"), a_capture(), Subject(SubjectKind.CARGO), views, None, ())


def stored(folder, *pixels):
    store = BlobStore(folder)
    refs = MapStore(store).put_previews(a_scan(*pixels))
    return refs, [read_png(store.get(ref.sha256)) for ref in refs]


@pytest.mark.parametrize(
    ("pixels", "size"),
    [
        (np.full((800, 2400), 40_000, np.uint16), (512, 171)),
        (np.full((2400, 800), 40_000, np.uint16), (171, 512)),
        (np.full((30, 40), 200, np.uint8), (40, 30)),
        (np.full((600, 1024, 3), 90, np.uint8), (512, 300)),
        (np.full((1, 5000), 7, np.uint16), (512, 1)),
    ],
    ids=["wide", "high", "small", "colour", "one line"],
)
def test_a_thumbnail_is_a_small_grey_picture_of_the_whole_view(tmp_path, pixels, size):
    (ref,), (picture,) = stored(tmp_path, pixels)
    assert size == (picture.width, picture.height)
    assert ("preview:v0", "image/png") == (ref.role, ref.media_type)


def test_dark_stays_dark_and_every_view_has_its_own(tmp_path):
    deep = np.full((100, 400), 60_000, np.uint16)
    deep[:, 200:] = 300
    refs, (first, _) = stored(tmp_path, deep, np.full((50, 50), 9, np.uint8))
    assert ["preview:v0", "preview:v1"] == [ref.role for ref in refs]
    assert first.pixels[10] > 240
    assert first.pixels[390] < 15
