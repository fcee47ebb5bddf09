"""What ``edge-agent scan`` does."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from edge_agent.agent.at_hand import Rules, ScanReader, find_drops, member_digests
from edge_agent.agent.departures import EXPORTED
from edge_agent.agent.exports import Dossier, export_coco, export_csv, export_dicos, export_package, of_files, of_site
from edge_agent.cli.profiles import named_profile
from edge_agent.cli.scan_show import as_json, draw, show
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.errors import ConfigUnreadable, ExportRefused, ScanRejected
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import png_bytes, tiff_bytes
from edge_agent.formats.package import write_package
from edge_agent.formats.package_rewrite import anonymise_package
from edge_agent.formats.package_schema import shipped_schema, table
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.lineage import standing_word
from edge_agent.wire.messages import CodeParams
from edge_agent.wire.redaction import refuse_free_text

_PACKAGES = "*.scan.zip"
_PAGE_COLUMNS = 120


def _show(args: argparse.Namespace) -> int:
    console = Console(width=None if sys.stdout.isatty() else _PAGE_COLUMNS)
    dossiers = _dossiers(args)
    if args.state_dir is not None and not args.what and not args.json:
        console.print(_list(dossiers))
        return 0
    for dossier in dossiers:
        if args.json:
            print(as_json(dossier))
        else:
            show(dossier, console)
    if args.picture:
        with DecodeChild() as child:
            for dossier in dossiers:
                draw(child.open_package(dossier.package)[1], console)
    return 0


def _list(dossiers: Sequence[Dossier]) -> Table:
    heads = (Column("scan", no_wrap=True, min_width=36), "rev", "taken", "kind", "scanner", "standing")
    found = Table(*heads, show_edge=False, title=f"{len(dossiers)} packed scans", title_justify="left")
    for dossier in dossiers:
        scan, capture = dossier.document.scan, dossier.document.capture
        taken = f"{capture.taken_at:%Y-%m-%d %H:%M}Z"
        holds = standing_word(dossier.facts).conclusion or "-"
        found.add_row(scan.id, str(scan.revision), taken, capture.kind.value, dossier.document.system.scanner_id, holds)
    return found


def _validate(args: argparse.Namespace) -> int:
    is_all_good = True
    files = [file for path in args.files for file in (sorted(path.rglob(_PACKAGES)) if path.is_dir() else [path])]
    with DecodeChild() as child:
        for file in track(files, "validating", console=Console(stderr=True), disable=args.json or len(files) < 3):
            report = _validated(file, child)
            is_all_good = is_all_good and report["valid"] is True
            print(json.dumps(report) if args.json else _sentence(report))
    return 0 if is_all_good else 1


def _validated(file: Path, child: DecodeChild) -> dict[str, object]:
    """Open a package in the child: digests, schema, pixels and the originals behind them."""
    report: dict[str, object] = {"file": str(file), "valid": False}
    try:
        document, scan = child.open_package(file, replays=True)
    except ScanRejected as problem:
        return {**report, "code": problem.code, "detail": problem.detail, **problem.fields}
    planes = sum(len(view.planes) for view in scan.views)
    return {**report, "valid": True, "scan": document.scan.id, "entries": len(document.entries), "planes": planes}


def _sentence(report: Mapping[str, object]) -> str:
    if report["valid"]:
        return f"{report['file']}: whole: {report['entries']} entries, {report['planes']} planes, every digest fits"
    return f"{report['file']}: REFUSED: {report['code']}: {report['detail']}"


def _convert(args: argparse.Namespace) -> int:
    profile = named_profile(args.profile)
    screen = Console(stderr=True)
    drops = find_drops(args.paths, [profile])
    is_all_good = True
    with DecodeChild() as child:
        reader = ScanReader(child, Rules(args.subject, None, None))
        for drop, _ in track(drops, "converting", console=screen, disable=len(drops) < 3):
            digests = tuple(member_digests(drop, profile))
            originals = [(digest, member.path) for digest, member in zip(digests, drop.members, strict=True)]
            try:
                scan = reader.read(drop, profile, digests).scan
            except ScanRejected as problem:
                is_all_good = False
                print(f"{drop.members[0].name}: {problem.code}: {problem.detail}", file=sys.stderr)
                continue
            out = args.out / f"{scan.scan_id}.r{scan.revision}.scan.zip"
            ref = write_package(scan, originals, out, args.codec, keeps_originals=args.originals == "keep")
            print(f"{ref.path}: {sum(len(view.planes) for view in scan.views)} planes, {ref.bytes / 1e6:.1f} MB")
    return 0 if is_all_good else 3


def _extract(args: argparse.Namespace) -> int:
    args.out.mkdir(parents=True, exist_ok=True)
    with DecodeChild() as child:
        for dossier in _dossiers(args):
            _, scan = child.open_package(dossier.package)
            for view in scan.views:
                for plane in view.planes:
                    is_tiff = args.format == "tiff" and plane.pixels.ndim == 2
                    path = args.out / f"{dossier.stem}.{view.name}_{plane.quantity}_{plane.energy}{'.tif' if is_tiff else '.png'}"
                    path.write_bytes(tiff_bytes(plane.pixels, "deflate") if is_tiff else png_bytes(plane.pixels))
                    print(path)
    return 0


def _export(args: argparse.Namespace) -> int:
    _require_grounds(args)
    dossiers = _dossiers(args)
    if args.full and args.state_dir is not None and dossiers:
        _journal(args, dossiers)
    elif args.full:
        print("edge-agent: no --state-dir: this export is journalled nowhere", file=sys.stderr)
    with DecodeChild() as child:
        for path in _exported(args, dossiers, child):
            print(path)
    return 0


def _exported(args: argparse.Namespace, dossiers: Sequence[Dossier], child: DecodeChild) -> list[Path]:
    shown = track(dossiers, "exporting", console=Console(stderr=True), disable=len(dossiers) < 3)
    match args.format:
        case "package":
            return [export_package(dossier, args.out, in_clear=args.full) for dossier in shown]
        case "dicos":
            return [path for dossier in shown for path in export_dicos(dossier, args.out, child, in_clear=args.full)]
        case "coco":
            return [export_coco(shown, args.out, child)]
        case _:
            return export_csv(dossiers, args.out)


def _require_grounds(args: argparse.Namespace) -> None:
    """Refuse an export in clear without its grounds."""
    if not args.full:
        return
    if args.format not in ("package", "dicos"):
        raise ExportRefused(f"{args.format} holds no identifiers; leave --full out")
    if not args.reason or not args.role:
        raise ExportRefused("an export in clear needs --reason and --role")
    refuse_free_text([CodeParams(code=EXPORTED, params={"reason": args.reason})])


def _journal(args: argparse.Namespace, dossiers: Sequence[Dossier]) -> None:
    """Journal who takes what away in clear, before it is written.

    Raises:
        LedgerBusy: the daemon runs; it alone writes its ledger.
    """
    clock = SystemClock()
    site, _ = of_site(args.state_dir, [dossiers[0].document.scan.id], in_clear=False)
    with closing(Ledger.open(args.state_dir / "ledger.db", site, clock)) as ledger:
        now = clock.now()
        for dossier in dossiers:
            scan, scanner = dossier.document.scan, ScannerId(dossier.document.system.scanner_id)
            cause = f"export {now.isoformat()}"
            event = CodeParams(code=EXPORTED, params={"reason": args.reason, "role": args.role, "format": args.format})
            ledger.append(audit_entry(site, event, cause, now, About(ScanId(scan.id), scan.revision, scanner)))


def _anonymise(args: argparse.Namespace) -> int:
    for dossier in _of_files(args.files):
        file, path = dossier.package, args.out / f"{dossier.stem}.scan.zip"
        if path.exists() and path.samefile(file):
            raise ExportRefused(f"{path}: this is the package itself; choose another --out")
        print(anonymise_package(file, path).path)
    return 0


def _schema(args: argparse.Namespace) -> int:
    print(table() if args.markdown else shipped_schema(), end="")
    return 0


def _dossiers(args: argparse.Namespace) -> list[Dossier]:
    if args.state_dir is not None:
        return of_site(args.state_dir, args.what, in_clear=bool(getattr(args, "full", False)))[1]
    if not args.what:
        args.usage_error("give package files, or --state-dir")
    return _of_files([Path(word) for word in args.what])


def _of_files(files: Sequence[Path]) -> list[Dossier]:
    """Give the dossiers of package files, which may come from anywhere: each is opened in the child before this process reads it."""
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise ConfigUnreadable(f"{', '.join(absent)}: no such file; scan ids need --state-dir")
    with DecodeChild() as child:
        return of_files(files, child)


ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "show": _show,
    "validate": _validate,
    "convert": _convert,
    "extract": _extract,
    "export": _export,
    "anonymise": _anonymise,
    "schema": _schema,
}
"""What each action does; gives the exit code."""
