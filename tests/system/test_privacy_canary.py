"""Canary identifiers through a whole site, in side-cars and file names: they come out nowhere, and after an erasure they are in no file.

Looked at: every LIVE frame and heartbeat, the journal, headquarters' archive, the log of each process, what the console prints.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from benchmarks.site import ROOT, Process, running
from benchmarks.small_site import SmallSite
from edge_agent.domain.ids import ScanId, SiteId, Token
from edge_agent.formats.encode import tiff_bytes
from edge_agent.ledger import eviction
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.drops import load_picture
from edge_agent.transport.sockets import ClientSecurity

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CANARIES = {
    "containers": "CNRU4455660",
    "plates": "CANARY77",
    "drivers": "Canary Driver",
    "seals": "CNRSEAL9",
    "declaration": "CNR-DECL-1",
    "carrier": "Canary Lines",
    "consignee": "Canary Imports",
    "consignor": "Canary Exports",
    "operator": "Canary Operator",
    "vendor": "CNR-VENDOR-5",
}
NAMES = ("CNRU4455660_gate7", "CNRU4455660_broken")
WORDS = tuple(word.encode() for word in (*CANARIES.values(), "CNRU", "Canary", "CANARY"))


def sidecar(stem: str) -> bytes:
    content = {
        "scan": {"vendor_id": CANARIES["vendor"]},
        "capture": {"taken_at": "2026-03-02T12:00:00Z", "kind": "live", "operator": CANARIES["operator"]},
        "subject": {name: [CANARIES[name]] for name in ("containers", "plates", "drivers", "seals")},
        "declaration": {
            "id": CANARIES["declaration"],
            "carrier": CANARIES["carrier"],
            "consignee": CANARIES["consignee"],
            "consignor": CANARIES["consignor"],
            "goods": [{"hs": "0202", "description": "frozen beef"}],
        },
        "files": [f"{stem}_high.tif", f"{stem}_low.tif"],
    }
    return json.dumps(content).encode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[SmallSite, Process, Process, Process]]:
    """A site with one more scanner whose side-cars hold everything, a console and a collector."""
    small = SmallSite(tmp_path / "site")
    watched = small.site.watched("gate")
    watched.mkdir()
    shutil.copy(ROOT / "config/scanners/generic-json.toml", small.site.folder / "scanners-toml")
    scanner = f'[[scanner]]\nid = "gate"\nprofile = "generic-json"\nwatch = "{watched}"\ntimezone = "UTC"\nsubject = "cargo"\n'
    small.site.agent_toml.write_text(small.site.agent_toml.read_text() + f"\n{scanner}")
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        console, collector = small.site.console("console", "--json"), small.site.collector()
        with running(console, collector):
            yield small, daemon, console, collector


def subscribed(small: SmallSite, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """A reader of every LIVE frame, as a console's key may."""
    live_port = next(line.split(" = ")[1] for line in small.site.agent_toml.read_text().splitlines() if line.startswith("live_port"))
    security = ClientSecurity(small.site.keys["console"], small.site.keys["site"].public)
    socket = context.socket(zmq.SUB)
    socket.curve_serverkey = security.server_key.encode()
    socket.curve_publickey, socket.curve_secretkey = security.keys.public.encode(), security.keys.secret.encode()
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"tcp://127.0.0.1:{live_port}")
    assert socket.poll(40_000)
    return socket


def told(small: SmallSite) -> int:
    return sum(body.scanner == "gate" for body in small.bodies("assessment", "set-aside"))


def test_no_identifier_leaves_the_site_and_none_is_left_after_an_erasure(site: tuple[SmallSite, Process, Process, Process]) -> None:
    small, daemon, console, collector = site
    with zmq.Context() as context:
        live = subscribed(small, context)
        good, broken = NAMES
        for stem, high in ((good, tiff_bytes(load_picture(40, 60))), (broken, b"no picture at all")):
            low = tiff_bytes(load_picture(40, 60, seed=3))
            small.deliver_together({f"{stem}_high.tif": high, f"{stem}_low.tif": low, f"{stem}.json": sidecar(stem)}, "gate")
        small.wait_for(lambda: told(small) == 2, daemon)
        head = len(small.rows())
        small.wait_for(lambda: max((line.get("seq", 0) for line in console.json_lines()), default=0) >= head, console)
        archive = small.site.folder / "archive.db"
        small.wait_for(lambda: archive.exists() and b"set-aside" in b"".join(bytes_of(archive)), collector)
        assert collector.stop() == 0
        assert daemon.stop() == 0
        console.kill()
        frames = []
        while live.poll(2000):  # what the daemon sent last may still be on its way
            frames.append(b"|".join(live.recv_multipart()))
        live.close(0)
    out = {
        "LIVE": b"".join(frames),
        "journal": b"".join(row.body + row.topic.encode() for row in small.rows()),
        "archive": b"".join(bytes_of(archive)),
        **{process.name: process.log.read_bytes() for process in (daemon, console, collector)},
        "allow-list.json": (small.site.state_dir / "allow-list.json").read_bytes(),
    }
    assert {name: [word for word in WORDS if word in content] for name, content in out.items()} == {name: [] for name in out}
    assert b"~hb" in out["LIVE"]
    assert all(topic in out["LIVE"] for topic in (b"/gate/assessment/", b"/gate/set-aside/"))
    ledger = small.site.state_dir / "ledger.db"
    assert [word for word in WORDS if word in b"".join(bytes_of(ledger))] == list(WORDS), "the canaries did reach the site"
    erase_everything(ledger)
    assert [word for word in WORDS if word in b"".join(bytes_of(ledger))] == []


def erase_everything(path: Path) -> None:
    """Erase every identifier and every file name, as retention does when their time is over."""
    ledger = Ledger.open(path, SiteId("demo"), SystemClock())
    try:
        tokens = [Token(text) for (text,) in ledger.transact(lambda db: db.execute("SELECT token FROM identity").fetchall())]
        assert len(tokens) >= len(CANARIES)
        for (scan,) in ledger.transact(lambda db: db.execute("SELECT DISTINCT scan_id FROM job").fetchall()):
            ledger.transact(lambda db, scan=scan: eviction._forget_names(db, ScanId(scan)))
        assert ledger.erase(tokens) == len(tokens)
        assert ledger.verify() is None
    finally:
        ledger.close()


def bytes_of(path: Path) -> list[bytes]:
    """A database with its log."""
    return [beside.read_bytes() for beside in sorted(path.parent.glob(f"{path.name}*")) if beside.is_file()]
