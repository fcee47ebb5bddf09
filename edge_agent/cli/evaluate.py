"""``edge-agent evaluate``: how good bundles are on a labelled set, through the whole product path."""

import argparse
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_agent.agent.at_hand import Outcome, Rules, Workbench, find_drops, open_workbench
from edge_agent.agent.commission import listen
from edge_agent.agent.config import read_file
from edge_agent.analysis.policy import parse_policy
from edge_agent.cli.assess import add_judging_options, add_scan_options
from edge_agent.cli.out_folder import make_out_folder
from edge_agent.cli.profiles import named_profile
from edge_agent.cli.trust import admission_of
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.drop import Drop
from edge_agent.domain.profile import Profile
from edge_agent.errors import ConfigInvalid, DatasetUnusable
from edge_agent.evaluation.dataset import LabelledSet, Truth, read_set
from edge_agent.evaluation.figure import Figure
from edge_agent.evaluation.record import Judged, Record, record
from edge_agent.inference.installed import installed_bundles
from edge_agent.inference.store import Admission
from edge_agent.telemetry.clock import SystemClock

FLOOR = 0.01
"""Detections are recorded from this score up: average precision wants the weak ones too."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One picture of a set and what became of it, without its pixels. ``record``: None when it was rejected."""

    truth: Truth
    outcome: Outcome
    record: Record | None


@dataclass(slots=True)
class Examination:
    """Grows while a set is examined: one record a judged picture, and counts of conclusions and of rejections by code."""

    records: list[Record] = field(default_factory=list)
    concluded: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, one: Examined) -> None:
        if one.record is not None:
            self.records.append(one.record)
        if one.outcome.judgement is not None:
            self.concluded[one.outcome.judgement.conclusion.word.value] += 1
        if one.outcome.rejected is not None:
            self.rejected[one.outcome.rejected.code] += 1


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="how good bundles are on a labelled set",
        description="Runs every picture of a labelled set through decoding, tiles, merging and policy, as the daemon would, and says how "
        "good the result is: average precision as COCO defines it, found at fixed false alarms, areas under the ROC curve with mean grey "
        "and dark share beside, pointing game, errors in kg. Every share and area has its 95 % interval. Exit codes: 0, 1 the set "
        "cannot be used, 78 models, policy or profile.",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="COCO_DIR", help="images/ with annotations.json or annotations_coco.json"
    )
    parser.add_argument("--bundle", type=Path, default=installed_bundles(), metavar="DIR", help="one bundle, or a folder of bundles")
    parser.add_argument("--profile", default="plain-image", metavar="NAME|FILE", help="how the files are read (default: %(default)s)")
    parser.add_argument("--limit", type=_count, metavar="N", help="take N pictures only, spread over the set")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the figures (JSON) and the curves (PNG) there")
    add_scan_options(parser, "cargo")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    add_judging_options(parser)
    parser.add_argument("--allow-research", action="store_true", help="run bundles that are for research only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine, measure, say."""
    _check_installed()
    make_out_folder(args.out)
    from edge_agent.evaluation.plots import draw
    from edge_agent.evaluation.report import evaluate

    labelled, profile = read_set(args.data).limited(args.limit), named_profile(args.profile)
    policy, admission = parse_policy(read_file(args.policy)), Admission(admission_of(args).trust, args.allow_research)
    subject = args.subject or SubjectKind.CARGO
    rules = Rules(subject, args.pitch, None)
    with open_workbench(policy, args.bundle, args.device, rules, SystemClock(), admission) as bench:
        _check_subject(bench, subject)
        listen(bench, subject, FLOOR)
        examination = Examination()
        for one in examine_set(bench, labelled, profile, quiet=args.json):
            examination.add(one)
        report = evaluate(examination.records, bench.engine.loaded.models, subject, levels_in_force(bench, subject))
        content = _content(bench, examination, left_out(labelled, bench, subject), report.figures)
    if args.json:
        print(json.dumps(content, indent=1))
    else:
        _print(content, report.figures)
    if args.out is not None:
        _write(args.out, content)
        draw(report, args.out)
    return 0


def examine_set(bench: Workbench, labelled: LabelledSet, profile: Profile, *, quiet: bool) -> Iterator[Examined]:
    """Judge every picture of a set, each with what was declared for it.

    Raises:
        DatasetUnusable: a picture is not there.
    """
    drops = _drops(labelled.truths, profile)
    for truth in track(labelled.truths, "examining", console=Console(stderr=True), disable=quiet):
        own = bench if truth.declared is None else bench.declaring(truth.declared)
        outcome = own.assess(drops[truth.path], profile)
        yield Examined(truth, replace(outcome, scan=None), _record(truth, outcome))


def _record(truth: Truth, outcome: Outcome) -> Record | None:
    scan, judgement = outcome.scan, outcome.judgement
    if scan is None or judgement is None:
        return None
    return record(truth, scan, Judged(judgement.findings, judgement.maps, judgement.conclusion.word))


def levels_in_force(bench: Workbench, subject: SubjectKind) -> dict[str, float]:
    """Give the alert level of every check, under the bench's policy."""
    own, rules = bench.engine.loaded.models.alert_levels(subject), bench.engine.policy.of(subject)
    return {check: rules.levels(check, level).alert_at for check, level in own.items()}


def left_out(labelled: LabelledSet, bench: Workbench, subject: SubjectKind) -> list[str]:
    """Give the set's categories that no bundle in force has a label or family for."""
    from edge_agent.evaluation.report import detection_labels

    models = bench.engine.loaded.models
    known = set(detection_labels(models, subject)) | {name for bundle in bench.engine.loaded.bundles for name in bundle.card.labels.names}
    return [name for name in labelled.categories if name not in known]


def _drops(truths: Sequence[Truth], profile: Profile) -> dict[Path, Drop]:
    """Give each picture's drop: the picture, and the files beside it that the profile says belong to it."""
    missing = [truth.path for truth in truths if not truth.path.is_file()]
    if missing:
        raise DatasetUnusable(f"{len(missing)} of {len(truths)} pictures are not there, the first is {missing[0]}")
    folders = sorted({truth.path.parent for truth in truths})
    drops = {member.path: drop for drop, _ in find_drops(folders, [profile]) for member in drop.members}
    unseen = [truth.path for truth in truths if truth.path not in drops]
    if unseen:
        raise DatasetUnusable(f"{len(unseen)} of {len(truths)} pictures are links, or left out by profile {profile.name}: {unseen[0]}")
    return drops


def _check_subject(bench: Workbench, subject: SubjectKind) -> None:
    wanted = [bundle for bundle in bench.engine.loaded.bundles if subject in bundle.card.subjects]
    if not wanted:
        known = ", ".join(sorted({name.value for bundle in bench.engine.loaded.bundles for name in bundle.card.subjects}))
        raise ConfigInvalid(f"--subject {subject}: no bundle here looks at it; they look at {known}")


def _content(bench: Workbench, examination: Examination, strangers: Sequence[str], figures: Sequence[Figure]) -> dict[str, Any]:
    """Give the report as JSON values: figures only, nothing that names a picture."""
    return {
        "format": "evaluation/1",
        "bundles": [
            {"name": use.name, "version": use.version, "sha256": use.sha256, "state": use.state.value}
            for use in (bundle.use for bundle in bench.engine.loaded.bundles)
        ],
        "policy_sha256": bench.engine.policy.digest,
        "pictures": {
            "judged": len(examination.records),
            "rejected": dict(examination.rejected),
            "concluded": dict(examination.concluded),
        },
        "categories_left_out": list(strangers),
        "figures": [figure.table() for figure in figures],
    }


def _print(content: dict[str, Any], figures: Sequence[Figure]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    names = ", ".join(f"{bundle['name']}/{bundle['version']} ({bundle['state']})" for bundle in content["bundles"])
    pictures = content["pictures"]
    console.print(f"{names}: {pictures['judged']} pictures judged, {sum(pictures['rejected'].values())} rejected", highlight=False)
    console.print("  " + ", ".join(f"{word} {count}" for word, count in sorted(pictures["concluded"].items())), highlight=False)
    for code, count in pictures["rejected"].items():
        console.print(f"  rejected, {code}: {count}", highlight=False)
    if content["categories_left_out"]:
        console.print(f"left out, for no bundle has them: {', '.join(content['categories_left_out'])}", markup=False, highlight=False)
    if not figures:
        console.print("the set has no labels that these bundles could be measured by")
    else:
        console.print(_table(figures))


def _table(figures: Sequence[Figure]) -> Table:
    table = Table(show_edge=False)
    table.add_column("figure")
    for column in ("value", "95 % interval", "of"):
        table.add_column(column, justify="right")
    for group, rows in groupby(figures, key=lambda figure: figure.group):
        table.add_row(f"[bold]{group}[/]")
        for figure in rows:
            interval = "" if figure.low is None or figure.high is None else f"{_number(figure.low)} to {_number(figure.high)}"
            counted = ", ".join(f"{count} {word}" for word, count in figure.n.items())
            table.add_row("  " + figure.name.partition("/")[2], _number(figure.value), interval, counted)
        table.add_section()
    return table


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) <= 1.0 else f"{value:,.0f}"


def _write(folder: Path, content: dict[str, Any]) -> None:
    try:
        (folder / "evaluation.json").write_text(json.dumps(content, indent=1) + "\n")
    except OSError as problem:
        raise ConfigInvalid(f"--out {folder}: {problem.strerror}") from problem
    print(f"{folder}: figures and curves written", file=sys.stderr)


def _check_installed() -> None:
    """Find out before the work, not after it."""
    missing = [name for name in ("pycocotools", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigInvalid(f"not installed: {', '.join(missing)}; install edge-agent[evaluate]")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)
