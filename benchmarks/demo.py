"""``make demo``: simulated scanners, the daemon, a console and headquarters on this machine, to the end and checked.

Scans of three simulated scanners arrive in watched folders; each is assessed and seen at the console and at headquarters. At the
end the books must balance: accepted = assessed + set aside, and site, console and headquarters hold the same facts.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.site import COMMAND, Process, Scanner, Settings, Site, bundle_states, exit_code_of, running
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.ledger.reader import LedgerReader
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.chain import JournalRow

SCANNERS = (
    Scanner("portal-1", "sim-cargo", "cargo"),
    Scanner("portal-2", "smiths-dataform", "cargo", '"from-container"'),
    Scanner("parcels-1", "sim-parcel", "parcel"),
)
_POLL_S = 0.1
_QUIET_S = 2.0


def main() -> int:
    """Run the demo and give 0 when everything adds up."""
    parser = argparse.ArgumentParser(description="Simulated scanners, daemon, console and headquarters on this machine.")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where everything goes; emptied first")
    parser.add_argument("--scans", type=int, default=4, help="scans a scanner")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds without anything new until a step gives up")
    args = parser.parse_args()
    folder = _emptied(args.out.resolve())
    started = time.monotonic()
    site = Site.prepared(folder, Settings(SCANNERS))
    print("edge-agent demo: simulated scans only; models:", ", ".join(bundle_states(site.settings.bundles)))
    print(f"site, console and headquarters run on this machine; everything is in {args.out}/")
    daemon = site.daemon()
    with running(daemon):
        _wait(lambda: daemon.has_event("agent_started"), daemon, args.timeout)
        print(f"daemon ready after {time.monotonic() - started:.1f} s: models loaded, golden self-test passed\n")
        expected = args.scans * len(SCANNERS)
        scanners = [_scanner(site, scanner, args.scans) for scanner in SCANNERS]
        console, facts, hq = site.console("console", "--plain"), site.console("facts", "--json"), site.collector()
        with running(console, facts, hq, *scanners):
            _show(console, lambda: all(s.popen.poll() is not None for s in scanners) and _outcomes(facts) >= expected, args.timeout)
            _wait(lambda: [process.popen.poll() for process in scanners] == [0] * len(scanners), daemon, args.timeout)
            _settled(site, facts, args.timeout)
            code = daemon.stop()
            for process in (console, facts, hq):
                process.stop()
    return _summary(site, _facts(facts), code, time.monotonic() - started)


def _emptied(folder: Path) -> Path:
    if folder.exists() and not (folder / "agent.toml").exists():
        raise SystemExit(f"{folder} exists and is no earlier demo; name another with --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _scanner(site: Site, scanner: Scanner, scans: int) -> Process:
    options = ("--profile", scanner.profile, "--scans", str(scans), "--interval", "1.0", "--habit", "mixed", "--threat-share", "0.5")
    seed = str(1 + [one.id for one in SCANNERS].index(scanner.id))
    command = (*COMMAND, "sim", "--out", str(site.watched(scanner.id)), *options, "--seed", seed)
    return Process(f"sim-{scanner.id}", command, site.folder / f"sim-{scanner.id}.log")


def _show(console: Process, is_done: Callable[[], bool], timeout_s: float) -> None:
    """Pass the console's lines on to the terminal until everything was seen. A slow machine is waited for as long as facts come."""
    until = time.monotonic() + timeout_s
    shown = 0
    while True:
        done = is_done()
        text = console.log.read_text(errors="replace")
        print(text[shown:], end="", flush=True)
        if "#" in text[shown:]:
            until = time.monotonic() + timeout_s
        shown = len(text)
        if done:
            return
        console.fail_if_ended()
        if time.monotonic() > until:
            raise SystemExit(f"not everything was seen, and nothing new for {timeout_s:.0f} s; see {console.log.parent}")
        time.sleep(_POLL_S)


def _wait(condition: Callable[[], bool], process: Process, timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        process.fail_if_ended()
        if time.monotonic() > until:
            raise SystemExit(f"{process.name} did not get there within {timeout_s:.0f} s; see {process.log}")
        time.sleep(_POLL_S)


def _settled(site: Site, console: Process, timeout_s: float) -> None:
    """Wait until console and headquarters hold the whole journal and it has not grown for two seconds (side-cars are rewritten late)."""
    until = time.monotonic() + timeout_s
    size, since = -1, time.monotonic()
    while time.monotonic() < until:
        journal = len(_journal(site))
        same = journal == len(_archived(site)) == len(_facts(console))
        if journal != size or not same:
            size, since = journal, time.monotonic()
        elif time.monotonic() - since > _QUIET_S:
            return
        time.sleep(_POLL_S)
    raise SystemExit(f"site, console and headquarters did not agree within {timeout_s:.0f} s; see {site.folder}")


def _facts(console: Process) -> list[dict[str, Any]]:
    return [line for line in console.json_lines() if line.get("event") == "fact"]


def _outcomes(console: Process) -> int:
    """Count scans (not facts) that reached the console with an outcome; a rewritten side-car gives a scan a second assessment."""
    return len({line["body"]["scan_id"] for line in _facts(console) if line["body"]["kind"] in ("assessment", "set-aside")})


def _journal(site: Site) -> list[JournalRow]:
    reader = LedgerReader.open(site.state_dir / "ledger.db")
    try:
        rows: list[JournalRow] = []
        while page := reader.rows(Seq(len(rows)), 500, 1 << 24):
            rows += page
        return rows
    finally:
        reader.close()


def _archived(site: Site) -> list[JournalRow]:
    with Archive.read(site.folder / "archive.db", SystemClock()) as archive:
        return list(archive.rows(SiteId("demo"), _journal(site)[0].epoch))


def _summary(site: Site, seen: list[dict[str, Any]], code: int, took_s: float) -> int:
    """Print the books and give 0 when they balance."""
    reader = LedgerReader.open(site.state_dir / "ledger.db")
    try:
        counts, broken = reader.counts(), reader.verify()
    finally:
        reader.close()
    journal, archive = _journal(site), _archived(site)
    print()
    exit_code_of(["report", "--config", str(site.collector_toml), "--kind", "all"], print)
    balanced = counts.accepted == counts.assessed + counts.set_aside and counts.in_flight == 0
    same = [row.body for row in journal] == [row.body for row in archive] and [line["seq"] for line in seen] == [row.seq for row in journal]
    print(f"accepted {counts.accepted} = assessed {counts.assessed} + set aside {counts.set_aside}: {'yes' if balanced else 'NO'}")
    print(f"facts: site {len(journal)} = console {len(seen)} = headquarters {len(archive)}, the same ones: {'yes' if same else 'NO'}")
    print(f"journal chain: {'intact' if broken is None else f'broken at row {broken}'}; daemon ended with {code}; {took_s:.0f} s in all")
    command = Path(sys.executable).with_name("edge-agent")  # `make demo` leaves no environment active
    print(f"next: {command} assess {site.watched('portal-1')} --out {site.folder / 'pictures'}")
    return 0 if balanced and same and broken is None and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
