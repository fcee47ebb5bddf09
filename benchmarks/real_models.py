"""The shipped bundles on real scans: ``python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json``.

``DATA_DIR`` holds the folders ``ajna_ncm_conforming`` and ``ajna_ncm_divergent``: 8-bit container pictures with the declared heading and
whether the load is what was declared. Every picture goes through the whole path of the product, as ``edge-agent evaluate`` does it. Nothing
is fitted on them, but for the alert levels of the last question: clean scans are cut into halves, each half is commissioned, and the
alarms of the other half are counted.

Clean are the loads that conform, few, and the empty containers of the divergent set, many, with "empty" put in the place of what was
declared. Each kind has its own figure, because the second is the easy one. What of the divergent set is empty and what is loaded was
told from the picture's dark share: ``label_source`` in the results says so with its numbers.

Figures only are written; nothing of the pictures leaves this process, not even a file's name: those left out are named by their number.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.agent.at_hand import Outcome, Rules, Workbench, open_workbench
from edge_agent.agent.certificate import Certificate
from edge_agent.agent.commission import CleanScans, Site, Terms, certify, highest_scores, listen, of_outcomes, silenced
from edge_agent.agent.config import read_file
from edge_agent.agent.engine import Earlier, StoredGoods
from edge_agent.analysis.policy import parse_policy
from edge_agent.analysis.scores import check_scores
from edge_agent.cli.evaluate import Examined, examine_set, levels_in_force
from edge_agent.cli.profiles import named_profile
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.declaration import EMPTY_HEADING, Declaration, DeclaredItem, comparable
from edge_agent.errors import CommissionRefused
from edge_agent.evaluation.contents import evaluate_contents
from edge_agent.evaluation.dataset import NAMES, LabelledSet, Truth, read_set
from edge_agent.evaluation.figure import Figure, plain, share, shares
from edge_agent.inference.installed import installed_bundles, release_key, share_dir
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission
from edge_agent.kpi.rates import Rate
from edge_agent.signing.detached import WORKSHOP, Trust
from edge_agent.telemetry.clock import SystemClock

SETS = ("ajna_ncm_conforming", "ajna_ncm_divergent")
AS_DECLARED = "test image of that class"
"""What the conforming set says in ``customs_model_agrees``: the picture is one of the service's own examples of its heading."""
CLEAN_KINDS = ("conforming loaded", "conforming empty", "empty re-declared as empty")
BUDGET = 0.03
_BEFORE, _AFTER = "at the bundles' own levels", "commissioned on the other half"
_SEED = 1
_DAYS = 1


@dataclass(frozen=True)
class RealSet:
    """A set. ``labelled``: as the product reads it, with its makers' own words understood; ``pictures``: the same, as they wrote it."""

    name: str
    labelled: LabelledSet
    pictures: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """A picture that was examined. ``clean``: its outcome under a declaration that is true; None where none is known to be."""

    truth: Truth
    outcome: Outcome
    clean: Outcome | None


@dataclass(frozen=True)
class Half:
    """A certificate made from one half of the clean scans. ``rates``: alarms at its levels on scans that had no part in it, by words.

    ``scored``: in how many clean scans of the other half each of its checks had anything to say.
    """

    certificate: Certificate
    rates: Mapping[str, Rate]
    scored: Mapping[str, int]


def read_real(folder: Path) -> RealSet:
    """Read a set.

    Raises:
        DatasetUnusable: as ``read_set`` says.
    """
    labelled = read_set(folder)
    path = next(folder / name for name in NAMES if (folder / name).is_file())
    pictures = json.loads(path.read_bytes())["images"]
    truths = (
        replace(truth, conforms=True) if picture.get("customs_model_agrees") == AS_DECLARED else truth
        for truth, picture in zip(labelled.truths, pictures, strict=True)
    )
    return RealSet(folder.name, LabelledSet(tuple(truths), labelled.categories), pictures)


def left_out(sets: Sequence[RealSet]) -> list[dict[str, Any]]:
    """Name the pictures that their makers call neither empty nor loaded, by set and number: no figure of that question holds them."""
    return [
        {
            "set": one.name,
            "id": picture["id"],
            "state": picture["visual_state_derived"],
            "declared": picture.get("declared_ncm4"),
            "dark_share": picture.get("dark_fraction"),
        }
        for one in sets
        for picture in one.pictures
        if picture.get("visual_state_derived") not in (None, "empty", "loaded")
    ]


def label_source(sets: Sequence[RealSet]) -> str:
    """Say how it is known what is empty and what is loaded, with the dark shares that the sets' makers counted."""
    return " ".join(f"{one.name}: {_source(one.pictures)}." for one in sets)


def _source(pictures: Sequence[Mapping[str, Any]]) -> str:
    dark: dict[str, list[float]] = {}
    for picture in pictures:
        if "visual_state_derived" in picture and "dark_fraction" in picture:
            dark.setdefault(picture["visual_state_derived"], []).append(picture["dark_fraction"])
    if not dark:
        return "empty or loaded as declared or labelled, whatever the picture looks like"
    ranges = "; ".join(f"{len(dark[state])} {state}, {min(dark[state]):.4f} to {max(dark[state]):.4f}" for state in sorted(dark))
    return (
        f"empty or loaded was told from the dark share of the picture itself ({ranges}) and checked by eye on a sample; what is neither "
        "is in no figure of empty against loaded, and mean grey and dark share alone all but repeat the label"
    )


def case_of(bench: Workbench, one: Examined) -> Case:
    """Give a picture with what it is as a clean scan."""
    if one.truth.conforms:
        return Case(one.truth, one.outcome, one.outcome)
    return Case(one.truth, one.outcome, declared_empty(bench, one.outcome) if one.truth.state == "empty" else None)


def declared_empty(bench: Workbench, outcome: Outcome) -> Outcome:
    """Conclude again as the product does when a declaration is amended: now "empty" was declared."""
    judgement, particulars = outcome.judgement, outcome.particulars
    if judgement is None or particulars is None:
        return outcome
    amended = replace(particulars, declaration=Declaration((DeclaredItem(EMPTY_HEADING),), "declarations"))
    goods = [StoredGoods(maps.view, maps.size, maps.goods) for maps in judgement.maps if maps.goods is not None]
    again = bench.engine.judge_again(amended, (), Earlier(judgement.findings, judgement.conclusion.obstacles, goods))
    return replace(outcome, particulars=amended, judgement=again)


def outcomes_by_words(cases: Sequence[Case]) -> dict[str, list[Outcome]]:
    """Give what alerts are counted over: clean scans, together and kind by kind, then divergent ones as they were declared."""
    found: dict[str, list[Outcome]] = {"alerts of clean scans": [case.clean for case in cases if case.clean is not None]}
    for kind in CLEAN_KINDS:
        found[f"alerts of {kind} scans"] = [case.clean for case in cases if case.clean is not None and _kind(case.truth) == kind]
    for state in ("empty", "loaded"):
        found[f"{state} divergent found"] = [case.outcome for case in cases if case.truth.conforms is False and case.truth.state == state]
    return found


def _kind(truth: Truth) -> str:
    return f"conforming {truth.state}" if truth.conforms else "empty re-declared as empty"


def commissioned(site: Site, clean: CleanScans) -> Certificate:
    """Give the certificate for the budget wanted, or for the smallest that so few scans allow."""
    step, budget = 1.0 / (len(clean.scores) + 1), BUDGET
    while True:
        try:
            return certify(site, clean, Terms(budget, _DAYS, "scans"), SystemClock().now())
        except CommissionRefused:
            budget += step
            if budget >= 1.0:
                raise


def alarms(certificate: Certificate, outcomes: Sequence[Outcome]) -> Rate:
    """Count scans that reach a level of the certificate. One that could not be judged in full counts too: it can alert all the same."""
    levels = {part.check: part.threshold for part in certificate.checks}
    scans = _scores(outcomes)
    return Rate(sum(any(scan.get(check, -1.0) >= level for check, level in levels.items()) for scan in scans), len(scans))


def _scores(outcomes: Sequence[Outcome]) -> list[Mapping[str, float]]:
    """Give the scores of those that were judged."""
    return [
        check_scores(outcome.judgement.findings, comparable(outcome.particulars.declaration))
        for outcome in outcomes
        if outcome.judgement is not None and outcome.particulars is not None
    ]


def cross(site: Site, cases: Sequence[Case]) -> list[Half]:
    """Commission on one half of the clean scans, measure on the other, both ways; loaded divergent scans are cut into halves too.

    Every scan is measured once. Empty when so few scans are worth no certificate.
    """
    rng = default_rng(_SEED)
    clean = _halves(rng.permutation(sum(case.clean is not None for case in cases)), [case for case in cases if case.clean is not None])
    others = [case for case in cases if case.clean is None]
    rest = _halves(rng.permutation(len(others)), others)
    try:
        return [_half(site, clean[side], [*clean[1 - side], *rest[side]]) for side in (0, 1)]
    except CommissionRefused as problem:
        print(f"no commissioning: {problem.detail}")
        return []


def _halves(order: NDArray[np.intp], cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    return [cases[i] for i in order[::2]], [cases[i] for i in order[1::2]]


def _half(site: Site, ours: Sequence[Case], theirs: Sequence[Case]) -> Half:
    certificate = commissioned(site, of_outcomes(case.clean for case in ours if case.clean is not None))
    groups = outcomes_by_words(theirs)
    clean = _scores(groups["alerts of clean scans"])
    scored = {part.check: sum(part.check in scan for scan in clean) for part in certificate.checks}
    return Half(certificate, {words: alarms(certificate, outcomes) for words, outcomes in groups.items()}, scored)


def after(halves: Sequence[Half], highest: Mapping[str, float]) -> list[Figure]:
    """Give the alarms over both halves, the budget that both could keep, and which checks a half switched off."""
    figures: list[Figure] = []
    if not halves:
        return figures
    for words in halves[0].rates:
        rates = [half.rates[words] for half in halves]
        figures += share(f"{_AFTER}/{words}", Rate(sum(rate.hits for rate in rates), sum(rate.n for rate in rates)), "scans")
    budget = max(half.certificate.budget for half in halves)
    measured = min(half.rates["alerts of clean scans"].n for half in halves)
    figures.append(plain(f"{_AFTER}/budget that could be kept", budget, {"scans": measured}))
    for check in halves[0].scored:
        on = [check not in {part.check for part in silenced(half.certificate, highest)} for half in halves]
        if not all(on):
            figures.append(plain(f"{_AFTER}/halves in which {check} can still alarm", sum(on) / len(on), {"halves": len(on)}))
    return figures


def table(half: Half, highest: Mapping[str, float]) -> dict[str, Any]:
    """Give a half's certificate as JSON values. ``clean_scans_skipped``: those not judged in full, from which no level is made."""
    certificate = half.certificate
    silent = {part.check for part in silenced(certificate, highest)}
    checks = {
        part.check: {
            "level": part.threshold,
            "highest_score": round(highest.get(part.check, 1.0), 6),
            "can_alarm": part.check not in silent,
            "clean_scans_scored": half.scored[part.check],
        }
        for part in certificate.checks
    }
    return {
        "budget": round(certificate.budget, 4),
        "clean_scans_used": certificate.whole_scan.n,
        "clean_scans_skipped": certificate.skipped,
        "checks": checks,
    }


def before(bench: Workbench, cases: Sequence[Case]) -> list[Figure]:
    """Give the alerts at the bundles' own levels, of the same scans as after commissioning, and by check those of the clean ones."""
    figures: list[Figure] = []
    groups = outcomes_by_words(cases)
    for words, outcomes in groups.items():
        said = [outcome.judgement.conclusion.word for outcome in outcomes if outcome.judgement is not None]
        figures += shares(f"{_BEFORE}/{words}", (word == "alert" for word in said), "scans")
    scores = _scores(groups["alerts of clean scans"])
    for check, level in levels_in_force(bench, SubjectKind.CARGO).items():
        figures += shares(f"{_BEFORE}/clean scans where {check} alarms", (scan.get(check, -1.0) >= level for scan in scores), "scans")
    return figures


def measure(bench: Workbench, data: Path, limit: int | None) -> dict[str, Any]:
    """Give all figures as JSON values."""
    subject, profile = SubjectKind.CARGO, named_profile("plain-image")
    listen(bench, subject)
    sets = [read_real(data / name) for name in SETS]
    examined = [one for real in sets for one in examine_set(bench, real.labelled.limited(limit), profile, quiet=False)]
    loaded = bench.engine.loaded
    if loaded.models.contents is None:
        raise SystemExit("a contents bundle is needed")
    site = Site.of("real", subject, bench.engine.policy.with_levels(subject, {}), loaded.bundles, loaded.models.alert_levels(subject))
    figures = evaluate_contents(
        [one.record for one in examined if one.record is not None], levels_in_force(bench, subject), loaded.models.contents.families
    )
    cases, highest = [case_of(bench, one) for one in examined], highest_scores(loaded.bundles)
    halves = cross(site, cases)
    figures += [*before(bench, cases), *after(halves, highest)]
    return {
        "format": "evaluation/1",
        "command": "python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json",
        "bundles": [{"name": bundle.use.name, "version": bundle.use.version, "sha256": bundle.use.sha256} for bundle in loaded.bundles],
        "sets": list(SETS),
        "pictures": len(examined),
        "rejected": sum(one.outcome.rejected is not None for one in examined),
        "label_source": label_source(sets),
        "labels_left_out": left_out(sets),
        "commissioning": {"budget_wanted": BUDGET, "halves": [table(half, highest) for half in halves]},
        "figures": [figure.table() for figure in figures],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="folder with the sets")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--bundles", type=Path, default=installed_bundles(), metavar="DIR", help="default: the shipped ones")
    parser.add_argument("--unsigned", action="store_true", help="take bundles that nobody has signed yet")
    parser.add_argument("--limit", type=int, metavar="N", help="N pictures of each set only")
    args = parser.parse_args(argv)
    policy = parse_policy(read_file(share_dir() / "config/policy.example.toml"))
    admission = Admission(WORKSHOP if args.unsigned else Trust.of([release_key()]))
    rules = Rules(SubjectKind.CARGO, "from-container", None)
    with open_workbench(policy, args.bundles, DevicePolicy.PREFER_GPU, rules, SystemClock(), admission) as bench:
        content = measure(bench, args.data, args.limit)
    for row in content["figures"]:
        interval = "" if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{row['name']:70s} {row['value']:8.3f} {interval:16s} {row['n']}")
    if args.out is not None:
        args.out.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
