"""The processes of the chaos run that are not commands of ours: a site that writes a journal, and a console that keeps what it is handed.

``python -m benchmarks.chaos_workers site|console SETTING.json``. Both are killed at any moment and started again: whatever they must
remember lies in their ledger or in their log. Ledger, feed, desks, sockets and client are the daemon's own; only inference is left out.
"""

import asyncio
import json
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from edge_agent.console.client import ConsoleClient, Decision, LinkState, Only, SeenFact, Site, Wish
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId
from edge_agent.errors import PeerError, TryLater
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing import site_journal
from edge_agent.testing.loopback import Keyring, LoopbackSite, Setting, loopback_site
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import Consumer, KeyPair, Role
from edge_agent.transport.sockets import ClientSecurity, Context
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AnyBody, AssessmentBody, encode

SCANNERS = ("gate-1", "gate-2", "gate-3")
_ALERT_EVERY, _SET_ASIDE_EVERY, _BURST_EVERY, _BURST = 8, 25, 40, 10
_PAUSE_S = 0.5


def say(out: TextIO, **content: object) -> None:
    """Append a line with the moment (the machine's monotonic clock, s) and hand it to the kernel: it outlives a SIGKILL of this process."""
    out.write(json.dumps({"at": time.monotonic(), **content}) + "\n")
    out.flush()


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Give the whole lines of a log; a kill may have torn the last one."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


@contextmanager
def appending(log: Path) -> Iterator[TextIO]:
    """Open a log for another life; a torn last line is cut off."""
    if log.exists():
        whole = log.read_bytes()
        with log.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)
    with log.open("a") as out:
        yield out


# ---------------------------------------------------------------------------------------------------------------------------- the site


@dataclass(frozen=True)
class SitePlan:
    """A site's process. ``outbound``: where headquarters listens for it, if it does.

    ``rate``: scans a second until there are ``scans``; ``log``: what was committed, a line after each commit.
    """

    site: str
    folder: str
    log: str
    sync_port: int
    live_port: int
    scans: int
    rate: float
    server: KeyPair
    consumers: tuple[Consumer, ...]
    outbound: str = ""

    @classmethod
    def read(cls, path: Path) -> "SitePlan":
        """Read what :func:`write_plan` wrote."""
        content = json.loads(path.read_text())
        consumers = (Consumer(c["name"], c["public"], Role(c["role"]), durable=c["durable"]) for c in content.pop("consumers"))
        return cls(**{**content, "server": KeyPair(**content["server"]), "consumers": tuple(consumers)})


def write_plan(path: Path, plan: "SitePlan | ConsolePlan") -> None:
    """Write the setting of a process; it holds a secret key made for this run."""
    path.touch(0o600)
    path.write_text(json.dumps(asdict(plan)))


async def run_site(plan: SitePlan) -> None:
    """Commit scans at a steady rate with bursts; go on where the last life ended; then only serve. Until cancelled."""
    setting = Setting(
        Keyring(server=plan.server),
        site=SiteId(plan.site),
        consumers=plan.consumers,
        sync=f"tcp://127.0.0.1:{plan.sync_port}",
        live=f"tcp://127.0.0.1:{plan.live_port}",
        live_shown=f"tcp://*:{plan.live_port}",
        outbound=plan.outbound,
    )
    with appending(Path(plan.log)) as log:
        async with loopback_site(Path(plan.folder), setting) as site:
            await _commit(site, site_journal.audit(plan.site, f"start-{time.monotonic_ns()}"), log)
            for number in range(await _next_scan(site, plan), plan.scans):
                await _commit(site, scan_of(plan.site, number), log)
                if number % _BURST_EVERY >= _BURST:
                    await asyncio.sleep(_BURST_EVERY / (_BURST_EVERY - _BURST) / plan.rate)
            say(log, done=plan.scans)
            await asyncio.Event().wait()


def scan_of(site: str, number: int) -> AnyBody:
    """Give what the site concludes about its scan ``number``."""
    name, scanner = f"scan-{number}", SCANNERS[number % len(SCANNERS)]
    if number % _SET_ASIDE_EVERY == _SET_ASIDE_EVERY - 1:
        return site_journal.set_aside(site, name)
    conclusion = "alert" if number % _ALERT_EVERY == 0 else "no-alert"
    reasons = [site_journal.alert_for("handgun")] if conclusion == "alert" else []
    return site_journal.assessment(site, name, conclusion, scanner=scanner, reasons=reasons)


async def _next_scan(site: LoopbackSite, plan: SitePlan) -> int:
    """Give the first scan that no earlier life committed: found in the ledger, for the log may lack the last one."""
    for number in range(plan.scans):
        if await site.ledger.call(Ledger.has_fact, FactId(scan_of(plan.site, number).fact_id)) is None:
            return number
    return plan.scans


async def _commit(site: LoopbackSite, body: AnyBody, log: TextIO) -> None:
    scanner = ScannerId(body.scanner) if body.scanner else None
    scan = ScanId(body.scan_id) if body.scan_id else None
    entry = Entry(FactId(body.fact_id), scan, FactKind(body.kind), topic(SiteId(body.site), scanner, body.kind), encode(body))
    (seq,) = await site.add(entry)
    say(log, seq=seq, fact=body.fact_id)


# ------------------------------------------------------------------------------------------------------------------------- the console


@dataclass(frozen=True)
class Watched:
    """A site as one console reaches it. ``log``: everything that the console is handed, across all its lives."""

    endpoint: str
    server_key: str
    log: str


@dataclass(frozen=True)
class ConsolePlan:
    """A console's process. ``scanners``: all when empty, else only their assessments; ``decides``: it sends a verdict for each alert."""

    keys: KeyPair
    sites: tuple[Watched, ...]
    scanners: tuple[str, ...] = ()
    decides: bool = False

    @classmethod
    def read(cls, path: Path) -> "ConsolePlan":
        """Read what :func:`write_plan` wrote."""
        content = json.loads(path.read_text())
        sites = tuple(Watched(**site) for site in content["sites"])
        return cls(KeyPair(**content["keys"]), sites, tuple(content["scanners"]), content["decides"])

    @property
    def only(self) -> Only:
        return Only(self.scanners, ("assessment",) if self.scanners else ())


async def run_console(plan: ConsolePlan) -> None:
    """Follow every site until cancelled. A site that refuses us, or diverges, ends the process: the judge must hear of it."""
    with open_context() as context:
        async with asyncio.TaskGroup() as tasks:
            for site in plan.sites:
                tasks.create_task(_follow(context, plan, site))


async def _follow(context: Context, plan: ConsolePlan, site: Watched) -> None:
    before = lines_of(Path(site.log))
    start = resume(before, len(plan.scanners))
    where = Site(site.endpoint, ClientSecurity(plan.keys, site.server_key))
    client = ConsoleClient(context, where, SystemClock(), Wish(start, plan.only))
    alerts: asyncio.Queue[str] = asyncio.Queue()
    for scan in _undecided(before):
        alerts.put_nowait(scan)
    with appending(Path(site.log)) as out:
        say(out, start=start)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_keep(client, out, alerts))
                if plan.decides:
                    tasks.create_task(_decide(client, alerts, out))
        finally:
            client.close()


def resume(lines: Sequence[dict[str, Any]], topics: int) -> Seq:
    """Give the number to go on after. ``topics``: how many are watched, 0 = the whole stream.

    Some topics are each in order, but not with one another: all that is sure is behind the last row of the slowest of them.
    """
    last = {line["topic"]: line["seq"] for line in lines if "seq" in line}
    if len(last) < topics:
        return Seq(0)
    return Seq((min if topics else max)(last.values(), default=0))


async def _keep(client: ConsoleClient, out: TextIO, alerts: "asyncio.Queue[str]") -> None:
    async with aclosing(client.events()) as events:
        async for event in events:
            match event:
                case SeenFact(body=AssessmentBody() as body):
                    is_alert = body.conclusion == "alert"
                    say(out, seq=event.seq, topic=event.topic, fact=body.fact_id, alert=body.scan_id if is_alert else None)
                    if is_alert:
                        alerts.put_nowait(body.scan_id or "")
                case SeenFact():
                    say(out, seq=event.seq, topic=event.topic, fact=event.body.fact_id if event.body else "")
                case LinkState():
                    say(out, phase=event.phase.value, missed=event.missed, handed=event.seq)


def _undecided(lines: Sequence[dict[str, Any]]) -> list[str]:
    decided = {line["decided"] for line in lines if "decided" in line}
    return [scan for line in lines if (scan := line.get("alert")) and scan not in decided]


async def _decide(client: ConsoleClient, alerts: "asyncio.Queue[str]", out: TextIO) -> None:
    """Send a verdict for each alert until its site has committed it. Its identity is the scan's, so another life sends the same one."""
    while True:
        scan = await alerts.get()
        verdict = Decision(ScanId(scan), 1, "suspicious", "officer-7", verdict_id=str(uuid.uuid5(uuid.NAMESPACE_OID, scan)))
        if await _is_committed(client, verdict):
            say(out, decided=scan)
        else:
            alerts.put_nowait(scan)
            await asyncio.sleep(_PAUSE_S)


async def _is_committed(client: ConsoleClient, verdict: Decision) -> bool:
    try:
        await client.decide(verdict)
    except (PeerError, TryLater):
        return False
    return True


async def _until_signal(work: "asyncio.Task[None]") -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    await asyncio.wait({work})
    if not work.cancelled():
        work.result()


async def main(role: str, setting: Path) -> None:
    """Be a site or a console until SIGTERM."""
    job = run_site(SitePlan.read(setting)) if role == "site" else run_console(ConsolePlan.read(setting))
    await _until_signal(asyncio.create_task(job))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
