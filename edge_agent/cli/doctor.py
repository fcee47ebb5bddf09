"""``edge-agent doctor``: is all well with this machine and this site, in plain words."""

import argparse
import json
import sys
from pathlib import Path

from edge_agent.agent.config import load_config
from edge_agent.agent.device_history import DeviceHistory
from edge_agent.agent.doctor import Finding, Verdict, examine
from edge_agent.telemetry.clock import SystemClock


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="is all well: device, clock, disk, shares, keys, bundles, configuration",
        description="Look at the machine and at the site, without the daemon: clock, decoders, configuration, device, bundles, disk, "
        "scanner folders and keys. Each line says ok, note (works, but somebody should know) or WRONG, with what to do. "
        "Nothing is changed. Exit codes: 0 nothing is wrong, 1 something is.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="agent.toml; without it only the machine is looked at")
    parser.add_argument("--json", action="store_true", help="one JSON array for machines")
    parser.add_argument("--retry-device", action="store_true", help="forget noted GPU errors, so that the next start tries the GPU again")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings."""
    if args.retry_device:
        return _retry_device(args.config)
    findings: list[Finding] = []
    for finding in examine(args.config, SystemClock()):
        findings.append(finding)
        if not args.json:
            _print(finding)
    if args.json:
        shown = [{"topic": f.topic, "verdict": f.verdict.value, "words": f.words, "hint": f.hint} for f in findings]
        json.dump(shown, sys.stdout, indent=2)
        print()
    wrong = sum(finding.verdict is Verdict.WRONG for finding in findings)
    if not args.json:
        print(f"{wrong} of {len(findings)} things are wrong" if wrong else f"nothing is wrong ({len(findings)} things looked at)")
    return 1 if wrong else 0


def _print(finding: Finding) -> None:
    mark = "WRONG" if finding.verdict is Verdict.WRONG else finding.verdict.value
    print(f"{mark:5}  {finding.topic}: {finding.words}", flush=True)
    if finding.hint:
        print(f"       what to do: {finding.hint}", flush=True)


def _retry_device(config: Path | None) -> int:
    if config is None:
        print("edge-agent: --retry-device needs --config FILE", file=sys.stderr)
        return 2
    count = DeviceHistory(load_config(config).sections.state_dir).clear()
    print(f"{count} device errors forgotten; restart the service to try the device again" if count else "no device errors were noted")
    return 0
