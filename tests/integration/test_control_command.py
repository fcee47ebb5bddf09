"""``edge-agent control`` with a real site: imported, sent through the site, back in the archive, shown."""

import asyncio
import json

from edge_agent.cli.main import main
from edge_agent.collector.archive.outbox import Outbox
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.board import Board, Known
from edge_agent.collector.config import load
from edge_agent.collector.puller import Followed, Pace
from edge_agent.collector.serve import follow
from edge_agent.collector.submit import OutboxLane, Outgoing
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE, a_scan_id, an_assessment
from edge_agent.testing.loopback import loopback_site
from edge_agent.wire.messages import ControlBody, decode

SCAN = a_scan_id("a")
HEAD = "record,site,scan_id,office,conclusion,examined_at,irregularity,what,purity_percent,remarks"
GOOD = f"R-1,harbour,{SCAN},port-north,found,2026-03-02T12:00:00Z,smuggling,cocaine,71.5,the driver fled"
UNKNOWN = f"R-2,harbour,{a_scan_id('nobody')},port-north,nothing-found,2026-03-02,,,,"
WRONG = f"R-3,harbour,{SCAN},port-north,found,2026-03-02,smuggling,sugar,,"


def headquarters(folder, *lines):
    site = '[[site]]\nid = "harbour"\nendpoint = "tcp://127.0.0.1:9"\ninsecure_loopback_only = true\n'
    (folder / "collector.toml").write_text('archive = "archive.db"\ntimezone = "UTC"\n' + site)
    (folder / "results.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    return ["--config", str(folder / "collector.toml")]


def listed(config, capsys, *more):
    code = main(["control", "list", *config, "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def test_a_file_with_a_fault_enters_nothing_and_names_it(tmp_path, capsys):
    config = headquarters(tmp_path, GOOD, WRONG)
    assert 1 == main(["control", "import", str(tmp_path / "results.csv"), *config, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (1, 0) == (told["read"], told["new"])
    assert [{"file": "results.csv", "line": 3, "record": "R-3", "field": "found.0.what", "problem": "not-a-choice"}] == told["faults"]
    assert {"entered": 0, "sent": 0, "at-site": 0, "refused": 0} == listed(config, capsys)[1]["counts"]


def test_the_good_results_of_a_file_may_be_kept(tmp_path, capsys):
    config = headquarters(tmp_path, GOOD, WRONG)
    assert 1 == main(["control", "import", str(tmp_path / "results.csv"), *config, "--keep-good"])
    shown = capsys.readouterr()
    assert "1 results: 1 new" in shown.out
    assert "found.0.what" in shown.err
    assert ["R-1"] == [one["record"] for one in listed(config, capsys)[1]["results"]]


def test_a_dry_run_enters_nothing(tmp_path, capsys):
    config = headquarters(tmp_path, GOOD)
    assert 0 == main(["control", "import", str(tmp_path / "results.csv"), *config, "--dry-run"])
    assert "1 results are right" in capsys.readouterr().out
    assert not (tmp_path / "outbox.db").exists()


def test_no_result_that_was_shown_or_listed_says_what_was_remarked(tmp_path, capsys):
    config = headquarters(tmp_path, GOOD)
    main(["control", "import", str(tmp_path / "results.csv"), *config])
    main(["control", "list", *config])
    main(["control", "list", *config, "--json"])
    shown = capsys.readouterr()
    assert "fled" not in shown.out + shown.err


def test_what_stands_in_a_file_is_shown_as_it_is_and_commands_no_terminal(tmp_path, capsys):
    config = headquarters(tmp_path, f"[red]R-1[/],harbour,{SCAN},port-north,nothing-found,2026-03-02,,,,", "\x1b[2JR-2,harbour,,,,,,,,")
    assert 1 == main(["control", "import", str(tmp_path / "results.csv"), *config, "--keep-good"])
    main(["control", "list", *config])
    shown = capsys.readouterr()
    assert "[red]R-1[/]" in shown.out
    assert "R-2" in shown.err
    assert "\x1b" not in shown.out + shown.err


def test_the_form_is_shown_to_people_and_to_machines(capsys):
    assert 0 == main(["control", "form"])
    assert "purity_percent" in capsys.readouterr().out
    assert 0 == main(["control", "form", "--json"])
    assert "1.0" == json.loads(capsys.readouterr().out)["version"]


async def collected(folder, until):
    """Run a site and headquarters until the outbox is as wanted; gives the site's control results."""
    clock = SystemClock()
    config = load(folder / "collector.toml")
    async with loopback_site(folder / "site") as site:
        await site.add(an_assessment(SCAN, conclusion="alert"))
        lane = OutboxLane(config.outbox_file, clock)
        outgoing = Outgoing(lane, {SITE: site.link(site.keys.collector)}, clock)
        board = Board([Known.of(entry) for entry in config.site], clock, lambda _: None)
        followed = [Followed(SITE, site.link(site.keys.collector))]
        with Archive.open(config.archive, clock) as archive:
            task = asyncio.create_task(follow(followed, archive, "hq", board, Pace(wait_ms=50), outgoing))
            try:
                async with asyncio.timeout(45):
                    while not until({state.value: n for state, n in (await lane.call(Outbox.counts)).items()}):  # noqa: ASYNC110 - a file
                        await asyncio.sleep(0.05)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                lane.close()
        return [body for row in await site.ledger.rows(0, 99, 1 << 20) if isinstance(body := decode(row.body), ControlBody)]


def test_an_imported_result_goes_through_the_site_and_counts_when_it_is_back(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge_agent.collector.submit.LOOK_EVERY_S", 0.05)
    (tmp_path / "site").mkdir()
    config = headquarters(tmp_path, GOOD, UNKNOWN)
    for _ in range(2):
        assert 0 == main(["control", "import", str(tmp_path / "results.csv"), *config])
    assert "2 results: 2 known" in capsys.readouterr().out
    assert 2 == listed(config, capsys)[1]["counts"]["entered"]
    (body,) = asyncio.run(collected(tmp_path, lambda counts: counts["at-site"] == counts["refused"] == 1))
    assert ("found", "cocaine", {"purity_percent": 71.5}) == (body.conclusion, body.found[0].what, body.found[0].details)
    code, told = listed(config, capsys, "--check")
    assert 1 == code
    assert {"R-1": "at-site", "R-2": "refused"} == {one["record"]: one["state"] for one in told["results"]}
    assert "unknown-scan" == told["results"][1]["code"]
