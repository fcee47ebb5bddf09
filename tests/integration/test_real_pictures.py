"""Every real picture at hand becomes pixels as an independent reader sees them, and its faults are few.

Needs EDGE_AGENT_REAL_DATA: the folder with the split folders' images (``*/images/*``). No real picture is part of the repository.
"""

import collections
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.domain.drop import Completeness
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.members import MemberFile
from edge_agent.formats.profiles import load_profile
from edge_agent.imaging.normalise import replay
from edge_agent.imaging.quality import faults

REAL = os.getenv("EDGE_AGENT_REAL_DATA")
pytestmark = [pytest.mark.real, pytest.mark.skipif(REAL is None, reason="EDGE_AGENT_REAL_DATA is not set")]

PROFILE = load_profile(Path(__file__).parents[2] / "config/scanners/plain-image.toml")
_MOST_FAULTY = 0.03
_MOST_APART = 3  # two JPEG decoders may differ by rounding


def independent(path: Path) -> np.ndarray:
    """What Pillow sees: (h, w) when all channels are equal, else (h, w, 3)."""
    from PIL import Image

    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB") if picture.mode not in ("L", "I;16") else picture)
    if pixels.ndim == 3 and (pixels[:, :, :1] == pixels).all():
        return pixels[:, :, 0]
    return pixels


@pytest.mark.timeout(300)
def test_every_real_picture_converts_and_the_report_is_complete(capsys):
    paths = sorted(Path(REAL or ".").glob("*/images/*"))
    assert paths, "the folder holds no */images/*"
    report: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with DecodeChild() as child:
        for path in paths:
            row = report[path.parent.parent.name]
            member = [MemberFile(path.name, "picture", path)]
            assert child.probe(member, PROFILE).completeness is Completeness.COMPLETE, path
            (view,) = child.decode(member, PROFILE).views
            (plane,) = view.planes
            expected = independent(path)
            assert plane.pixels.shape == expected.shape, path
            assert int(cv2.absdiff(plane.pixels.copy(), np.ascontiguousarray(expected)).max()) <= _MOST_APART, path
            np.testing.assert_array_equal(
                plane.pixels, replay(plane.pixels, [step for step in plane.operations if step.name != "fold-grey"])
            )
            row["pictures"] += 1
            row["colour"] += plane.pixels.ndim == 3
            row.update(f"polarity {step.value('found')}" for step in plane.operations if step.name == "polarity")
            row.update(fault.code for fault in faults(plane))
    with capsys.disabled():
        for name, row in sorted(report.items()):
            print(f"\n{name}: " + ", ".join(f"{count} {what}" for what, count in row.items() if count), end="")
    total = sum(row["pictures"] for row in report.values())
    faulty = sum(
        count
        for row in report.values()
        for what, count in row.items()
        if what in ("saturated", "dead-lines", "blurred", "all-air", "constant")
    )
    assert total == len(paths)
    assert faulty <= _MOST_FAULTY * total
