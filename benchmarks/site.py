"""A whole site on this machine, as processes: keys and configuration written, daemon, console and collector started.

Used by the demo, by benchmarks and by system tests. Only addresses of the loopback interface are used.
"""

import json
import random
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.transport.keys import KeyPair, new_key_pair

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "edge_agent")
_PORTS = (15_000, 32_000)
_CHANCE = random.SystemRandom()
_claims: list[int] = []
"""Descriptors of the sockets whose names say which ports were given; they are closed with this process."""


@dataclass(frozen=True)
class Scanner:
    """A scanner of the site: id, profile, subject, and its ``pitch_mm`` as TOML (empty = the side-car says it)."""

    id: str
    profile: str
    subject: str = "cargo"
    pitch: str = ""


@dataclass(frozen=True)
class Settings:
    """What differs between uses of a site.

    ``bundles``: folder of model bundles; ``trusted``: keys believed besides the release key; ``declarations``: CSV or none.
    """

    scanners: Sequence[Scanner]
    bundles: Path = ROOT / "exported_models"
    policy: Path = ROOT / "config/policy.example.toml"
    device: str = "cpu"
    declarations: Path | None = None
    keep_packages: bool = True
    profiles: Path = ROOT / "config/scanners"
    extra: str = ""
    trusted: tuple[str, ...] = ()


@dataclass
class Site:
    """Folders, keys and addresses of a site under ``folder``."""

    folder: Path
    settings: Settings
    keys: dict[str, KeyPair] = field(default_factory=dict)
    sync_port: int = 0

    @classmethod
    def prepared(cls, folder: Path, settings: Settings) -> "Site":
        """Make keys and configuration files for a site named ``demo``."""
        site = cls(folder, settings)
        site.keys = {name: new_key_pair(name, folder / "keys") for name in ("site", "console", "hq")}
        for scanner in settings.scanners:
            site.watched(scanner.id).mkdir(parents=True)
        live_port, site.sync_port = free_port(), free_port()
        site.agent_toml.write_text(site._agent_text(live_port))
        site.collector_toml.write_text(site._collector_text())
        return site

    @property
    def agent_toml(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def collector_toml(self) -> Path:
        return self.folder / "collector.toml"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.sync_port}"

    def watched(self, scanner: str) -> Path:
        """Give the folder that a scanner writes to."""
        return self.folder / "scanners" / scanner

    def daemon(self) -> "Process":
        """Start the daemon."""
        return Process("daemon", (*COMMAND, "run", "--config", str(self.agent_toml)), self.folder / "daemon.log")

    def collector(self, *options: str) -> "Process":
        """Start the collector."""
        return Process("collector", (*COMMAND, "collect", "--config", str(self.collector_toml), *options), self.folder / "collector.log")

    def console(self, name: str, *options: str) -> "Process":
        """Start a console that prints one JSON object a fact."""
        secret = self.folder / "keys/console.key_secret"
        base = (*COMMAND, "watch", "--site", self.endpoint, "--server-key", self.keys["site"].public, "--key", str(secret))
        return Process(name, (*base, *options), self.folder / f"{name}.log")

    def _agent_text(self, live_port: int) -> str:
        settings = self.settings
        scanners = "\n".join(self._scanner_text(scanner) for scanner in settings.scanners)
        declarations = f'[declarations]\nfile = "{settings.declarations}"\n' if settings.declarations else ""
        consumers = "\n".join(
            f'[[consumer]]\nname = "{name}"\nkey = "{self.keys[name].public}"\nrole = "{role}"\ndurable = {durable}\n'
            for name, role, durable in (("console", "console", "false"), ("hq", "collector", "true"))
        )
        return (
            f'state_dir = "state"\npolicy = "{settings.policy}"\nprofiles = "{settings.profiles}"\n'
            f"keep_packages = {str(settings.keep_packages).lower()}\n{settings.extra}\n"
            f'[bundles]\ndir = "{settings.bundles}"\ntrusted = {json.dumps(settings.trusted)}\n'
            f'[site]\nid = "demo"\ntimezone = "Asia/Kolkata"\n{scanners}\n[device]\npolicy = "{settings.device}"\n'
            f"[wire]\nlive_port = {live_port}\nsync_port = {self.sync_port}\nblob_port = 0\n"
            f'key = "keys/site.key_secret"\n{consumers}\n{declarations}'
        )

    def _scanner_text(self, scanner: Scanner) -> str:
        pitch = f"pitch_mm = {scanner.pitch}\n" if scanner.pitch else ""
        return (
            f'[[scanner]]\nid = "{scanner.id}"\nprofile = "{scanner.profile}"\nwatch = "{self.watched(scanner.id)}"\n'
            f'timezone = "Asia/Kolkata"\nsubject = "{scanner.subject}"\n{pitch}'
        )

    def _collector_text(self) -> str:
        return (
            f'archive = "{self.folder / "archive.db"}"\nsecret_key = "{self.folder / "keys/hq.key_secret"}"\nname = "hq"\n'
            f'timezone = "Asia/Kolkata"\n[[site]]\nid = "demo"\nendpoint = "{self.endpoint}"\nserver_key = "{self.keys["site"].public}"\n'
        )


class Process:
    """A command with its output in a file; never left behind."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("a+b") as out:
            if out.tell() and log.read_bytes()[-1:] != b"\n":
                out.write(b"\n")  # after a line that a kill tore
                out.flush()
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def wait(self, timeout_s: float) -> int:
        """Wait for the end and give the exit code."""
        return self.popen.wait(timeout_s)

    def stop(self, timeout_s: float = 60.0) -> int:
        """Ask it to stop and give the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.popen.kill()
        self.popen.wait()

    def json_lines(self) -> list[dict[str, object]]:
        """Give the complete JSON lines written so far; a line that a kill tore is none."""
        lines = self.log.read_text(errors="replace").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]

    def has_event(self, event: str) -> bool:
        """Tell whether the daemon logged ``event``."""
        return any(line.get("event") == event for line in self.json_lines())

    def fail_if_ended(self) -> None:
        """Raise with the end of its output when the process has ended."""
        if self.popen.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise SystemExit(f"{self.name} ended with exit code {self.popen.returncode}:\n{tail}")


@contextmanager
def running(*processes: Process) -> Iterator[None]:
    """Make sure that processes are gone at the end, whatever happens."""
    try:
        yield
    finally:
        for process in processes:
            if process.popen.poll() is None:
                process.kill()


def free_port() -> int:
    """Give a port of the loopback interface that is free now, another at each call, in whichever process of this machine.

    It is drawn below the ports that the kernel gives away by itself, so that nobody is handed it before it is bound, or while the process
    that had bound it is started again. Other callers are kept from it by an abstract socket of its name (unix(7)), while we live.
    """
    while True:
        port = _CHANCE.randrange(*_PORTS)
        with socket.socket(socket.AF_UNIX) as claim, socket.socket() as probe:
            try:
                claim.bind(f"\0edge-agent port {port}")
            except OSError:
                continue
            if probe.connect_ex(("127.0.0.1", port)):
                _claims.append(claim.detach())
                return port


def exit_code_of(command: Sequence[str], show: Callable[[str], None] | None = None) -> int:
    """Run a command to its end; give its exit code and show its output."""
    done = subprocess.run((*COMMAND, *command), capture_output=True, text=True, check=False)
    if show is not None:
        show(done.stdout + done.stderr)
    return done.returncode


def bundle_states(root: Path) -> list[str]:
    """Give ``name/version: state`` of each bundle, for banners."""
    cards = [tomllib.loads(path.read_text()) for path in sorted(root.glob("*/*/card.toml"))]
    return [f"{card['name']}/{card['version']}: {card['state']}" for card in cards]
