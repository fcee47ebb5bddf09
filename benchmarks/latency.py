"""Scans dropped into a real daemon's folder, and when they are seen at a console over ZeroMQ with CURVE; the daemon's memory beside it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import scene
from benchmarks.bench_policy import PROFILES, policy_text
from benchmarks.site import Process, Scanner, Settings, Site, running
from edge_agent.formats.encode import tiff_bytes
from edge_agent.formats.profiles import load_profile
from edge_agent.testing.bundles import TEST_KEY

_PROFILE = "plain-image"
_POLL_S = 0.02
_PATIENCE_S = 120.0
_SCANNER = Scanner("portal", _PROFILE, "cargo", "[4.0, 4.0]")


@dataclass(frozen=True)
class Delivered:
    """One scan on its way: milliseconds from the closed file to the assessment at the console, and what the daemon says of it."""

    closed_to_published_ms: float
    timings_ms: dict[str, float]


@dataclass
class DaemonBench:
    """A daemon and a console, as processes."""

    site: Site
    daemon: Process
    console: Process
    delivered: int = 0

    def one_round(self) -> Delivered:
        """Deliver a scan by an atomic rename and wait until the console has its assessment."""
        self.delivered += 1
        levels = scene.pixels(self.delivered)
        folder = self.site.watched(_SCANNER.id)
        unfinished = folder.parent / f"unfinished-{self.delivered}"
        unfinished.write_bytes(tiff_bytes(levels))
        closed_at = time.time()
        unfinished.rename(folder / f"scan-{self.delivered}.tif")
        body, seen_at = self._await(self.delivered)
        timings = body["timings_ms"]
        assert isinstance(timings, dict)
        return Delivered((seen_at - closed_at) * 1000.0, {stage: float(ms) for stage, ms in timings.items()})

    def peak_rss_mb(self) -> float:
        """Give the daemon's largest resident memory so far, in MB of a million bytes; without its decode children."""
        status = Path(f"/proc/{self.daemon.popen.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024 / 1e6

    def _await(self, count: int) -> tuple[dict[str, object], float]:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            self.daemon.fail_if_ended()
            self.console.fail_if_ended()
            facts = [line for line in self.console.json_lines() if line.get("event") == "fact"]
            bodies = [(body, str(line["seen_at"])) for line in facts if isinstance(body := line["body"], dict)]
            outcomes = [(body, seen_at) for body, seen_at in bodies if body["kind"] in ("assessment", "set-aside")]
            if len(outcomes) >= count:
                body, seen_at = outcomes[count - 1]
                if body["kind"] != "assessment":
                    raise SystemExit(f"the benchmark's scan was set aside: {body['reason']}")
                return body, datetime.fromisoformat(seen_at).timestamp()
            time.sleep(_POLL_S)
        raise SystemExit("no assessment came; see the daemon's log above")


@contextmanager
def site_running(bundles: Path, threads: int, show_at: float) -> Iterator[DaemonBench]:
    """Start a site with one scanner in a folder of its own; everything is gone afterwards."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        policy = folder / "policy.toml"
        policy.write_text(policy_text(show_at))
        (folder / "site").mkdir()
        site = Site.prepared(folder / "site", Settings([_SCANNER], bundles, policy, trusted=(TEST_KEY.public.text,)))
        text = site.agent_toml.read_text().replace("[device]\n", f"[device]\ntile_threads = {threads}\n")
        site.agent_toml.write_text(text)
        daemon = site.daemon()
        with running(daemon):
            _wait_for(daemon, "agent_started")
            console = site.console("console", "--json")
            with running(console):
                yield DaemonBench(site, daemon, console)


def quiet_ms() -> float:
    """Give how long the profile waits for a file to stop changing: a part of every latency here."""
    return load_profile(PROFILES / f"{_PROFILE}.toml").quiet_s * 1000.0


def _wait_for(process: Process, event: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not process.has_event(event):
        process.fail_if_ended()
        if time.monotonic() > until:
            raise SystemExit(f"no {event} within {_PATIENCE_S:.0f} s")
        time.sleep(_POLL_S)
