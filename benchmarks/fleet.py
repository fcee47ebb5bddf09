"""Many simulated sites in one process: journals in memory behind real ROUTER desks with CURVE, each with a key and a port of its own.

``python -m benchmarks.fleet FOLDER --sites N --backlog ROWS`` writes ``FOLDER/collector.toml`` and its keys, says ``{"ready": N}`` and
obeys lines on standard input: ``rate R`` (so many assessments a second over all sites from now on; after ``say 1`` each is told),
``acknowledged``, ``level`` (wait until headquarters acknowledged every row, then tell), ``heads`` (tell number and chain hash of each
site's last row), ``end``.
"""

import argparse
import asyncio
import itertools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.agent.feed import Doorbell, rung
from edge_agent.domain.ids import Seq, SiteId, fact_id
from edge_agent.errors import Diverged, EpochChanged
from edge_agent.signing.heads import sign_head
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.site_journal import A_SCANNER, NOON, assessment, detection, scan_named, with_findings
from edge_agent.transport.context import open_context
from edge_agent.transport.desk import Peer, RouterDesk
from edge_agent.transport.keys import Admission, AllowList, Consumer, Role, new_key_pair
from edge_agent.transport.sockets import SYNC_DOMAIN, ServerSecurity
from edge_agent.transport.zap import ZapProvider
from edge_agent.wire import verbs
from edge_agent.wire.chain import JournalHead, JournalRow, link
from edge_agent.wire.frames import Envelope, topic
from edge_agent.wire.heads import ROWS_BETWEEN, SignedHead, SignedHeadPart
from edge_agent.wire.heartbeat import SiteState, StatusReply
from edge_agent.wire.messages import BundlePart, encode
from edge_agent.wire.verbs import BatchReply, HelloReply, LimitsPart, PullRequest, Verb, YouPart

CLOCK = SystemClock()
_TICK_S = 0.05
_LABELS = ("knife", "gun", "cigarettes")
_FACT, _SCAN = "00000000-0000-0000-0000-00000000fac7", "00000000-0000-0000-0000-0000000005ca"


@dataclass
class FleetSite:
    """One site's journal. A body is a template with its identities put in: encoding is not what is measured."""

    name: str
    key: SigningKey
    rows: list[JournalRow] = field(default_factory=list)
    news: Doorbell = field(default_factory=Doorbell)
    acknowledged: int = 0
    signed: SignedHead | None = None

    def __post_init__(self) -> None:
        self.epoch = self.name.encode().ljust(16, b"-")[-16:]
        self._topic = topic(SiteId(self.name), A_SCANNER, "assessment")
        found = [detection(label, 0.4 + 0.2 * n) for n, label in enumerate(_LABELS)]
        plain = with_findings(assessment(self.name, "", "alert", NOON), found, _LABELS[:1])
        self._template = encode(plain.model_copy(update={"fact_id": _FACT, "scan_id": _SCAN}))

    def add(self) -> str:
        """Append one assessment; give its scan."""
        seq = Seq(len(self.rows) + 1)
        scan = scan_named(self.name, str(seq))
        fact = fact_id(scan, "assessment", 1, "pixels")
        body = self._template.replace(_FACT.encode(), fact.encode()).replace(_SCAN.encode(), scan.encode())
        digest = link(self.hash_at(seq - 1), seq, body)
        self.rows.append(JournalRow(self.epoch, seq, Seq(seq - 1), self._topic, body, digest))
        if seq % ROWS_BETWEEN == 0:
            head = JournalHead(self.epoch, Seq(1), seq, digest)
            self.signed = sign_head(self.key, SiteId(self.name), head, 1_700_000_000_000_000 + seq)
        return scan

    def hash_at(self, seq: int) -> bytes:
        """Give the chain hash after row ``seq``."""
        return self.rows[seq - 1].hash if seq else self.epoch

    async def answer(self, _peer: Peer, request: Envelope) -> Envelope:
        """Answer as a site's desk does."""
        head = {"epoch": self.epoch.hex(), "head": len(self.rows)}
        if request.verb == Verb.PULL:
            return await self._pull(request)
        if request.verb == Verb.PING:
            bundle = BundlePart(name="detector", version="0.1.0", sha256="ab" * 32, state="simulated")
            state = SiteState(state="healthy", reasons=[], bundles=[bundle], daemon="edge-agent fleet", policy_digest="d0" * 32)
            return Envelope(Verb.PONG, request.request_id, verbs.content(StatusReply(**head, clock=CLOCK.now(), state=state)))
        you = YouPart(name="hq", role="collector", durable=True)
        first: dict[str, Any] = {"proto": 1, "first": 1, "first_hash": self.epoch.hex(), "site": self.name, "schemas": []}
        reply = HelloReply(**head, **first, limits=LimitsPart(), live="tcp://127.0.0.1:5570", you=you)
        return Envelope(Verb.HELLO, request.request_id, verbs.content(reply))

    async def _pull(self, request: Envelope) -> Envelope:
        asked = verbs.read(PullRequest, request.content)
        if asked.epoch != self.epoch.hex():
            raise EpochChanged("another epoch")
        if asked.after > len(self.rows) or (asked.hash is not None and self.hash_at(asked.after).hex() != asked.hash):
            raise Diverged("no such row here")
        if asked.durable is not None:
            self.acknowledged = asked.after
        turn = self.news.turn()
        if asked.after == len(self.rows) and asked.wait_ms:
            await rung(turn, asked.wait_ms / 1000)
        rows = tuple(self.rows[asked.after : asked.after + asked.max])
        part = SignedHeadPart.of(self.signed) if self.signed is not None and asked.durable is not None else None
        reply = BatchReply(epoch=asked.epoch, head=len(self.rows), n=len(rows), signed_head=part)
        return Envelope(Verb.BATCH, request.request_id, verbs.content(reply), rows)


class Fleet:
    """All sites of the process, and what makes their rows."""

    def __init__(self, sites: list[FleetSite]) -> None:
        self.sites = sites
        self.rate = 0.0
        self.is_telling = False

    async def make(self) -> None:
        """Append rows at the rate that was asked for, one site after the other, until cancelled."""
        due, turns = 0.0, itertools.cycle(self.sites)
        while True:
            begun = CLOCK.monotonic()
            await asyncio.sleep(_TICK_S)
            due = due + self.rate * (CLOCK.monotonic() - begun) if self.rate else 0.0
            for _ in range(int(due)):
                site = next(turns)
                scan = site.add()
                site.news.ring()
                if self.is_telling:
                    say({"made": scan, "site": site.name, "at": CLOCK.monotonic()})
            due -= int(due)

    async def level(self) -> None:
        """Wait until every row is acknowledged."""
        while any(site.acknowledged < len(site.rows) for site in self.sites):  # noqa: ASYNC110 - what is waited for is told by peers
            await asyncio.sleep(0.02)

    async def obey(self) -> None:
        """Do what standard input says, until it ends."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while words := (await reader.readline()).decode().split():
            match words:
                case ["rate", rate]:
                    self.rate = float(rate)
                    say({"rate": self.rate, "rows": self.total})
                case ["say", flag]:
                    self.is_telling = flag == "1"
                case ["level"]:
                    await self.level()
                    say({"level": self.total, "at": CLOCK.monotonic()})
                case ["acknowledged"]:
                    say({"acknowledged": sum(site.acknowledged for site in self.sites), "rows": self.total, "at": CLOCK.monotonic()})
                case ["heads"]:
                    say({"heads": {site.name: [len(site.rows), site.hash_at(len(site.rows)).hex()] for site in self.sites}})
                case _:
                    return

    @property
    def total(self) -> int:
        return sum(len(site.rows) for site in self.sites)


def say(content: dict[str, Any]) -> None:
    """Tell the process that started this one."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


async def serve(folder: Path, count: int, backlog: int, archive: str) -> None:
    """Hold ``count`` sites of ``backlog`` rows each until told to end."""
    hq = new_key_pair("hq", folder)
    entries = [f'archive = "{archive}"\nsecret_key = "hq.key_secret"\ntimezone = "Asia/Kolkata"\nstates = "states.json"\n']
    with open_context() as context:
        admission = Admission(AllowList([Consumer("hq", hq.public, Role.COLLECTOR, durable=True)]), CLOCK)
        zap = ZapProvider(context, admission, frozenset({SYNC_DOMAIN}), lambda refusal: say({"refused": refusal.reason}))
        fleet = Fleet([])
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(zap.serve()), tasks.create_task(fleet.make())]
            for number in range(count):
                site = FleetSite(f"site-{number:03d}", SigningKey.new(f"site-{number:03d}"))
                for _ in range(backlog):
                    site.add()
                keys = new_key_pair(site.name, folder)
                desk = RouterDesk(
                    context, "tcp://127.0.0.1:*", ServerSecurity(keys), admission, lambda trouble: say({"trouble": trouble.code})
                )
                working.append(tasks.create_task(desk.serve(site.answer)))
                fleet.sites.append(site)
                where = f'endpoint = "{desk.endpoint}"\nserver_key = "{keys.public}"\njournal_key = "{site.key.public.text}"'
                entries.append(f'[[site]]\nid = "{site.name}"\n{where}\n')
            (folder / "collector.toml").write_text("".join(entries))
            say({"ready": count})
            await fleet.obey()
            for task in working:
                task.cancel()


def main() -> None:
    """Run as a process of a benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="collector.toml and its keys are written there")
    parser.add_argument("--sites", type=int, required=True, metavar="N", help="simulated sites, each with a port and a key of its own")
    parser.add_argument(
        "--backlog", type=int, default=0, metavar="ROWS", help="rows that each journal holds from the start (default: %(default)s)"
    )
    parser.add_argument("--archive", default="archive.db", help="archive that collector.toml names (default: %(default)s)")
    args = parser.parse_args()
    asyncio.run(serve(args.folder, args.sites, args.backlog, args.archive))


if __name__ == "__main__":
    main()
