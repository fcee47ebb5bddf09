"""``edge-agent assess``: files at hand through the whole path, with a picture of what was found."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from edge_agent.agent.at_hand import SCANNER, SITE, Outcome, Rules, Workbench, find_drops, open_workbench
from edge_agent.agent.config import read_file
from edge_agent.analysis.policy import parse_policy
from edge_agent.cli.out_folder import make_out_folder
from edge_agent.cli.profiles import named_profile
from edge_agent.cli.trust import add_trust, admission_of
from edge_agent.console import catalogue
from edge_agent.domain.assessment import Fact, FactKind, MachineAssessment
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection, Heterogeneity, WeightEstimate
from edge_agent.domain.ids import fact_id
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import View
from edge_agent.formats.encode import png_bytes
from edge_agent.imaging.dark import dark_area
from edge_agent.imaging.render import Caption, Overlay, draw_assessment, to_grey
from edge_agent.inference.installed import share_dir
from edge_agent.inference.session import DevicePolicy
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.convert import ScanContext, assessment_body
from edge_agent.wire.messages import AssessmentBody, CodeParams

PROFILES = ("scan-package", "sim-cargo", "sim-parcel", "sim-parcel-colour", "smiths-dataform", "plain-image")
_PROFILE_HELP = "shipped profile (smiths-dataform) or TOML file that reads the files, in place of " + ", ".join(PROFILES)
_HEADINGS_HELP = "headings that stand in for the declaration, such as 0202,4011; 0000 = declared empty"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "assess",
        help="assess files at hand, without a daemon",
        description="Decode, run the models, apply the policy, and say what was found and why. Files that belong together (a TIFF pair "
        "and its side-car) are found by the shipped scanner profiles, which know our own packages (*.scan.zip) too, or by --profile. "
        "Nothing is changed or sent. Exit codes: 0 all assessed, 2 usage, 3 some scan rejected or unassessable, 78 models, policy or "
        "profile cannot be used.",
    )
    parser.add_argument("path", type=Path, nargs="+", metavar="PATH", help="files or folders")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a picture and the assessment (JSON) of each scan there")
    add_reading_options(parser)
    parser.set_defaults(run=run)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add how files at hand are read and judged: the same for every command that does so."""
    parser.add_argument("--profile", metavar="P", help=_PROFILE_HELP)
    parser.add_argument("--declared", type=_headings, metavar="HS4,...", help=_HEADINGS_HELP)
    add_scan_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a scan, for machines")
    parser.add_argument("--bundles", type=Path, default=share_dir() / "exported_models", metavar="DIR", help="model bundles")
    add_judging_options(parser)


def profiles_of(args: argparse.Namespace) -> list[Profile]:
    """Give the profiles that may read the files: the one that was named, else the shipped ones for files at hand.

    Raises:
        ConfigUnreadable, ConfigInvalid: it is not there, or cannot be used.
    """
    return [named_profile(name) for name in (PROFILES if args.profile is None else (args.profile,))]


def add_scan_options(parser: argparse.ArgumentParser, default: str = "parcel where the side-car names one, else cargo") -> None:
    """Add how scans are to be read. ``default``: what a scan is of when nobody says."""
    subject = f"what was scanned (default: {default})"
    parser.add_argument("--subject", type=SubjectKind, choices=list(SubjectKind), help=subject)
    parser.add_argument("--pitch", type=_pitch, metavar="X,Y|from-container", help="millimetres a pixel (default: as the side-car says)")


def add_judging_options(parser: argparse.ArgumentParser) -> None:
    """Add whose bundles are believed, the policy, and the device."""
    add_trust(parser)
    parser.add_argument("--policy", type=Path, default=share_dir() / "config/policy.example.toml", metavar="FILE", help="policy.toml")
    parser.add_argument("--device", type=DevicePolicy, default=DevicePolicy.PREFER_GPU, choices=list(DevicePolicy), help="where models run")


def run(args: argparse.Namespace) -> int:
    """Assess every drop and give 0, or 3 when some scan could not be judged."""
    make_out_folder(args.out)
    drops = find_drops(args.path, profiles_of(args))
    rules = Rules(args.subject, args.pitch, args.declared)
    screen = Console(stderr=True)
    all_judged = True
    with open_workbench(parse_policy(read_file(args.policy)), args.bundles, args.device, rules, SystemClock(), admission_of(args)) as bench:
        shown = track(drops, "assessing", console=screen, disable=args.json or len(drops) < 2)
        for drop, profile in shown:
            outcome = bench.assess(drop, profile)
            body = _body(outcome, bench)
            (_print_json if args.json else _print_words)(outcome, body)
            if args.out is not None:
                _write(args.out, outcome, body, bench)
            all_judged = all_judged and body is not None and body.conclusion != "unassessable"
    return 0 if all_judged else 3


def _body(outcome: Outcome, bench: Workbench) -> AssessmentBody | None:
    if outcome.scan is None or outcome.judgement is None or outcome.particulars is None:
        return None
    scan, judgement = outcome.scan, outcome.judgement
    fact = Fact(fact_id(scan.scan_id, FactKind.ASSESSMENT, 1, "at-hand"), scan.scan_id, 1, "at-hand", bench.engine.clock.now())
    assessment = MachineAssessment(
        fact,
        judgement.conclusion.word,
        judgement.conclusion.reasons,
        judgement.conclusion.obstacles,
        judgement.findings,
        bench.engine.provenance(),
        judgement.timings_ms,
    )
    return assessment_body(ScanContext(SITE, SCANNER, outcome.particulars, outcome.members, ()), assessment)


def _print_json(outcome: Outcome, body: AssessmentBody | None) -> None:
    name = outcome.drop.members[0].name
    if body is None and outcome.rejected is not None:
        content: object = {
            "file": name,
            "rejected": outcome.rejected.code,
            "detail": outcome.rejected.detail,
            "hint": outcome.rejected.hint,
        }
    else:
        assert body is not None  # noqa: S101 - an outcome is judged or rejected
        content = {"file": name, "assessment": json.loads(body.model_dump_json(by_alias=True, exclude_none=True))}
    print(json.dumps(content), flush=True)


def _print_words(outcome: Outcome, body: AssessmentBody | None) -> None:
    console = Console(soft_wrap=True)
    name = catalogue.clean(outcome.drop.members[0].name)
    if body is None and outcome.rejected is not None:
        words = catalogue.sentence(CodeParams(code=outcome.rejected.code, params=outcome.rejected.fields))
        console.print(f"{name}: [bold black on yellow]REJECTED[/] {words}\n  what to do: {outcome.rejected.hint}", highlight=False)
        return
    assert body is not None  # noqa: S101 - an outcome is judged or rejected
    word, style = catalogue.conclusion(body.conclusion)
    seconds = sum(body.timings_ms.values()) / 1000.0
    console.print(f"{name}: [{style}]{word}[/] in {seconds:.2f} s on {body.provenance.provider}", highlight=False)
    for line in _lines(body):
        console.print(f"  {line}", highlight=False, markup=False)


def _lines(body: AssessmentBody) -> Iterator[str]:
    """Give reasons, obstacles and what the load looks like, in words."""
    yield from (catalogue.sentence(reason) for reason in body.reasons)
    yield from (f"{'cannot judge' if o.blocking else 'note'}: {catalogue.sentence(o)}" for o in body.obstacles)
    for part in body.findings:
        if part.type == "product":
            yield "the load looks like " + ", ".join(f"{family} {share:.0%}" for family, share in part.ranked[:3] if share >= 0.05)
        elif part.type == "weight":
            yield f"the load weighs about {part.mass_kg:.0f} kg ({part.low_kg:.0f} to {part.high_kg:.0f})"
    advisory = {bundle.ref for bundle in body.provenance.bundles if bundle.state != "commissioned"}
    if advisory:
        yield f"{', '.join(sorted(advisory))}: {catalogue.ADVISORY}"


def _write(folder: Path, outcome: Outcome, body: AssessmentBody | None, bench: Workbench) -> None:
    """Write ``<stem>.json`` and one picture a view."""
    if body is None or outcome.scan is None:
        return
    stem = Path(outcome.drop.members[0].name).stem
    (folder / f"{stem}.json").write_bytes(body.model_dump_json(by_alias=True, exclude_none=True, indent=2).encode())
    for view in outcome.scan.views:
        picture = folder / f"{stem}.{view.name}.png"
        picture.write_bytes(png_bytes(_drawn(outcome, view, body, bench)))
        print(f"  picture: {picture}", file=sys.stderr)


def _drawn(outcome: Outcome, view: View, body: AssessmentBody, bench: Workbench) -> NDArray[np.uint8]:
    """Give the picture of one view: (h, w, 3) uint8 RGB with boxes, heat map, dark areas and caption."""
    judgement = outcome.judgement
    assert outcome.scan is not None and judgement is not None  # noqa: S101, PT018 - only judged scans are drawn
    plane = view.leading
    shown = [finding for finding in judgement.findings if not isinstance(finding, WeightEstimate) and finding.view == view.name]
    detections = [finding for finding in shown if isinstance(finding, Detection)]
    alerting = [one for one in detections if bench.alerts(one, outcome.scan.subject.kind)]
    overlay = Overlay(
        detections=tuple(alerting),
        hints=tuple(one.box for one in detections if one not in alerting),
        heat=next((maps.heat for maps in judgement.maps if maps.view == view.name), None),
        dark=dark_area(plane, view.load),
        regions=tuple(box for finding in shown if isinstance(finding, Heterogeneity) for box in finding.regions),
    )
    title = f"{catalogue.clean(outcome.drop.members[0].name)}, view {view.name}"
    return draw_assessment(to_grey(plane), overlay, Caption(body.conclusion, title, tuple(_lines(body))))


def _headings(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words or any(len(word) < 4 or not word.isdigit() for word in words):
        raise argparse.ArgumentTypeError("four digits each, separated by commas")
    return words


def _pitch(text: str) -> tuple[float, float] | Literal["from-container"]:
    if text == "from-container":
        return "from-container"
    try:
        x_mm, y_mm = (float(word) for word in text.split(","))
    except ValueError as problem:
        raise argparse.ArgumentTypeError("two numbers, such as 5.0,5.0, or from-container") from problem
    return x_mm, y_mm
