"""A small site and its daemon as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.site import Process, running
from benchmarks.small_site import SmallSite


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "site")


@pytest.fixture
def daemon(small: SmallSite) -> Iterator[Process]:
    process = small.site.daemon()
    with running(process):
        small.ready(process)
        yield process
