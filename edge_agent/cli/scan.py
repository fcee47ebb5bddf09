"""``edge-agent scan``: look at scans, check, convert, export and anonymise them. The actions are in :mod:`edge_agent.cli.scan_actions`."""

import argparse
from pathlib import Path

from edge_agent.cli.reason import reason_word
from edge_agent.domain.capture import SubjectKind

_WHAT = "package files, or with --state-dir scan ids"
_STATE_DIR = "take scans of this site by their ids; works beside a running daemon"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "scan",
        help="scan packages: show, validate, convert, export, extract, anonymise",
        description="Scans as files: *.scan.zip packages, and whatever a scanner profile reads.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_show(actions)
    _add_validate(actions)
    _add_convert(actions)
    _add_extract(actions)
    _add_export(actions)
    _add_anonymise(actions)
    schema = actions.add_parser("schema", help="print the JSON Schema of scan.json")
    schema.add_argument("--markdown", action="store_true", help="print the table of fields instead")
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    from edge_agent.cli.scan_actions import ACTIONS

    return ACTIONS[args.action](args)


def _add_show(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    show = actions.add_parser(
        "show",
        help="what a scan is and what was said of it",
        description="A summary of packages. With --state-dir and no id: the list of all packed scans. Identifiers are shown as tokens.",
    )
    show.add_argument("what", nargs="*", metavar="WHAT", help=_WHAT)
    show.add_argument("--state-dir", type=Path, metavar="DIR", help=_STATE_DIR)
    show.add_argument("--picture", action="store_true", help="draw each view coarsely on the terminal")
    show.add_argument("--json", action="store_true", help="one JSON object a scan: scan.json and the facts of the journal")


def _add_validate(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = actions.add_parser(
        "validate",
        help="check every digest, the schema and the pixels of packages",
        description="Decodes in the confined child. Where a package holds an original file, its planes are made again from it by the "
        "recorded steps and compared bit for bit. Exit codes: 0 all are whole and unaltered, 1 some is not.",
    )
    validate.add_argument("files", nargs="+", type=Path, metavar="FILE", help="packages, or folders of packages")
    validate.add_argument("--json", action="store_true", help="one JSON object a package")


def _add_convert(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    convert = actions.add_parser(
        "convert",
        help="make packages of a scanner's files",
        description="Reads files as the daemon would and writes a package for each scan. Identifiers of side-cars are left out, for there "
        "is no identity table here to keep them in. Exit codes: 0 all converted, 3 some could not be read, 78 the profile cannot be used.",
    )
    convert.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    convert.add_argument("--profile", required=True, metavar="P", help="name of a shipped profile (smiths-dataform), or a TOML file")
    convert.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the packages")
    convert.add_argument(
        "--subject",
        type=SubjectKind,
        choices=list(SubjectKind),
        help="what was scanned (default: parcel where the side-car names one, else cargo)",
    )
    convert.add_argument("--codec", choices=("zstd", "deflate", "jxl"), default="zstd", help="how planes are packed (default: zstd)")
    convert.add_argument(
        "--originals",
        choices=("hash-only", "keep"),
        default="hash-only",
        help="whether all of the scanner's pixel files go in too, or only those that a plane cannot be made again without (default)",
    )


def _add_extract(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    extract = actions.add_parser("extract", help="planes as picture files", description="Writes every plane as PNG or TIFF, without loss.")
    extract.add_argument("what", nargs="+", metavar="WHAT", help=_WHAT)
    extract.add_argument("--state-dir", type=Path, metavar="DIR", help=_STATE_DIR)
    extract.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    extract.add_argument("--format", choices=("png", "tiff"), default="png", help="colour pictures are always PNG (default: png)")


def _add_export(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = actions.add_parser(
        "export",
        help="scans with what was said of them, for others",
        description="Anonymised by default: identifiers are tokens, what people typed is left out, pictures lose their metadata. --full "
        "gives identifiers in clear; it needs --reason and --role, and is journalled before anything is written, for which the "
        "daemon must be stopped. tip, synthetic and staged scans carry their kind in every form.",
    )
    export.add_argument("what", nargs="*", metavar="WHAT", help=_WHAT + "; none = all packed scans")
    export.add_argument("--state-dir", type=Path, metavar="DIR", help="take scans of this site by their ids, with the facts of its journal")
    export.add_argument("--format", choices=("package", "dicos", "coco", "csv"), required=True, help="dicos needs the extra dicos")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    export.add_argument("--full", action="store_true", help="identifiers in clear (package and dicos)")
    export.add_argument("--reason", type=reason_word, metavar="WORD", help="why in clear: one word, such as court-order; it is journalled")
    export.add_argument("--role", choices=("evidence", "supervisor"), help="in which role; it is journalled")


def _add_anonymise(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    anonymise = actions.add_parser(
        "anonymise",
        help="packages without personal data",
        description="Writes copies in which tokens are replaced, what people typed is dropped, stamp, snapshot and OCR pictures are left "
        "out and pictures lose their metadata. Pixels are the same. Text burnt into a picture stays.",
    )
    anonymise.add_argument("files", nargs="+", type=Path, metavar="FILE", help="packages")
    anonymise.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the copies")
