"""What the chaos run plays on: three sites, three consoles and a collector as processes, and a bad line between each client and each site.

Every client reaches the sites at a loopback address of its own, with the sites' own port numbers: HELLO tells LIVE's port only, and so
each line can be cut, delayed or silenced by itself. One site is in outbound mode: there the line leads from it to headquarters.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos_workers import SCANNERS, ConsolePlan, SitePlan, Watched, write_plan
from benchmarks.site import COMMAND, ROOT, Process, free_port
from edge_agent.testing.loopback import a_key_pair
from edge_agent.testing.proxy import Proxy, tcp_proxy
from edge_agent.transport.keys import Consumer, KeyPair, Role, new_key_pair

SITES = ("north", "middle", "south")
OUTBOUND = "south"
"""The site that connects to headquarters by itself; its consoles connect to it as everywhere."""
COLLECTOR = "hq"
LATE, FILTERED, HANGING = "late", "filtered", "hanging"
CONSOLES = (LATE, FILTERED, HANGING)
CLIENTS = (COLLECTOR, *CONSOLES)
WATCHED_BY_FILTERED = SCANNERS[:2]
_ADDRESSES = {client: f"127.0.0.{number}" for number, client in enumerate(CLIENTS, start=2)}


@dataclass(frozen=True)
class Line:
    """The line between a client and a site."""

    client: str
    site: str
    proxies: tuple[Proxy, ...]

    def swallow(self, *, yes: bool) -> None:
        """Begin or end to carry nothing, without a word to either end."""
        for proxy in self.proxies:
            proxy.is_open = not yes

    def cut(self) -> None:
        """End all connections."""
        for proxy in self.proxies:
            proxy.cut()

    def slow(self, seconds: float) -> None:
        """Carry everything so much later."""
        for proxy in self.proxies:
            proxy.delay_s = seconds


@dataclass
class Stage:
    """Folders, keys, ports and commands. ``scans``: of each site, ``rate`` a second."""

    folder: Path
    scans: int
    rate: float
    keys: dict[str, KeyPair] = field(default_factory=dict)
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    """SYNC and LIVE of each site."""
    reception: int = 0
    """Where headquarters listens for the site in outbound mode."""

    def __post_init__(self) -> None:
        """Make keys and write every process's setting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keys = {name: a_key_pair(name) for name in (*SITES, *CONSOLES)}
        self.keys[COLLECTOR] = new_key_pair(COLLECTOR, self.folder / "keys")
        self.reception, *ports = (free_port() for _ in range(2 * len(SITES) + 1))
        self.ports = dict(zip(SITES, zip(ports[::2], ports[1::2], strict=True), strict=True))
        for site in SITES:
            self.state_dir(site).mkdir()
            write_plan(self._setting(site), self._site_plan(site))
        for console in CONSOLES:
            write_plan(self._setting(console), self._console_plan(console))
        self._collector_toml.write_text(self._collector_text())

    @property
    def archive(self) -> Path:
        return self.folder / "archive.db"

    def state_dir(self, site: str) -> Path:
        """Give the folder of a site's ledger."""
        return self.folder / f"state-{site}"

    def commits(self, site: str) -> Path:
        """Give the log of what a site committed."""
        return self.folder / f"commits-{site}.log"

    def handed(self, console: str, site: str) -> Path:
        """Give the log of what a console was handed of a site."""
        return self.folder / f"handed-{console}-{site}.log"

    def start(self, name: str) -> Process:
        """Start a site, a console or the collector."""
        command = ("env", "OMP_NUM_THREADS=1", f"PYTHONPATH={ROOT}")
        if name == COLLECTOR:
            return Process(name, (*command, *COMMAND, "collect", "--config", str(self._collector_toml)), self.folder / f"{name}.log")
        role = "site" if name in SITES else "console"
        work = (sys.executable, "-m", "benchmarks.chaos_workers", role, str(self._setting(name)))
        return Process(name, (*command, *work), self.folder / f"{name}.log")

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[list[Line]]:
        """Run the lines between each client and each site."""
        async with AsyncExitStack() as stack:
            lines = []
            for client in CLIENTS:
                for site in SITES:
                    ports = (self.reception,) if (client, site) == (COLLECTOR, OUTBOUND) else self.ports[site]
                    proxies = [await stack.enter_async_context(tcp_proxy(_ADDRESSES[client], port)) for port in ports]
                    for proxy, port in zip(proxies, ports, strict=True):
                        proxy.target = f"tcp://127.0.0.1:{port}"
                    lines.append(Line(client, site, tuple(proxies)))
            yield lines

    @property
    def _collector_toml(self) -> Path:
        return self.folder / "collector.toml"

    def _setting(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _endpoint(self, client: str, site: str) -> str:
        return f"tcp://{_ADDRESSES[client]}:{self.ports[site][0]}"

    def _site_plan(self, site: str) -> SitePlan:
        consoles = [Consumer(name, self.keys[name].public, Role.CONSOLE) for name in CONSOLES]
        collector = Consumer(COLLECTOR, self.keys[COLLECTOR].public, Role.COLLECTOR, durable=True)
        folder, log = str(self.state_dir(site)), str(self.commits(site))
        outbound = f"tcp://{_ADDRESSES[COLLECTOR]}:{self.reception}" if site == OUTBOUND else ""
        return SitePlan(site, folder, log, *self.ports[site], self.scans, self.rate, self.keys[site], (*consoles, collector), outbound)

    def _console_plan(self, console: str) -> ConsolePlan:
        sites = tuple(Watched(self._endpoint(console, site), self.keys[site].public, str(self.handed(console, site))) for site in SITES)
        return ConsolePlan(self.keys[console], sites, WATCHED_BY_FILTERED if console == FILTERED else (), decides=console == HANGING)

    def _collector_text(self) -> str:
        sites = "".join(
            f'[[site]]\nid = "{site}"\nserver_key = {json.dumps(self.keys[site].public)}\n{self._way_to(site)}\n' for site in SITES
        )
        outbound = f'[outbound]\nbind = "tcp://127.0.0.1:{self.reception}"\n'
        secret = self.folder / "keys" / f"{COLLECTOR}.key_secret"
        return f'archive = "{self.archive}"\nsecret_key = "{secret}"\nname = "{COLLECTOR}"\ntimezone = "UTC"\n{outbound}{sites}'

    def _way_to(self, site: str) -> str:
        return "outbound = true" if site == OUTBOUND else f'endpoint = "{self._endpoint(COLLECTOR, site)}"'
