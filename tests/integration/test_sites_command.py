"""``edge-agent sites``: the file of the collector as a page, as JSON and as an exit code."""

import asyncio
import json
from datetime import timedelta

import pytest
import structlog

from edge_agent.cli.main import main
from edge_agent.cli.sites import ago
from edge_agent.collector.board import Board, StatesFile
from edge_agent.collector.config import CollectorConfig
from edge_agent.collector.states import Alarm, AlarmCode, Phase, SiteNow, States, read_states, write_states
from edge_agent.domain.ids import SiteId
from edge_agent.errors import StatesUnreadable
from edge_agent.telemetry.clock import SystemClock

CONFIG = """archive = "archive.db"
timezone = "Asia/Kolkata"
[[site]]
id = "north"
endpoint = "tcp://127.0.0.1:1"
insecure_loopback_only = true
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "collector.toml").write_text(CONFIG)
    return tmp_path


def wrote(folder, age_s, *sites):
    now = SystemClock().now()
    states = States(written_at=now - timedelta(seconds=age_s), started=now - timedelta(days=1), collector="hq", sites=sites)
    write_states(folder / "states.json", states)
    return states


def site(name, phase=Phase.CURRENT, *alarms, **fields):
    since = SystemClock().now() - timedelta(seconds=200)
    told = tuple(Alarm(code=code, since=since, detail="what is wrong with it") for code in alarms)
    return SiteNow(site=name, phase=phase, phase_since=since, alarms=told, **fields)


def sites(folder, *options):
    return main(["sites", "--config", str(folder / "collector.toml"), *options])


def test_a_page_of_eighty_columns_puts_alarms_first(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long_name = "a-port-with-a-name-of-sixty-three-letters-as-long-as-it-can-be-1"
    wrote(folder, 1, site("alpha"), site("beta", head=1_234_567), site(long_name, Phase.SILENT, AlarmCode.SILENT, AlarmCode.POLICY_DRIFTED))
    assert sites(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0] == "3 sites: 2 current, 1 silent"
    assert lines[1].startswith(f"! {long_name}")
    order = [line.split()[0] for line in lines if line.split()[1:2] in (["silent"], ["current"])]
    assert order == [long_name[: len(order[0])], "beta", "alpha"]
    assert "1,234,567" in capsys.readouterr().out + "\n".join(lines)


def test_json_has_everything(folder, capsys):
    states = wrote(folder, 1, site("north", Phase.DRAINING, AlarmCode.CLOCK_SKEW, durable=5, head=9, clock_skew_s=-12.5, bundles=("d/1",)))
    assert sites(folder, "--json") == 0
    assert States.model_validate(json.loads(capsys.readouterr().out)) == states


@pytest.mark.parametrize(
    ("age_s", "alarms", "code"), [(1, (), 0), (1, (AlarmCode.SILENT,), 1), (16, (), 1)], ids=["well", "alarm", "no collector"]
)
def test_check_tells_monitoring_by_exit_code(folder, capsys, age_s, alarms, code):
    wrote(folder, age_s, site("north", Phase.CURRENT, *alarms))
    assert (sites(folder), sites(folder, "--check")) == (0, code)
    assert ("DOES NOT RUN" in capsys.readouterr().out) == (age_s > 15)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"written_at": 1}', b"\xff\x00", b"[" * 100_000])
def test_a_file_that_is_absent_or_not_ours_is_named(folder, capsys, content):
    if content is not None:
        (folder / "states.json").write_bytes(content)
    with pytest.raises(StatesUnreadable):
        read_states(folder / "states.json")
    assert sites(folder, "--check") == 1
    assert "states-unreadable" in capsys.readouterr().err


def test_what_is_written_is_read_again_and_nothing_else_is_left(folder):
    states = wrote(folder, 3, site("north", Phase.REFUSED, AlarmCode.REFUSED, code="wrong-site", detail="x"), site("south"))
    assert read_states(folder / "states.json") == states
    assert sorted(path.name for path in folder.iterdir()) == ["collector.toml", "states.json"]


def test_fields_of_a_newer_collector_are_passed_over(folder):
    wrote(folder, 1, site("north"))
    content = json.loads((folder / "states.json").read_text())
    content["sites"][0]["new_field"] = {"a": 1}
    (folder / "states.json").write_text(json.dumps(content))
    assert read_states(folder / "states.json").sites[0].site == "north"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (86_399, "23 h"), (200_000, "2 d")]
)
def test_a_duration_is_told_in_one_unit(seconds, text):
    assert ago(seconds) == text


def test_a_file_that_cannot_be_written_is_told_once_and_collecting_goes_on(tmp_path):
    states = tmp_path / "later" / "states.json"
    config = CollectorConfig.model_validate(
        {
            "archive": tmp_path / "a.db",
            "timezone": "UTC",
            "states": states,
            "site": [{"id": "north", "endpoint": "tcp://127.0.0.1:1", "insecure_loopback_only": True}],
        }
    )

    async def scene():
        clock = SystemClock()
        file = StatesFile(Board([SiteId("north")], clock, lambda _: None), config, clock)
        for _ in range(2):
            await file.write()
        states.parent.mkdir()
        await file.write()

    with structlog.testing.capture_logs() as log:
        asyncio.run(scene())
    assert [line["event"] for line in log] == ["states_postponed"]
    assert read_states(states).sites[0].site == "north"
