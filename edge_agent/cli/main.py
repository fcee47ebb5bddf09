"""The one entry point: arguments in, exit code out. Commands are imported only when they are asked for."""

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence

from edge_agent import __version__
from edge_agent.errors import ArchiveDamaged, BundleRejected, ConfigError, DeviceFailed, EdgeAgentError, LedgerDamaged, LedgerFailed

EXIT_REFUSED = 1
EXIT_UNEXPECTED = 70
EXIT_CONFIG = 78

COMMANDS = {
    "run": "the daemon: watch the scanners, assess every scan, publish",
    "check": "list every problem of a configuration at once",
    "doctor": "is all well: device, clock, disk, shares, keys, bundles, configuration",
    "assess": "assess files at hand, without a daemon, and draw what was found",
    "explain": "why: where a detection's score comes from, which other goods would explain the load",
    "adopt": "make a bundle of an ONNX file by somebody else and a card",
    "evaluate": "how good bundles are on a labelled set, with intervals and baselines",
    "conformance": "what of a vendor's sample folder is understood",
    "watch": "live terminal console of a site; sends verdicts",
    "console": "serve the console for officers' browsers: queue, viewer, decisions",
    "collect": "headquarters: pull the journal of every site",
    "sites": "headquarters: how all sites stand, alarms first",
    "control": "headquarters: results of examinations: import them, and how far they have come",
    "report": "headquarters: figures, detections and counts; as tables, files or a page",
    "archive": "headquarters: export the archive as Parquet, or copy it to another place",
    "bundle": "model bundles: list, verify, sign, activate, roll back",
    "commission": "set a site's alert levels from its own clean scans, or correct its weight estimates",
    "api": "headquarters: serve the read API",
    "users": "officers who may log in to the browser console",
    "tokens": "headquarters: tokens of programs that read the API",
    "keys": "make and show CURVE keys",
    "journal": "verify and export a site's journal",
    "ledger": "back up, restore and check a site's ledger",
    "quarantine": "scans that were set aside",
    "selections": "consignments selected for scanning, and what became of them",
    "retention": "what goes when, and legal holds",
    "scan": "scan packages: show, validate, convert, export, extract, anonymise",
    "evidence": "one signed file with all that the site knows of a scan",
    "sim": "simulated scanner: writes scans into a folder",
}
"""Command and what it does; each is a module of this package with ``register`` and ``run``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 refused or failed, 2 usage, 70 unexpected, 78 configuration."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments)
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except EdgeAgentError as problem:
        print(f"edge-agent: {problem.code}: {problem.detail}\n  what to do: {problem.hint}", file=sys.stderr)
        return exit_code(problem)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return EXIT_REFUSED
    except Exception:  # noqa: BLE001 - the last line: a fault of the program is shown whole, and its exit code says start me again
        traceback.print_exc()
        return EXIT_UNEXPECTED


def exit_code(problem: EdgeAgentError) -> int:
    """Give the exit code by which a service manager or a script tells what to do."""
    if isinstance(problem, ConfigError | BundleRejected):
        return EXIT_CONFIG
    if isinstance(problem, DeviceFailed | LedgerDamaged | LedgerFailed | ArchiveDamaged):
        return EXIT_UNEXPECTED
    return EXIT_REFUSED


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        description="Turns every scan of a customs X-ray scanner into an assessment, beside the scanner, with no network needed.",
    )
    parser.add_argument("--version", action="version", version=f"edge-agent {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = next((word for word in arguments if word in COMMANDS), None)
    for name, words in COMMANDS.items():
        if name == asked:
            importlib.import_module(f"edge_agent.cli.{name}").register(subparsers)
        else:
            subparsers.add_parser(name, help=words)
    return parser
