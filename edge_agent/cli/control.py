"""``edge-agent control``: results of examinations at headquarters: import them, see how far they have come, see what the form asks."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Column, Table

from edge_agent.collector.archive.outbox import Entered, Entry, Outbox
from edge_agent.collector.config import CollectorConfig, load
from edge_agent.collector.import_results import COLUMNS, Fault, read_results
from edge_agent.collector.submission import State, Submission
from edge_agent.console.catalogue import clean
from edge_agent.domain.control_form import FORM, Field, document
from edge_agent.errors import ConfigUnreadable, ImportUnreadable
from edge_agent.telemetry.clock import SystemClock

_MOST_BYTES = 256 << 20
_MOST_SHOWN = 40
_AT_ONCE = 500
_STATE_WORDS = {
    State.ENTERED: "not yet at the site",
    State.SENT: "sent and not yet back",
    State.AT_SITE: "at the site",
    State.REFUSED: "refused",
}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "control",
        help="headquarters: results of examinations: import them, and how far they have come",
        description="Results of examinations (control results) at headquarters. The site's journal is the only order of facts: a result "
        "lies in the outbox until the running collector has sent it through its site, and counts when it comes back.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_import(actions)
    listed = actions.add_parser(
        "list",
        help="what was entered, and how far it has come",
        description="One line for each result. Exit 0; with --check 1 when a site has refused one.",
    )
    listed.add_argument("--state", choices=[state.value for state in State], action="append", help="only these; may be given again")
    listed.add_argument("--check", action="store_true", help="exit 1 when any result is refused")
    listed.set_defaults(act=_list)
    form = actions.add_parser(
        "form",
        help="what the form asks, and which answers it takes",
        description="Shows the form of examinations' results, whose fields are the columns of an import.",
    )
    form.set_defaults(act=_form)
    for action in (listed, form):
        action.add_argument("--json", action="store_true", help="print JSON")
    listed.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    parser.set_defaults(run=run)


def _add_import(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    imported = actions.add_parser(
        "import",
        help="enter results out of files of the national system",
        description="Enters results out of CSV or JSON files, for the running collector to send. Each has the national system's number "
        "(record): importing it again does nothing, unless its site had refused it, or with --send-again. Every answer is checked against "
        "the form first; with any fault nothing is entered, unless --keep-good. Exit 0 all entered or known, 1 something was wrong. "
        "Columns: " + ", ".join(COLUMNS) + ".",
    )
    imported.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV with a head line, or a JSON list (.json); UTF-8")
    imported.add_argument("--config", type=Path, required=True, metavar="FILE", help="collector.toml")
    imported.add_argument("--keep-good", action="store_true", help="enter what is right though something else is wrong")
    imported.add_argument(
        "--send-again",
        action="store_true",
        help="send also what was at its site before, after the site was restored from a backup; a site that has it does nothing",
    )
    imported.add_argument("--dry-run", action="store_true", help="check only, enter nothing")
    imported.add_argument("--json", action="store_true", help="print a JSON object")
    imported.set_defaults(act=_import)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _import(args: argparse.Namespace) -> int:
    config = load(args.config)
    entries: list[Entry] = []
    bad_answers: list[tuple[str, Fault]] = []
    screen = Console(stderr=True)
    for file in track(args.files, "reading", console=screen, transient=True, disable=args.json or not screen.is_terminal):
        good, bad = _read(file, config)
        entries += good
        bad_answers += [(file.name, fault) for fault in bad]
    is_refused = bool(bad_answers) and not args.keep_good
    is_quiet = args.json or not screen.is_terminal
    became = {} if is_refused or args.dry_run else _entered(config, entries, is_quiet=is_quiet, is_lost=args.send_again)
    counts = Counter(word.value for word in became.values())
    changed = [entry.record for entry in entries if became.get(entry.control_id) is Entered.CHANGED]
    if args.json:
        _print_json(
            {
                "read": len(entries),
                **{word.value: counts.get(word.value, 0) for word in Entered},
                "changed_records": changed,
                "faults": [{"file": name, **_fault_document(fault)} for name, fault in bad_answers],
            }
        )
    else:
        _tell(entries, counts, bad_answers, changed)
    return 1 if bad_answers or changed else 0


def _read(file: Path, config: CollectorConfig) -> tuple[list[Entry], list[Fault]]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ImportUnreadable(f"{file}: larger than 256 MiB")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise ConfigUnreadable(f"{file}: {problem.strerror}", {"file": str(file)}) from problem
    except UnicodeDecodeError as problem:
        raise ImportUnreadable(f"{file}: not UTF-8") from problem
    try:
        return read_results(text, is_json=file.suffix.lower() == ".json", zones=config.zones())
    except ImportUnreadable as problem:
        raise ImportUnreadable(f"{file}: {problem.detail}", problem.fields) from problem


def _entered(config: CollectorConfig, entries: Sequence[Entry], *, is_quiet: bool, is_lost: bool) -> dict[str, Entered]:
    """Enter page by page: the collector, which may be running, waits for one page at most."""
    became: dict[str, Entered] = {}
    pages = [entries[start : start + _AT_ONCE] for start in range(0, len(entries), _AT_ONCE)]
    with Outbox.open(config.outbox_file, SystemClock()) as outbox:
        for page in track(pages, "entering", console=Console(stderr=True), transient=True, disable=is_quiet):
            became |= outbox.enter(page, is_lost=is_lost)
    return became


def _tell(entries: Sequence[Entry], counts: Counter[str], bad_answers: Sequence[tuple[str, Fault]], changed: Sequence[str]) -> None:
    if bad_answers:
        table = Table("file", Column("line", justify="right"), "record", "field", "problem", show_edge=False)
        for name, fault in bad_answers[:_MOST_SHOWN]:
            table.add_row(*map(_plain, (name, str(fault.line), fault.record, fault.field, fault.problem)))
        Console(stderr=True).print(table)
        more = len(bad_answers) - _MOST_SHOWN
        words = "1 answer is wrong" if len(bad_answers) == 1 else f"{len(bad_answers)} answers are wrong"
        print(f"{words}{f' ({more} not shown)' if more > 0 else ''}; `edge-agent control form` says what each field takes", file=sys.stderr)
    if changed:
        words = "were sent before with other content; give them an amendment number"
        print(f"{len(changed)} records {words}: {', '.join(map(clean, changed[:_MOST_SHOWN]))}", file=sys.stderr)
    if counts:
        words = ", ".join(f"{counts[word.value]} {word.value}" for word in Entered if counts[word.value])
        print(f"{sum(counts.values())} results: {words}")
    else:
        print(f"{len(entries)} results are right; nothing was entered")


def _fault_document(fault: Fault) -> dict[str, object]:
    return {"line": fault.line, "record": fault.record, "field": fault.field, "problem": fault.problem}


def _list(args: argparse.Namespace) -> int:
    config = load(args.config)
    states = [State(word) for word in args.state] if args.state else list(State)
    if config.outbox_file.is_file():
        with Outbox.read(config.outbox_file, SystemClock()) as outbox:
            found, counts = outbox.all(states), outbox.counts()
    else:
        found, counts = [], dict.fromkeys(State, 0)
    if args.json:
        _print_json({"counts": {state.value: counts[state] for state in State}, "results": [_document(one) for one in found]})
    else:
        _show(found, counts)
    return 1 if args.check and counts[State.REFUSED] else 0


def _show(found: Sequence[Submission], counts: dict[State, int]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(Column("record", no_wrap=True), "site", "state", "since UTC", Column("tries", justify="right"), "why", show_edge=False)
    for one in found:
        why = f"{one.code}: {one.detail}" if one.code else ""
        table.add_row(*map(_plain, (one.record, one.site, _STATE_WORDS[one.state], f"{one.changed_at:%m-%d %H:%M}", str(one.tries), why)))
    if found:
        console.print(table)
    print("; ".join(f"{counts[state]} {_STATE_WORDS[state]}" for state in State))


def _plain(text: str) -> str:
    """Give text that neither moves the cursor nor counts as markup: it comes out of files and over wires."""
    return escape(clean(text))


def _document(one: Submission) -> dict[str, object]:
    return {
        "record": one.record,
        "control_id": one.control_id,
        "site": one.site,
        "state": one.state.value,
        "entered_at": one.entered_at.isoformat(),
        "changed_at": one.changed_at.isoformat(),
        "tries": one.tries,
        "fact_id": one.fact_id,
        "code": one.code,
        "detail": one.detail,
    }


def _form(args: argparse.Namespace) -> int:
    if args.json:
        _print_json(document())
        return 0
    console = Console(width=None if sys.stdout.isatty() else 120)
    for title, fields in (("the result", FORM.result), ("each thing found", FORM.find)):
        table = Table("field", "takes", "asked when", title=f"form {FORM.version}: {title}", title_justify="left", show_lines=True)
        for field in fields:
            table.add_row(f"{field.name}{' *' if field.is_required else ''}", _takes(field), _asked(field))
        console.print(table)
    print("* must be answered where it is asked")
    return 0


def _takes(field: Field) -> str:
    words = ", ".join(field.choices)
    if field.name == "what":
        words = "; ".join(f"{family}: {', '.join(codes)}" for family, codes in FORM.groups.items())
    return f"{field.kind.value}: {words}" if words else field.kind.value


def _asked(field: Field) -> str:
    if field.when is None:
        return "always"
    families = [family for family, codes in FORM.groups.items() if set(codes) <= set(field.when.values)]
    return f"{field.when.field} is {', '.join(families or field.when.values)}"


def _print_json(content: object) -> None:
    json.dump(content, sys.stdout, indent=1)
    sys.stdout.write("\n")
