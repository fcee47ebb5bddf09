"""A folder that filled up while the daemon was stopped, and the list of what was selected, with the real daemon."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.intake import accepted, lay_out, overflow
from benchmarks.site import exit_code_of, running
from benchmarks.small_site import SmallSite
from edge_agent.formats.encode import tiff_bytes
from edge_agent.telemetry.clock import SystemClock

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_twenty_thousand_scans_that_came_meanwhile_are_found_and_the_site_answers(tmp_path: Path) -> None:
    """Found: accepted, or waiting in the folder with their next step known (``backlog_found``). Nothing of it holds up READY or PING.

    That it takes less than a minute is measured by ``benchmarks.intake``; on a machine shared with other tests that is no law.
    """
    small = SmallSite(tmp_path / "site")
    lay_out(small, 20_000)
    seen = asyncio.run(overflow(small, 20_000, watch_s=2.0))  # ends the test where not all are found
    assert seen.ping_failed == 0
    assert accepted(small) > 0


def sidecar(container: str) -> bytes:
    taken = datetime(2026, 3, 2, 10, tzinfo=UTC).isoformat()
    return json.dumps({"schema": "sim-sidecar/1", "taken_at": taken, "container": container, "pitch_mm": [5.0, 5.0]}).encode()


def deliver(small: SmallSite, number: int) -> None:
    pixels = np.full((16, 16), number, dtype=np.uint16)
    for name, content in ((f"k{number}_high.tif", tiff_bytes(pixels)), (f"k{number}_low.tif", tiff_bytes(pixels // 2))):
        small.deliver(name, content, "pair")
    small.deliver(f"k{number}.json", sidecar(f"T{number:06d}"), "pair")


def test_five_of_five_hundred_selected_consignments_that_were_removed_before_pick_up_are_named(tmp_path: Path) -> None:
    small = SmallSite(tmp_path / "site")
    path = small.site.agent_toml
    path.write_text(path.read_text() + f'\n[selections]\nfile = "{tmp_path / "list.csv"}"\n')
    (tmp_path / "list.csv").write_text("container,reason,selected_at,due\n")
    removed = set(range(17, 500, 100))
    for number in set(range(500)) - removed:
        deliver(small, number)
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        small.wait_for(lambda: accepted(small) == 495, daemon, 300)
        now = SystemClock().now()
        due, since = now + timedelta(seconds=1), now - timedelta(days=1)
        lines = [f"T{number:06d},targeted,{since.isoformat()},{due.isoformat()}\n" for number in range(500)]
        (tmp_path / "new.csv").write_text("container,reason,selected_at,due\n" + "".join(lines))
        (tmp_path / "new.csv").rename(tmp_path / "list.csv")

        def named() -> set[str]:
            events = [body.event for body in small.bodies("audit")]  # type: ignore[union-attr]
            return {str(event.params["token"]) for event in events if event.code == "selected-not-scanned"}

        small.wait_for(lambda: len(named()) >= 5, daemon)
        shown: list[str] = []
        assert exit_code_of(["selections", "--json", "--state-dir", str(small.site.state_dir)], shown.append) == 1
        missed = json.loads(shown[0])
        daemon.kill()  # nothing here waits for the assessments
    assert {f"T{number:06d}" for number in removed} == {one["number"] for one in missed}
    assert named() == {one["token"] for one in missed}
    assert b"T000017" not in b"".join(row.body for row in small.rows())
    assert "T000017" not in daemon.log.read_text()
