"""A site at its busiest as a process: a long queue of scans, more of them arriving at a steady rate, pictures for the newest.

``python -m benchmarks.busy_site PLAN.json``. Ledger, feed, desks, sockets and pictures are the daemon's own; only inference is left out.
It may be killed at any moment and started again with the same plan: it goes on where its ledger ends.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import busy_scans
from benchmarks.site import Process, free_port
from edge_agent.domain.assessment import BlobRef, FactKind
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import DropKey, FactId, ScanId, Seq, scan_id
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.package import PackageRef, write_package
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.connection import writing
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Entry, IdentityRow
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE, an_acceptance, an_arrival, digest_of
from edge_agent.testing.loopback import Keyring, LoopbackSite, Setting, loopback_site
from edge_agent.transport.keys import Consumer, KeyPair, Role, load_secret, new_key_pair
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import topic
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import AnyBody, CodeParams, decode, encode

DEGRADED = "degraded"
"""A file of this name in the site's folder makes its health degraded."""
HELD_BACK = "held-back"
"""While a file of this name is in the site's folder, no scan arrives."""
_APART_S = 20.0
"""Between two scans of the queue, as the site's clock saw them."""
_PAGE = 500


@dataclass(frozen=True)
class BusyPlan:
    """What the site does. ``queued``: scans there at the start, number 0 the newest; ``pictured``: so many of the newest have pictures.

    ``rate``: scans a second that arrive then, until there are ``arriving`` of them.
    ``live_shown`` and ``blob_shown``: where consoles are told to listen and to fetch pictures, when something stands between them and
    the site.
    """

    queued: int = 10_000
    rate: float = 0.0
    arriving: int = 0
    pictured: int = 30
    live_shown: str = ""
    blob_shown: str = ""


class BusySite:
    """A busy site's folder, keys and addresses, as whoever starts it sees them."""

    def __init__(self, folder: Path, plan: BusyPlan) -> None:
        """Make keys and the plan's file. The console's key may decide as supervisor."""
        self.folder = folder
        self.plan = plan
        self.keys: dict[str, KeyPair] = {name: new_key_pair(name, folder / "keys") for name in ("site", "console", "hq")}
        self.sync_port, self.live_port, self.blob_port = free_port(), free_port(), free_port()
        content = {"folder": str(folder), "plan": asdict(plan), "ports": [self.sync_port, self.live_port, self.blob_port]}
        self.plan_file.write_text(json.dumps(content))

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.sync_port}"

    def process(self) -> Process:
        """Start the site; it says ``{"event": "agent_started"}`` when the queue is whole and its sockets are bound."""
        return Process("site", (sys.executable, "-m", "benchmarks.busy_site", str(self.plan_file)), self.folder / "site.log")

    def bodies(self, *kinds: str) -> list[AnyBody]:
        """Give the journal's bodies of some kinds, in order."""
        return [body for body in (decode(row.body) for row in self.rows()) if body.kind in kinds]

    def rows(self) -> list[JournalRow]:
        """Give the whole journal."""
        reader = LedgerReader.open(self.folder / "ledger.db")
        try:
            rows: list[JournalRow] = []
            while page := reader.rows(Seq(len(rows)), _PAGE, 1 << 24):
                rows += page
            return rows
        finally:
            reader.close()


def named(number: int) -> ScanId:
    """Give the identity of scan ``number``."""
    name = f"scan-{number}"
    return scan_id(SITE, busy_scans.scanner_of(number), DropKey(name), digest_of(name))


async def run(folder: Path, plan: BusyPlan, ports: Sequence[int]) -> None:
    """Fill the queue, then let scans arrive, then only serve; until cancelled."""
    keyring = Keyring(server=load_secret(folder / "keys/site.key_secret"))
    console, hq = (load_secret(folder / f"keys/{name}.key_secret") for name in ("console", "hq"))
    consumers = (
        Consumer("console", console.public, Role.CONSOLE, supervisors=True, controls=True),
        Consumer("hq", hq.public, Role.COLLECTOR, durable=True),
    )
    sync, live, blob = (f"tcp://127.0.0.1:{port}" for port in ports)
    shown_live, shown_blob = plan.live_shown or live, plan.blob_shown or blob
    told = Setting(keyring, consumers, sync=sync, live=live, blob=blob, live_shown=shown_live, blob_shown=shown_blob)
    setting = replace(told, state=lambda: _state(folder))
    pictures = _Pictures(folder)
    started = datetime.now(UTC)
    _fill(folder, plan, pictures, started)
    async with loopback_site(folder, setting) as site:
        print(json.dumps({"event": "agent_started", "scans": plan.queued}), flush=True)
        if plan.rate:
            while (folder / HELD_BACK).exists():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.05)
            await _arrive(site, plan, pictures)
        await asyncio.Event().wait()


def _state(folder: Path) -> SiteState:
    bundles = busy_scans.BUNDLES
    if (folder / DEGRADED).exists():
        return SiteState(state="degraded", reasons=[CodeParams(code="self-test-failed")], bundles=bundles)
    return SiteState(state="healthy", bundles=bundles, disk_free=0.61, in_flight=2)


def _fill(folder: Path, plan: BusyPlan, pictures: "_Pictures", now: datetime) -> None:
    """Commit the queue in few transactions, the oldest scan first; nothing when it was committed by an earlier life."""
    ledger = Ledger.open(folder / "ledger.db", SITE, SystemClock())
    try:
        if ledger.has_fact(FactId(busy_scans.body(named(0), 0, now).fact_id)) is not None:
            return
        numbers = list(range(plan.queued - 1, -1, -1))
        for page in (numbers[start : start + _PAGE] for start in range(0, len(numbers), _PAGE)):
            who = _identities(ledger, page)
            for number in page:
                pictures.store(ledger, number, plan)
            with writing(ledger._db):  # noqa: SLF001 - in the runtime a transaction holds one fact
                for number, row in zip(page, who, strict=True):
                    at = now - timedelta(seconds=_APART_S * (number + 1))
                    pictures.commit(ledger, number, _entry(number, at, pictures.of(number, plan), (row,)), plan)
    finally:
        ledger.close()


async def _arrive(site: LoopbackSite, plan: BusyPlan, pictures: "_Pictures") -> None:
    """Commit scans at a steady rate."""
    number = await _next(site, plan)
    due = time.monotonic()
    while number < plan.queued + plan.arriving:
        now = datetime.now(UTC)
        who = await site.ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, busy_scans.container_of(number))])
        await site.add(_entry(number, now, pictures.of(number, plan), who))
        number += 1
        due += 1 / plan.rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _next(site: LoopbackSite, plan: BusyPlan) -> int:
    """Give the first arriving number that no earlier life committed."""
    low, high = plan.queued, plan.queued + plan.arriving
    while low < high:
        middle = (low + high) // 2
        fact = FactId(busy_scans.body(named(middle), middle, datetime.now(UTC)).fact_id)
        if await site.ledger.has_fact(fact) is None:
            high = middle
        else:
            low = middle + 1
    return low


def _identities(ledger: Ledger, numbers: Sequence[int]) -> tuple[IdentityRow, ...]:
    return ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, busy_scans.container_of(number)) for number in numbers])


def _entry(number: int, at: datetime, blobs: Sequence[BlobRef], who: Sequence[IdentityRow]) -> Entry:
    content = busy_scans.body(named(number), number, at, blobs, who)
    where = topic(SITE, busy_scans.scanner_of(number), FactKind.ASSESSMENT)
    return Entry(FactId(content.fact_id), named(number), FactKind.ASSESSMENT, where, encode(content))


class _Pictures:
    """Two packages and two pictures on the disk that all scans share: what is measured is fetching and showing them."""

    def __init__(self, folder: Path) -> None:
        store = BlobStore(folder / "blobs")
        preview = busy_scans.load()[::4, ::4] >> 8
        self._blobs = tuple(
            BlobRef(*store.put(content), "image/png", role)
            for content, role in ((png_bytes(preview.astype("uint8")), "preview:side"), (png_bytes(busy_scans.heat()), "heatmap:side"))
        )
        self._packages = {name: _package(folder, name, is_bits=name == "bits") for name in ("bits", "load")}
        self._jobs: dict[int, int] = {}

    def of(self, number: int, plan: BusyPlan) -> tuple[BlobRef, ...]:
        """Give the preview and the heat map of a scan."""
        return self._blobs if number < plan.pictured else ()

    def store(self, ledger: Ledger, number: int, plan: BusyPlan) -> None:
        """Take a scan that has pictures in hand, as the daemon does."""
        if number < plan.pictured:
            arrival = an_arrival(f"scan-{number}", scanner=busy_scans.scanner_of(number))
            ledger.accept([an_acceptance(arrival)])
            job = ledger.claim(datetime.now(UTC))
            assert job is not None
            assert job.scan_id == named(number)
            self._jobs[number] = job.job_id

    def commit(self, ledger: Ledger, number: int, entry: Entry, plan: BusyPlan) -> None:
        """Append the fact, with its job and its package if the scan has pictures; the caller holds the transaction."""
        at = datetime.now(UTC)
        ledger._journal.append(entry, at)  # noqa: SLF001
        if number in self._jobs:
            jobs, job = ledger._jobs, self._jobs.pop(number)  # noqa: SLF001
            package = self._packages["bits" if number == 0 else "load"]
            jobs.assessed(job, entry.fact_id, at)
            jobs.refer_blobs(entry.fact_id, self.of(number, plan))
            jobs.mark_packed(job, f"packages/{package.path.name}", package.scan_json_sha256)


def _package(folder: Path, name: str, *, is_bits: bool) -> PackageRef:
    scan = busy_scans.pictured(named(0), busy_scans.scanner_of(0), is_bits=is_bits)
    return write_package(scan, (), folder / "packages" / f"{name}.scan.zip")


async def main(content: dict[str, Any]) -> None:
    """Be a site until SIGTERM. ``content``: of the plan's file."""
    work = asyncio.create_task(run(Path(content["folder"]), BusyPlan(**content["plan"]), content["ports"]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    await asyncio.wait({work})
    if not work.cancelled():
        work.result()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
