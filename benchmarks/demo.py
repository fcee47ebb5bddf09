"""``make demo``: simulated scanners, the daemon, a console and headquarters on this machine, to the end and checked.

Scans of three simulated scanners arrive in watched folders; each is assessed and seen at the console and at headquarters. At the
end the books must balance: accepted = assessed + set aside, and site, console and headquarters hold the same facts.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

from benchmarks.site import COMMAND, Process, Scanner, Settings, Site, bundle_states, running

SCANNERS = (
    Scanner("portal-1", "sim-cargo", "cargo"),
    Scanner("portal-2", "smiths-dataform", "cargo", '"from-container"'),
    Scanner("parcels-1", "sim-parcel", "parcel"),
)
_POLL_S = 0.1


def main() -> int:
    """Run the demo and give 0 when everything adds up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where everything goes; emptied first")
    parser.add_argument("--scans", type=int, default=4, help="scans a scanner")
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds until the demo gives up")
    args = parser.parse_args()
    folder = args.out.resolve()
    if folder.exists() and not (folder / "agent.toml").exists():
        raise SystemExit(f"{folder} exists and is no earlier demo; name another with --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    site = Site.prepared(folder, Settings(SCANNERS))
    print("edge-agent demo: simulated scans only; models:", ", ".join(bundle_states(site.settings.bundles)))
    print(f"site, console and headquarters run on this machine; everything is in {args.out}/\n")
    daemon = site.daemon()
    with running(daemon):
        _wait(lambda: daemon.has_event("agent_started"), daemon, args.timeout)
        print(f"daemon ready after {time.monotonic() - started:.1f} s: models loaded, golden self-test passed\n")
        scanners = [_scanner(site, scanner, args.scans) for scanner in SCANNERS]
        console, hq = site.console("console", "--plain"), site.collector()
        facts = site.console("facts", "--json")
        with running(console, hq, facts, *scanners):
            shown = _follow(site, args.scans * len(SCANNERS), (daemon, console), args.timeout)
            _wait(lambda: _archived(site) >= _head(site), hq, args.timeout)
            _wait(lambda: len(_outcomes(facts)) >= args.scans * len(SCANNERS), facts, args.timeout)
            outcomes = _outcomes(facts)
            for process in (console, hq, facts):
                process.stop()
        code = daemon.stop()
    print(shown, end="")
    return _summary(site, outcomes, code, time.monotonic() - started)


def _scanner(site: Site, scanner: Scanner, scans: int) -> Process:
    options = ("--profile", scanner.profile, "--scans", str(scans), "--interval", "1.5", "--habit", "mixed", "--threat-share", "0.5")
    out = site.watched(scanner.id)
    command = (*COMMAND, "sim", "--out", str(out), *options, "--seed", str(len(scanner.id) + scans))
    return Process(f"sim-{scanner.id}", command, site.folder / f"sim-{scanner.id}.log")


def _wait(condition: "callable[[], bool]", process: Process, timeout_s: float) -> None:  # type: ignore[valid-type]
    until = time.monotonic() + timeout_s
    while not condition():
        process.fail_if_ended()
        if time.monotonic() > until:
            raise SystemExit(f"{process.name} did not get there within {timeout_s:.0f} s; see {process.log}")
        time.sleep(_POLL_S)


if __name__ == "__main__":
    sys.exit(main())
