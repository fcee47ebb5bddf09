"""The formats benchmark does what it says it measures, tried on a small scan."""

import numpy as np

from benchmarks import formats
from edge_agent.testing.drops import load_picture

PLANES = (load_picture(1600, 4200), load_picture(1600, 4200, seed=1))


def test_every_goal_is_measured_and_every_contender_gives_the_same_pixels(tmp_path):
    tasks = {**formats._decoding(PLANES), **formats._packing(PLANES, tmp_path)}
    assert set(formats.GOALS_MS) <= set(tasks)
    for name, task in tasks.items():
        if name.startswith("decode"):
            result = task()
            found = [plane.pixels for plane in result.views[0].planes] if "edge-agent" in name else result
            for expected, pixels in zip(PLANES, found, strict=True):
                np.testing.assert_array_equal(expected, pixels)


def test_a_tile_out_of_a_package_is_the_scans_own(tmp_path):
    tasks = formats._packing(PLANES, tmp_path)
    for codec in ("deflate", "zstd", "jxl"):
        for expected, tile in zip(PLANES, tasks[f"package {codec}: tile of both planes"](), strict=True):
            np.testing.assert_array_equal(expected[1024:1536, 3584:4096], tile)
