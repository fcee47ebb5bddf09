"""Results of examinations from a file of the national system to a real site's journal and back, while headquarters is killed."""

import json
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks.site import Process, running
from benchmarks.small_site import SmallSite
from edge_agent.cli.main import main
from edge_agent.wire.messages import ControlBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

RESULTS, KILLS = 150, 4


def counts(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    capsys.readouterr()
    main(["control", "list", "--config", str(config), "--json"])
    found: dict[str, int] = json.loads(capsys.readouterr().out)["counts"]
    return found


def wait(config: Path, capsys: pytest.CaptureFixture[str], states: tuple[str, ...], number: int, process: Process) -> None:
    """Wait until so many results are in one of ``states``."""
    until = monotonic() + 120.0
    while sum(counts(config, capsys)[state] for state in states) < number:
        process.fail_if_ended()
        assert monotonic() < until, counts(config, capsys)
        sleep(0.02)


def test_each_imported_result_is_one_fact_at_the_site_however_often_headquarters_is_killed(
    small: SmallSite, daemon: Process, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.deliver("scan-1.png", small.scan(1))
    small.wait_for(lambda: bool(small.bodies("assessment")), daemon)
    scan = small.bodies("assessment")[0].scan_id
    config = small.site.collector_toml
    day = "2026-11-20"
    rows = [
        {"record": f"R-{number}", "site": "demo", "scan_id": scan, "office": "port", "conclusion": "nothing-found", "examined_at": day}
        for number in range(RESULTS)
    ]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    asked = ["control", "import", str(tmp_path / "results.json"), "--config", str(config)]
    assert main(asked) == 0
    for killed in range(KILLS):
        collector = small.site.collector()
        with running(collector):
            wait(config, capsys, ("sent", "at-site"), killed * RESULTS // KILLS + 1, collector)
            collector.kill()
    assert main(asked) == 0
    collector = small.site.collector()
    with running(collector):
        wait(config, capsys, ("at-site",), RESULTS, collector)
        assert collector.stop() == 0
    told = [body for body in small.bodies("control") if isinstance(body, ControlBody)]
    assert len(told) == RESULTS == len({body.cause for body in told})
