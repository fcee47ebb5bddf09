"""A site's whole wire side as the daemon composes it, with its keeper of the allow-list over a real ``agent.toml``; no models."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.admissions import GateJournal
from edge_agent.agent.allow_list import Gatekeeper
from edge_agent.agent.config import load_config
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.shelf import Shelf
from edge_agent.agent.sockets import Sockets, Stock, open_sockets
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.loopback import Keyring
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import Consumer
from edge_agent.transport.sockets import Context
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import AuditBody, decode

_CONFIG = Path(__file__).resolve().parents[2] / "config"


@dataclass
class GatedSite:
    """A running site. ``context``: of the clients."""

    folder: Path
    keys: Keyring
    gate: Gatekeeper
    ledger: LedgerLane
    sockets: Sockets
    context: Context

    @property
    def agent_toml(self) -> Path:
        return self.folder / "agent.toml"

    def enrol(self, consumers: Sequence[Consumer], more: str = "") -> None:
        """Write the file anew, whole, with another allow-list."""
        write_agent_toml(self.folder, consumers, more)

    async def add(self, *entries: Entry) -> list[Seq]:
        """Commit facts and ring the feed."""
        seqs = [(await self.ledger.append(entry)).seq for entry in entries]
        self.sockets.feed.ring()
        return seqs

    async def rows(self) -> list[JournalRow]:
        """Give the whole journal, of up to 500 rows."""
        return await self.ledger.rows(Seq(0), 500, 1 << 24)

    async def audits(self, *codes: str) -> list[AuditBody]:
        """Give the audit facts with one of ``codes``, in order."""
        bodies = [decode(row.body) for row in await self.rows()]
        return [body for body in bodies if isinstance(body, AuditBody) and body.event.code in codes]

    async def audited(self, *codes: str, count: int = 1, within_s: float = 40.0) -> list[AuditBody]:
        """Wait until there are ``count`` such audit facts.

        Raises:
            TimeoutError: there are not.
        """
        async with asyncio.timeout(within_s):
            while len(found := await self.audits(*codes)) < count:  # noqa: ASYNC110 - what is waited for is on the disk
                await asyncio.sleep(0.02)
        return found


def write_agent_toml(folder: Path, consumers: Sequence[Consumer], more: str = "") -> Path:
    """Write a valid ``agent.toml`` over an earlier one, by a rename. ``more``: lines at its top."""
    tables = "".join(_table(consumer) for consumer in consumers)
    unfinished, path = folder / "agent.toml.new", folder / "agent.toml"
    unfinished.write_text(
        f'{more}\nstate_dir = "state"\npolicy = "{_CONFIG}/policy.example.toml"\nprofiles = "{_CONFIG}/scanners"\n'
        '[site]\nid = "harbour"\ntimezone = "UTC"\n'
        '[[scanner]]\nid = "gate-1"\nprofile = "plain-image"\nwatch = "incoming"\ntimezone = "UTC"\nsubject = "cargo"\n'
        f'[wire]\nlive_port = 0\nsync_port = 0\nblob_port = 0\nkey = "site.key_secret"\n# Who may connect.\n{tables}'
    )
    unfinished.rename(path)
    return path


def _table(consumer: Consumer) -> str:
    end = f"not_after = {consumer.not_after.isoformat()}\n" if consumer.not_after else ""
    durable = "durable = true\n" if consumer.durable else ""
    return f'\n[[consumer]]\nname = "{consumer.name}"\nkey = "{consumer.public}"\nrole = "{consumer.role}"\n{durable}{end}'


@asynccontextmanager
async def gated_site(
    folder: Path, keys: Keyring, consumers: Sequence[Consumer] | None = None, clock: Clock | None = None
) -> AsyncIterator[GatedSite]:
    """Run a site in ``folder``; everything is closed on leaving, and a failure of a loop is raised."""
    clock = clock or SystemClock()
    (folder / "state").mkdir()
    secret = folder / "site.key_secret"
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f'name = "site"\npublic = "{keys.server.public}"\nsecret = "{keys.server.secret}"\n')
    config = load_config(write_agent_toml(folder, keys.consumers() if consumers is None else consumers))
    site = SiteId(config.sections.site.id)
    lane, pictures = Lane("ledger"), Lane("pictures")
    ledger = LedgerLane(await lane.run(Ledger.open, folder / "state/ledger.db", site, clock), lane)
    stock = Stock(ledger, Shelf(BlobStore(folder / "state/blobs"), folder / "state", pictures))
    try:
        gate = Gatekeeper(config, GateJournal(site, ledger, clock), clock)
        with open_context() as clients, open_sockets(config.sections, gate, stock, clock, lambda: SiteState(state="healthy")) as sockets:
            serving = asyncio.create_task(sockets.serve())
            try:
                yield GatedSite(folder, keys, gate, ledger, sockets, clients)
                if serving.done():
                    serving.result()
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
    finally:
        stock.shelf.close()
        pictures.close()
        await ledger.call(Ledger.close)
        lane.close()
