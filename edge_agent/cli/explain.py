"""``edge-agent explain``: why the models said what they said of one scan."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge_agent.agent.at_hand import Rules, Workbench, find_drops, open_workbench
from edge_agent.agent.config import read_file
from edge_agent.agent.engine import Judgement
from edge_agent.agent.lifecycle import cores_granted
from edge_agent.analysis.conclude import HETEROGENEITY
from edge_agent.analysis.explain import (
    Alternative,
    Fit,
    Load,
    MaskPlan,
    Question,
    Saliency,
    alternatives,
    explain_detection,
    fit,
    missing_from_declaration,
)
from edge_agent.analysis.policy import parse_policy
from edge_agent.analysis.ports import ContentsModel
from edge_agent.cli import assess
from edge_agent.cli.out_folder import make_out_folder
from edge_agent.cli.trust import admission_of
from edge_agent.console import catalogue
from edge_agent.domain.clock import Clock
from edge_agent.domain.drop import Drop
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Scan, View
from edge_agent.errors import ConfigUnreadable
from edge_agent.formats.encode import png_bytes
from edge_agent.imaging.render import Caption, Overlay, draw_assessment, to_grey
from edge_agent.telemetry.clock import SystemClock

_MOST_ROWS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A detection explained: where its score comes from, and what finding that out cost."""

    saliency: Saliency
    view: View
    masks: int
    seed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A view's load under other declarations. ``missing``: families that would have to be declared too, None = no few would do.

    ``score``, ``unexplained``: as declared; the latter is None where nothing usable was declared. ``then``: with ``missing`` declared too.
    """

    view: str
    declared: tuple[str, ...]
    score: float
    unexplained: float | None
    alert_at: float
    alternatives: tuple[Alternative, ...]
    missing: tuple[str, ...] | None
    then: Fit | None


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "explain",
        help="why: where a detection's score comes from, which other goods would explain the load",
        description="Look at a scan again and say why. For the strongest detections: parts of the scan are hidden at random and the model "
        "asked again, a few hundred times; the picture shows where hiding costs the score. For the load: every goods family in turn as "
        "the declaration, without asking the model again. The same seed gives the same result. Exit codes: 0, 1 the scan cannot be read, "
        "78 models or policy cannot be used.",
    )
    parser.add_argument(
        "scan", nargs="+", metavar="SCAN", help="the files of one scan, a folder with one, a scan package, or with --state-dir a scan's id"
    )
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="state directory of a site whose package of the scan is to be used")
    parser.add_argument(
        "--masks", type=_count, default=400, metavar="N", help="looks a detection; more are slower and smoother (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws the masks (default: %(default)s)")
    parser.add_argument("--top", type=_count, default=1, metavar="N", help="how many detections, strongest first (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a picture of each explained detection there")
    assess.add_reading_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explain one scan and give 0."""
    clock, screen = SystemClock(), Console(stderr=True)
    drop, profile = _drop(args)
    make_out_folder(args.out)
    rules = Rules(args.subject, args.pitch, args.declared)
    with open_workbench(parse_policy(read_file(args.policy)), args.bundles, args.device, rules, clock, admission_of(args)) as bench:
        outcome = bench.assess(drop, profile)
        if outcome.rejected is not None:
            raise outcome.rejected
        assert outcome.scan is not None and outcome.judgement is not None  # noqa: S101, PT018 - an outcome is judged or rejected
        found = _strongest(outcome.judgement, args.top)
        plan = MaskPlan(args.masks, seed=args.seed)
        explained = [_explained(_question(one, outcome.scan, bench, plan), bench, clock, screen) for one in found]
        compared = _compared(outcome.scan, outcome.judgement, bench)
    stem = Path(args.scan[0]).name.partition(".")[0]
    pictures = [_picture(args.out, stem, number, one) for number, one in enumerate(explained, start=1)]
    if args.json:
        print(json.dumps(_document(args.scan[0], explained, pictures, compared)))
    else:
        _say(explained, pictures, compared)
    return 0


def _drop(args: argparse.Namespace) -> tuple[Drop, Profile]:
    """Give the one scan that is meant, and the profile that reads it.

    Raises:
        ConfigUnreadable: it is not there, or it is more than one.
    """
    paths = [Path(name) for name in args.scan] if args.state_dir is None else [_package(name, args.state_dir) for name in args.scan]
    drops = find_drops(paths, assess.profiles_of(args))
    if len(drops) != 1:
        raise ConfigUnreadable(f"{' '.join(args.scan)}: one scan is explained at a time, here are {len(drops)}; name the files of one")
    return drops[0]


def _package(scan: str, state_dir: Path) -> Path:
    """Give the package of a scan in a site's state directory, of its latest revision."""
    if not scan.replace("-", "").isalnum():
        raise ConfigUnreadable(f"{scan!r} is no scan id; with --state-dir a scan is named by the id that results and reports show")
    found = sorted((state_dir / "packages").glob(f"*/*/*/{scan}.r*.scan.zip"), key=lambda path: (len(path.name), path.name))
    if not found:
        raise ConfigUnreadable(f"no package of scan {scan} under {state_dir / 'packages'}")
    return found[-1]


def _strongest(judgement: Judgement, count: int) -> list[Detection]:
    found = [finding for finding in judgement.findings if isinstance(finding, Detection)]
    return sorted(found, key=lambda one: -one.score)[:count]


def _question(target: Detection, scan: Scan, bench: Workbench, plan: MaskPlan) -> Question:
    view = next(view for view in scan.views if view.name == target.view)
    detector = next(one for one in bench.engine.loaded.models.detectors if one.bundle.ref == target.bundle)
    return Question(detector, view, scan.subject.kind, target, plan)


def _explained(question: Question, bench: Workbench, clock: Clock, screen: Console) -> Explained:
    """Say what it will cost, do it under a progress bar, and measure what it did cost."""
    masks, words = question.plan.count, _words(question.target)
    started = clock.monotonic()
    question.masked_score(0)
    about = (clock.monotonic() - started) * masks / cores_granted()
    screen.print(f"explaining {words}: {masks} masks, one look of {question.target.bundle} each, about {about:.0f} s", highlight=False)
    with Progress(console=screen) as progress:
        task = progress.add_task("masks", total=masks)
        started = clock.monotonic()
        saliency = explain_detection(question, bench.engine.device.fan, lambda: progress.advance(task))
        seconds = clock.monotonic() - started
    return Explained(saliency, question.view, masks, question.plan.seed, seconds)


def _compared(scan: Scan, judgement: Judgement, bench: Workbench) -> list[Compared]:
    """Judge the load of each view against every family."""
    contents = bench.engine.loaded.models.contents
    maps = {one.view: one for one in judgement.maps if one.goods is not None}
    guesses = {finding.view: finding for finding in judgement.findings if isinstance(finding, ProductGuess)}
    compared = []
    for verdict in judgement.findings:
        goods = maps[verdict.view].goods if isinstance(verdict, Heterogeneity) and verdict.view in maps else None
        if contents is None or not isinstance(verdict, Heterogeneity) or goods is None:
            continue
        declared = verdict.against if verdict.declared else ()
        load = Load(verdict, guesses.get(verdict.view), goods, maps[verdict.view].size, declared)
        alert_at = bench.engine.policy.of(scan.subject.kind).levels(HETEROGENEITY, contents.alert_levels[HETEROGENEITY]).alert_at
        compared.append(_under_others(contents, load, alert_at))
    return compared


def _under_others(contents: ContentsModel, load: Load, alert_at: float) -> Compared:
    missing = missing_from_declaration(contents, load, alert_at)
    then = None if missing is None else fit(contents, load, (*load.declared, *missing))
    unexplained = fit(contents, load, load.declared).unexplained if load.declared else None
    rows = alternatives(contents, load)
    return Compared(load.verdict.view, load.declared, load.verdict.score, unexplained, alert_at, rows, missing, then)


def _picture(folder: Path | None, stem: str, number: int, one: Explained) -> Path | None:
    """Draw the heat over the view and write it."""
    if folder is None:
        return None
    target, saliency = one.saliency.target, one.saliency
    overlay = Overlay((target,), saliency.over(one.view.size), heat_words="hiding this place costs the score most")
    lines = (
        f"{_words(target)}; said by {target.bundle}",
        f"{one.masks} masks, seed {one.seed}, {one.seconds:.1f} s; the coloured places carry the score, and say nothing of what lies there",
    )
    caption = Caption("explained", f"{catalogue.clean(stem)}, view {one.view.name}", lines)
    path = folder / f"{stem}.explained-{number}.png"
    path.write_bytes(png_bytes(draw_assessment(to_grey(one.view.leading), overlay, caption)))
    return path


def _document(scan: str, explained: Sequence[Explained], pictures: Sequence[Path | None], compared: Sequence[Compared]) -> dict[str, Any]:
    detections = [
        {
            "label": one.saliency.target.label,
            "score": round(one.saliency.target.score, 4),
            "box": list(one.saliency.target.box.rounded()),
            "view": one.view.name,
            "bundle": one.saliency.target.bundle,
            "masks": one.masks,
            "seed": one.seed,
            "seconds": round(one.seconds, 2),
            "peak": [round(value, 1) for value in one.saliency.peak],
            "most_costly_drop": round(float(one.saliency.drop.max()), 4),
            "picture": None if picture is None else str(picture),
        }
        for one, picture in zip(explained, pictures, strict=True)
    ]
    return {"scan": Path(scan).name, "detections": detections, "declarations": [_rounded(asdict(one)) for one in compared]}


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Give scores with four digits after the point, as journal and pictures carry them."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


def _say(explained: Sequence[Explained], pictures: Sequence[Path | None], compared: Sequence[Compared]) -> None:
    console = Console(soft_wrap=True)
    if not explained:
        console.print("nothing was detected, so there is no detection to explain")
    for one, picture in zip(explained, pictures, strict=True):
        x, y = one.saliency.peak
        console.print(
            f"{_words(one.saliency.target)}: the score rests most on the place around x {x:.0f}, y {y:.0f} px; hiding it costs "
            f"{float(one.saliency.drop.max()):.2f} on average ({one.masks} masks, seed {one.seed}, {one.seconds:.1f} s)",
            highlight=False,
            markup=False,
        )
        if picture is not None:
            console.print(f"  picture: {picture}", highlight=False, markup=False)
    for view in compared:
        console.print(_table(view))
        console.print(_sentence(view), highlight=False, markup=False)


def _table(view: Compared) -> Table:
    """Give the families as rows, best explanation first."""
    title = f"view {view.view}: which declaration would explain the load (score, alert from {view.alert_at:.2f}; share unexplained)"
    table = Table(title=title, title_justify="left")
    for column in ("goods", "HS headings"):
        table.add_column(column)
    scores = ("declared alone", "declared as well", "looks like it") if view.declared else ("declared alone", "looks like it")
    for column in scores:
        table.add_column(column, justify="right")
    for row in (row for at, row in enumerate(view.alternatives) if at < _MOST_ROWS or row.is_declared):
        name = f"{row.family} (declared)" if row.is_declared else row.family
        alone, besides = f"{row.instead:.3f} {row.unexplained_instead:4.0%}", f"{row.besides:.3f} {row.unexplained_besides:4.0%}"
        table.add_row(name, " ".join(row.headings), *((alone, besides) if view.declared else (alone,)), f"{row.share:.0%}")
    return table


def _sentence(view: Compared) -> str:
    if view.unexplained is None:
        return "Nothing usable was declared, so there is no declaration to mend."
    declared = f"Declared {', '.join(view.declared)} ({view.score:.3f}): {view.unexplained:.0%} of the load looks more like other goods"
    if view.missing is None or view.then is None:
        return f"{declared}, and no few goods declared in addition would explain it."
    if view.missing == ():
        return f"{declared}; that is below the alert level."
    return f"{declared}; with {', '.join(view.missing)} declared as well, it would be {view.then.unexplained:.0%} ({view.then.score:.3f})."


def _words(target: Detection) -> str:
    return f"{catalogue.clean(target.label)} {target.score:.0%} in view {catalogue.clean(target.view)}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)
