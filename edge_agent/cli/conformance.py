"""``edge-agent conformance``: what of a vendor's sample folder is understood."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from edge_agent.agent.conformance import (
    PARTICULARS,
    Examiner,
    FileReport,
    FileState,
    PlaneReport,
    Presence,
    Report,
    ScanReport,
    ScanState,
    read_sample,
    report_of,
)
from edge_agent.cli.profiles import named_profile
from edge_agent.console import catalogue
from edge_agent.formats.child import DecodeChild
from edge_agent.wire.messages import CodeParams

_STYLES = {ScanState.UNDERSTOOD: "green", ScanState.PARTIAL: "yellow", ScanState.REFUSED: "bold red"}
_DERIVED = {Presence.ZONE_ASSUMED: "zone assumed", Presence.FILE_TIME: "file time", Presence.FILE_NAME: "file name"}
_ONLY_IF_ANY = ("unreadable", "refused")
_MOST_LINES = 20


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "conformance",
        help="what of a vendor's sample folder is understood",
        description="Read a folder of a vendor's samples as the daemon would: put files into scans, see whether each is complete, decode "
        "it in the confined child, write it as a package and read that back. Say what was understood, ignored and missing, the particulars "
        "that customs expect among them. Values of side-cars are never shown, only whether they are there; file names lose every word "
        "with a digit that the profile does not name itself. It does not prove that a picture is upright and not inverted: look at one "
        "(scan convert, scan show --picture). Nothing in the folder is changed. Exit codes: 0 all understood, 3 some not, 78 the profile "
        "cannot be used.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the vendor's samples, with the folders below")
    parser.add_argument("--profile", required=True, metavar="P", help="name of a shipped profile (smiths-dataform), or a TOML file")
    parser.add_argument("--json", action="store_true", help="one JSON object for machines")
    parser.add_argument("--show-names", action="store_true", help="show file names as they are; they may hold identifiers")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine the folder and give 0 if all of it is understood, else 3.

    Raises:
        ConfigError: the profile cannot be used. DropUnavailable: the folder cannot be read.
    """
    profile = named_profile(args.profile)
    sample = read_sample(args.folder, profile, shows_names=args.show_names)
    with DecodeChild() as child:
        examiner = Examiner(profile, child)
        shown = track(
            list(enumerate(sample.drops, 1)), "examining", console=Console(stderr=True), disable=args.json or len(sample.drops) < 2
        )
        scans = tuple(examiner.examine(number, drop) for number, drop in shown)
        report = report_of(profile, child.sandbox().level, sample, scans)
    if args.json:
        print(json.dumps(_document(report), indent=2))
    else:
        _print(report, Console())
    return 0 if report.is_understood else 3


def _document(report: Report) -> dict[str, object]:
    return {
        "schema": "conformance/1.0",
        "profile": report.profile,
        "sandbox": report.sandbox,
        "understood": report.is_understood,
        "files": [asdict(file) for file in report.files],
        "scans": [_scan(scan) for scan in report.scans],
        "maps_to_nothing": [{"field": field, "path": path} for field, path in report.unmatched],
        "particulars": {name: {state.value: report.presence(name)[state] for state in Presence} for name in PARTICULARS},
    }


def _scan(scan: ScanReport) -> dict[str, object]:
    return {
        "number": scan.number,
        "state": scan.state.value,
        "remarks": [{"code": remark.code, "params": dict(remark.params)} for remark in scan.remarks],
        "planes": [asdict(plane) for plane in scan.planes],
        "comes_back_exactly": scan.is_exact,
        "particulars": {name: state.value for name, state in scan.particulars.items()},
    }


def _print(report: Report, console: Console) -> None:
    console.print(_scans(report.scans))
    console.print(_files(report.files))
    if report.scans:
        console.print(_particulars(report))
    if report.unmatched:
        named = ", ".join(f"{field} = {path}" for field, path in report.unmatched)
        console.print(f"maps to nothing in any side-car: {named}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    of_scans, of_files = Counter(scan.state for scan in report.scans), Counter(file.state for file in report.files)
    console.print(
        f"{len(report.scans)} scans by profile {report.profile}: "
        + ", ".join(f"{of_scans[state]} {state.value}" for state in ScanState)
        + f". {len(report.files)} files: "
        + ", ".join(f"{of_files[word]} {word}" for word in get_args(FileState) if of_files[word] or word not in _ONLY_IF_ANY)
        + f". Sandbox: {report.sandbox}.",
        highlight=False,
    )
    if not report.scans:
        console.print("No file belongs to a scan: the patterns of the profile fit none of the names.", style="bold red")


def _scans(scans: tuple[ScanReport, ...]) -> Table:
    """Give a line a scan, the troubled ones first."""
    table = Table("scan", "state", "planes", "package and back", "remarks", title="Scans", title_justify="left")
    troubled_first = sorted(scans, key=lambda scan: (scan.state is ScanState.UNDERSTOOD, scan.number))
    for scan in troubled_first[:_MOST_LINES]:
        back = {True: "bit by bit", False: "[bold red]differs[/]", None: "not tried"}[scan.is_exact]
        remarks = "; ".join(catalogue.sentence(CodeParams(code=remark.code, params=dict(remark.params))) for remark in scan.remarks)
        state = f"[{_STYLES[scan.state]}]{scan.state.value}[/]"
        table.add_row(str(scan.number), state, "\n".join(map(_plane, scan.planes)), back, Text(remarks))
    if len(scans) > _MOST_LINES:
        table.add_row("...", f"{len(scans) - _MOST_LINES} more (--json has all)")
    return table


def _plane(plane: PlaneReport) -> str:
    colour = " colour" if plane.channels == 3 else ""
    return f"{plane.view}: {plane.quantity} {plane.energy}, {plane.width} x {plane.height}, {plane.bits} bit{colour}"


def _files(files: tuple[FileReport, ...]) -> Table:
    """Files that look alike share a line, for a folder holds thousands."""
    table = Table("file", "role", "state", "count", title="Files", title_justify="left")
    alike = Counter((file.state, file.role or "-", file.name) for file in files)
    for number, ((state, role, name), count) in enumerate(sorted(alike.items(), key=lambda one: (one[0][0] == "understood", one[0]))):
        if number == _MOST_LINES:
            table.add_row("...", "", f"{len(alike) - _MOST_LINES} more kinds (--json has all)")
            break
        table.add_row(catalogue.clean(name), role, state, str(count))
    return table


def _particulars(report: Report) -> Table:
    table = Table("particular", "[green]present[/]", "[yellow]derived[/]", "[red]missing[/]")
    table.title, table.title_justify = "What customs expect to know, scans by presence", "left"
    for name in PARTICULARS:
        counts = report.presence(name)
        derived = ", ".join(f"{counts[state]} ({words})" for state, words in _DERIVED.items() if counts[state])
        table.add_row(name, str(counts[Presence.PRESENT] or ""), derived, str(counts[Presence.MISSING] or ""))
    return table
