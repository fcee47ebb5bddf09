"""``edge-agent check``: every problem of a configuration at once."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from edge_agent.agent.check import Problem, find_problems, find_sandbox, find_watching, is_unsigned
from edge_agent.telemetry.clock import SystemClock


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "check",
        help="list every problem of a configuration",
        description="Read agent.toml, the policy, profiles, keys and bundles it names, and list every problem with file and hint. "
        "Also tells which fences the kernel puts around the decoders, full, partial or none, how each scanner's folder is watched, and "
        "whether the journal is unsigned; none of it is a problem by itself. "
        "Nothing is changed. Exit codes: 0 the daemon can start (a problem with which it works, and says so in its health, is listed all "
        "the same), 78 it cannot.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    parser.add_argument("--json", action="store_true", help="one JSON array for machines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the problems."""
    problems = find_problems(args.config, SystemClock())
    if args.json:
        json.dump([asdict(problem) for problem in problems], sys.stdout, indent=2)
        print()
    else:
        _print_sandbox()
        for scanner, watching in find_watching(args.config):
            print(f"scanner {scanner}: watched by {watching.word} ({watching.file_system})")
        if is_unsigned(args.config):
            print("journal: unsigned; `edge-agent journal new-key` makes the key that lets others prove what it said ([journal] key)")
        _print(problems, args.config)
    return 78 if any(problem.stops for problem in problems) else 0


def _print(problems: list[Problem], config: Path) -> None:
    for problem in problems:
        print(f"{problem.code}: {problem.detail}\n  what to do: {problem.hint}")
        if not problem.stops:
            print("  the daemon starts with it all the same")
    print(f"{config}: {len(problems)} problem{'s' if len(problems) != 1 else ''}" if problems else f"{config}: no problem found")


def _print_sandbox() -> None:
    report = find_sandbox()
    landlock = f"Landlock {report.landlock}" if report.landlock is not None else "no Landlock"
    seccomp = "seccomp" if report.seccomp else "no seccomp"
    why = f" ({report.why}); a kernel with both gives full fences" if report.why else ""
    print(f"decode sandbox: {report.level}: {landlock}, {seccomp}{why}")
