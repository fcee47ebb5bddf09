"""The collector as a process, against a real desk over CURVE and a real ledger: killed, refused, restored, lied to."""

import asyncio
import json
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from edge_agent.agent.desk import Answers, JournalDesk
from edge_agent.agent.feed import Feed
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.cli.main import main
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import load
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId
from edge_agent.ledger.backup import back_up, restore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.site_journal import alert_for, assessment, audit, detection, kind_of, set_aside
from edge_agent.transport.context import open_context
from edge_agent.transport.desk import RouterDesk
from edge_agent.transport.keys import Admission, AllowList, Consumer, Role, load_public, load_secret, new_key_pair
from edge_agent.transport.live import LivePublisher
from edge_agent.transport.sockets import LIVE_DOMAIN, SYNC_DOMAIN, ServerSecurity
from edge_agent.transport.zap import ZapProvider
from edge_agent.wire.frames import topic
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import CodeParams, encode

CLOCK = SystemClock()
HEALTHY = SiteState(state="healthy", reasons=[], disk_free=0.5, bundles=[], sandbox="partial", in_flight=0)


def entry(body):
    scanner = ScannerId(body.scanner) if body.scanner else None
    where = topic(SiteId(body.site), scanner, body.kind)
    return Entry(FactId(body.fact_id), ScanId(body.scan_id) if body.scan_id else None, FactKind(body.kind), where, encode(body))


def bulky(site, count, start=0):
    """Facts of about 30 KB, so that a page of 1 MiB holds few of them and a drain takes many pages."""
    for n in range(start, start + count):
        yield audit(site, str(n)).model_copy(update={"event": CodeParams(code="filler", params={"text": "x" * 30_000})})


def make_ledger(folder, site, bodies):
    folder.mkdir(exist_ok=True)
    with closing(Ledger.open(folder / "ledger.db", SiteId(site), CLOCK)) as ledger:
        for body in bodies:
            ledger.append(entry(body))


def journal_rows(folder, site):
    with closing(Ledger.open(folder / "ledger.db", SiteId(site), CLOCK)) as ledger:
        rows, after = [], Seq(0)
        while page := ledger.rows(after, 500, 1 << 20):
            rows, after = rows + page, page[-1].seq
        return rows, ledger.acknowledged()


class ServedSite:
    """A site's sockets and its ledger, open."""

    def __init__(self, lane, feed, endpoint):
        self.lane = lane
        self.feed = feed
        self.endpoint = endpoint

    async def append(self, body):
        await self.lane.append(entry(body))
        self.feed.ring()


@asynccontextmanager
async def serving(folder, site, context, keys, port=0):
    """Serve the ledger in ``folder`` as ``site`` until left."""
    thread = Lane("ledger")
    ledger = await thread.run(Ledger.open, folder / "ledger.db", SiteId(site), CLOCK)
    lane = LedgerLane(ledger, thread)
    collector = Consumer("hq", load_public(str(keys / "hq.key")), Role.COLLECTOR, durable=True)
    security = ServerSecurity(load_secret(keys / f"{site}.key_secret"))
    publisher = LivePublisher(context, SiteId(site), "tcp://127.0.0.1:*", security)
    desk = RouterDesk(context, f"tcp://127.0.0.1:{port or '*'}", security, Admission(AllowList([collector]), CLOCK), lambda _trouble: None)
    feed = Feed(lane, publisher, CLOCK, lambda: HEALTHY)
    journal = JournalDesk(lane, Answers(SiteId(site), publisher.endpoint), CLOCK, feed.news, feed.ring)
    tasks = [asyncio.create_task(desk.serve(journal.answer)), asyncio.create_task(feed.run())]
    try:
        yield ServedSite(lane, feed, desk.endpoint)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        desk.close()
        publisher.close()
        await thread.run(ledger.close)
        thread.close()


@asynccontextmanager
async def guarded(keys):
    """The process's ZeroMQ context with its ZAP provider, which lets only the enrolled collector in."""
    with open_context() as context:
        admission = Admission(AllowList([Consumer("hq", load_public(str(keys / "hq.key")), Role.COLLECTOR, durable=True)]), CLOCK)
        zap = ZapProvider(context, admission, frozenset({LIVE_DOMAIN, SYNC_DOMAIN}), lambda _refusal: None)
        guard = asyncio.create_task(zap.serve())
        try:
            yield context
        finally:
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)
            zap.close()


class Headquarters:
    """Configuration, keys and archive of one collector."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.keys = folder / "keys"
        self.config = folder / "collector.toml"
        self.archive = folder / "archive.db"
        for name in ("hq", "north", "south", "stranger"):
            new_key_pair(name, self.keys)

    def configure(self, key="hq", journal_key="", **endpoints):
        signed = f'journal_key = "{journal_key}"\n' if journal_key else ""
        sites = "".join(
            f'[[site]]\nid = "{site}"\nendpoint = "{endpoint}"\nserver_key = "keys/{site}.key"\n{signed}'
            for site, endpoint in endpoints.items()
        )
        head = f'archive = "archive.db"\nsecret_key = "keys/{key}.key_secret"\ntimezone = "Asia/Kolkata"\n'
        self.config.write_text(head + sites)

    @asynccontextmanager
    async def collecting(self, *arguments):
        command = (sys.executable, "-m", "edge_agent", "collect", "--config", str(self.config), *arguments)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def drain(self):
        """Collect until nothing comes any more; give the exit code and the states told."""
        async with self.collecting("--until-idle", "3") as process:
            out, err = await process.communicate()
            return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()

    def rows(self, site, epoch):
        with Archive.read(self.archive, CLOCK) as archive:
            return list(archive.rows(SiteId(site), epoch))


@pytest.fixture
def hq(tmp_path):
    return Headquarters(tmp_path)


async def told(process, wanted):
    """Read states until one satisfies ``wanted``."""
    async for line in process.stdout:
        state = json.loads(line)
        if wanted(state):
            return state
    raise AssertionError((await process.stderr.read()).decode())


def test_kill_minus_nine_in_the_middle_of_a_drain_loses_and_doubles_nothing(hq, tmp_path):
    site = tmp_path / "north"
    make_ledger(site, "north", bulky("north", 700))

    async def storm():
        async with guarded(hq.keys) as context, serving(site, "north", context, hq.keys) as served:
            hq.configure(north=served.endpoint)
            for deaths in range(4):
                async with hq.collecting() as process:
                    state = await told(process, lambda state, least=150 * deaths + 40: state.get("durable", 0) >= least)
                    process.send_signal(signal.SIGKILL)
                    await process.wait()
                acknowledged = (await served.lane.call(Ledger.acknowledged)).get("hq")
                with Archive.read(hq.archive, CLOCK) as archive:
                    stored = archive.newest(SiteId("north"))
                assert stored.seq >= state["durable"]
                assert acknowledged is None or acknowledged.seq <= stored.seq
            return await hq.drain()

    code, states, _ = asyncio.run(storm())
    rows, acknowledged = journal_rows(site, "north")
    assert code == 0
    assert states[0].get("durable", 0) > 0 or states[-1]["rows"] < 700, "the last run went on from a stored cursor"
    assert hq.rows("north", rows[0].epoch) == rows
    assert acknowledged["hq"].seq == 700


def test_a_new_fact_comes_to_headquarters_that_waits_for_it_and_a_signal_ends_it_cleanly(hq, tmp_path):
    make_ledger(tmp_path / "north", "north", [audit("north", "start")])

    async def watch():
        async with guarded(hq.keys) as context, serving(tmp_path / "north", "north", context, hq.keys) as served:
            hq.configure(north=served.endpoint)
            async with hq.collecting() as process:
                await told(process, lambda state: state["phase"] == "current")
                await served.append(assessment("north", "a", "alert"))
                await told(process, lambda state: state["durable"] == 2)
                process.terminate()
                await asyncio.wait_for(process.wait(), 40)
                return process.returncode

    assert asyncio.run(watch()) == 0


def test_a_restored_ledger_that_kept_its_epoch_stops_its_site_loudly_and_the_other_goes_on(hq, tmp_path):
    north, south = tmp_path / "north", tmp_path / "south"
    make_ledger(north, "north", [audit("north", str(n)) for n in range(5)])
    make_ledger(south, "south", [audit("south", "1")])
    backup = (north / "ledger.db").read_bytes()
    make_ledger(north, "north", [audit("north", str(n)) for n in range(5, 9)])

    async def before_and_after():
        async with guarded(hq.keys) as context:
            async with serving(north, "north", context, hq.keys) as one, serving(south, "south", context, hq.keys) as other:
                hq.configure(north=one.endpoint, south=other.endpoint)
                first = await hq.drain()
            (north / "ledger.db").write_bytes(backup)
            make_ledger(north, "north", [audit("north", f"other {n}") for n in range(6)])
            make_ledger(south, "south", [audit("south", "2")])
            async with serving(north, "north", context, hq.keys) as one, serving(south, "south", context, hq.keys) as other:
                hq.configure(north=one.endpoint, south=other.endpoint)
                return first, await hq.drain()

    first, (code, states, err) = asyncio.run(before_and_after())
    assert first[0] == 0
    assert code == 1
    last = {state["site"]: state for state in states}
    assert (last["north"]["phase"], last["south"]["phase"], last["south"]["durable"]) == ("diverged", "current", 2)
    assert "STOPPED north" in err
    assert len(hq.rows("north", journal_rows(north, "north")[0][0].epoch)) == 9


def test_a_ledger_restored_by_our_command_is_read_again_from_its_beginning_and_counted_once(hq, tmp_path):
    north = tmp_path / "north"
    make_ledger(north, "north", [assessment("north", f"scan {n}") for n in range(5)])
    back_up(north / "ledger.db", tmp_path / "backup.db")
    make_ledger(north, "north", [assessment("north", f"scan {n}") for n in range(5, 9)])

    async def before_and_after():
        async with guarded(hq.keys) as context:
            async with serving(north, "north", context, hq.keys) as one:
                hq.configure(north=one.endpoint)
                first = await hq.drain()
            restored = restore(tmp_path / "backup.db", north / "ledger.db", CLOCK)
            make_ledger(north, "north", [assessment("north", f"scan {n}") for n in range(7, 11)])
            async with serving(north, "north", context, hq.keys) as one:
                hq.configure(north=one.endpoint)
                return first, await hq.drain(), restored

    first, (code, states, _), restored = asyncio.run(before_and_after())
    assert (first[0], code, states[-1]["phase"], states[-1]["durable"]) == (0, 0, "current", 10)
    assert len(hq.rows("north", restored.from_epoch)) == 9
    assert [row.hash for row in hq.rows("north", restored.copy.epoch)] == [row.hash for row in journal_rows(north, "north")[0]]
    with Archive.read(hq.archive, CLOCK) as archive:
        assert ("north", "assessment", 11) in archive.facts()


def test_signed_heads_come_with_the_rows_and_a_wrong_key_stops_the_acknowledgement(hq, tmp_path):
    north, key = tmp_path / "north", SigningKey.new("north")
    make_ledger(north, "north", [audit("north", str(n)) for n in range(5)])
    with closing(Ledger.open(north / "ledger.db", SiteId("north"), CLOCK)) as ledger:
        ledger.sign_head(key)
    make_ledger(north, "north", [audit("north", "after the head")])

    async def drained(journal_key):
        async with guarded(hq.keys) as context, serving(north, "north", context, hq.keys) as one:
            hq.configure(north=one.endpoint, journal_key=journal_key)
            return await hq.drain()

    code, states, _ = asyncio.run(drained(SigningKey.new("other").public.text))
    assert (code, states[-1]["phase"], states[-1]["durable"]) == (1, "refused", 0)
    assert journal_rows(north, "north")[1]["hq"].seq == 0
    code, states, _ = asyncio.run(drained(key.public.text))
    assert (code, states[-1]["phase"], states[-1]["durable"], states[-1]["signed"]) == (0, "current", 6, 5)


@pytest.mark.parametrize("fault", ["key not enrolled", "wrong server key", "nobody there"])
def test_a_site_that_cannot_be_reached_is_told_and_is_no_success(hq, tmp_path, fault):
    make_ledger(tmp_path / "north", "north", [audit("north", "start")])

    async def attempt():
        async with guarded(hq.keys) as context, serving(tmp_path / "north", "north", context, hq.keys) as served:
            hq.configure(key="stranger" if fault == "key not enrolled" else "hq", north=served.endpoint)
            if fault == "wrong server key":
                hq.config.write_text(hq.config.read_text().replace("keys/north.key", "keys/south.key"))
            if fault == "nobody there":
                hq.configure(north="tcp://127.0.0.1:1")
            async with hq.collecting("--until-idle", "1") as process:
                out, _ = await process.communicate()
                return process.returncode, [json.loads(line) for line in out.splitlines()]

    code, states = asyncio.run(attempt())
    assert code == 1
    assert states[-1]["phase"] == ("refused" if fault == "key not enrolled" else "silent")
    assert states[-1]["durable"] == 0


def test_a_second_collector_on_the_same_archive_is_refused(hq, tmp_path):
    make_ledger(tmp_path / "north", "north", [audit("north", "start")])

    async def both():
        async with guarded(hq.keys) as context, serving(tmp_path / "north", "north", context, hq.keys) as served:
            hq.configure(north=served.endpoint)
            async with hq.collecting() as first:
                await told(first, lambda state: state["phase"] == "current")
                return await hq.drain()

    code, _, err = asyncio.run(both())
    assert code == 1
    assert "archive-busy" in err


def test_the_report_shows_what_was_collected(hq, tmp_path, capsys):
    found = assessment("north", "a", "alert", findings=[detection("knife", 0.9)], reasons=[alert_for("knife")])
    demo = assessment("north", "b", "alert", capture=kind_of("synthetic"), findings=[detection("handgun")], reasons=[alert_for("handgun")])
    make_ledger(tmp_path / "north", "north", [found, demo, assessment("north", "c"), set_aside("north", "d", "unreadable-scan")])

    async def fetch():
        async with guarded(hq.keys) as context, serving(tmp_path / "north", "north", context, hq.keys) as served:
            hq.configure(north=served.endpoint)
            return (await hq.drain())[0]

    assert asyncio.run(fetch()) == 0
    assert main(["report", "--config", str(hq.config), "--format", "json"]) == 0
    live = json.loads(capsys.readouterr().out)
    assert [(row["alert"], row["no_alert"], row["set_aside"], row["coverage_n"]) for row in live["scans"]] == [(1, 1, 1, 3)]
    assert [(row["class"], row["day"], row["detections"], row["alerts"]) for row in live["detections"]] == [("knife", "2026-03-02", 1, 1)]
    assert live["set_aside"] == [{"site": "north", "scanner": "gate-1", "reason": "unreadable-scan", "scans": 1}]
    assert main(["report", "--config", str(hq.config), "--kind", "synthetic"]) == 0
    screen = capsys.readouterr().out
    assert "SIMULATED" in screen
    assert "handgun" in screen
    assert "knife" not in screen
    assert main(["report", "--config", str(hq.config), "--kind", "all", "--format", "csv", "--from", "2026-03-03"]) == 0
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith(("scans,", "detections,"))]


def test_a_report_before_anything_was_collected_is_a_configuration_error(hq, capsys):
    hq.configure(north="tcp://127.0.0.1:1")
    assert main(["report", "--config", str(hq.config)]) == 78
    assert "no archive yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('id = "north"', 'id = "North Port"', "site.0.id"),
        ("tcp://127.0.0.1:1", "udp://127.0.0.1:1", "site.0.endpoint"),
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:99999", "site.0.endpoint"),
        ("Asia/Kolkata", "Asia/Atlantis", "timezone"),
        ("archive =", "archiv =", "archiv"),
        ('server_key = "keys/north.key"', "", "site.0"),
        ('secret_key = "keys/hq.key_secret"', "", "secret_key"),
        ("[[site]]", "[site]", "site"),
    ],
)
def test_a_wrong_key_of_the_configuration_is_named(hq, capsys, old, new, named):
    hq.configure(north="tcp://127.0.0.1:1")
    hq.config.write_text(hq.config.read_text().replace(old, new))
    assert main(["collect", "--config", str(hq.config)]) == 78
    err = capsys.readouterr().err
    assert named in err
    assert "collector.toml" in err


def test_a_file_that_is_no_toml_or_absent_is_unreadable(hq, capsys):
    hq.config.write_text("archive = [")
    assert main(["collect", "--config", str(hq.config)]) == 78
    assert main(["collect", "--config", str(hq.folder / "nowhere.toml")]) == 78
    assert capsys.readouterr().err.count("config-unreadable") == 2


def test_the_example_configuration_loads():
    config = load(Path(__file__).parents[2] / "config" / "collector.example.toml")
    assert [entry.id for entry in config.site] == ["nhava-sheva", "mundra"]


def test_a_secret_key_open_to_others_is_refused(hq, capsys):
    hq.configure(north="tcp://127.0.0.1:1")
    (hq.keys / "hq.key_secret").chmod(0o644)
    assert main(["collect", "--config", str(hq.config)]) == 78
    assert "keys-missing" in capsys.readouterr().err


def test_headquarters_loads_no_heavy_library():
    code = "import sys, edge_agent.cli.collect, edge_agent.cli.report\n"
    code += "print(sorted({'numpy', 'cv2', 'onnxruntime', 'watchdog'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
