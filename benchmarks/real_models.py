"""The shipped bundles on real scans: ``python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json``.

``DATA_DIR`` holds the folders ``ajna_ncm_conforming`` and ``ajna_ncm_divergent``: 8-bit container pictures with the declared heading and
whether the load is what was declared. Every picture goes through the whole path of the product, as ``edge-agent evaluate`` does it. Nothing
is fitted on them, but for the alert levels of the last question: clean scans (loads as declared, and empty containers for which "empty" is
put in the place of what was declared) are cut into halves, each half is commissioned, and the alarms of the other half are counted.
Figures only are written; nothing of the pictures leaves this process.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.random import default_rng

from edge_agent.agent.at_hand import Outcome, Rules, Workbench, open_workbench
from edge_agent.agent.certificate import Certificate
from edge_agent.agent.commission import CleanScans, Site, Terms, certify, listen, of_outcomes
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
from edge_agent.evaluation.dataset import read_set
from edge_agent.evaluation.figure import Figure, plain, share, shares
from edge_agent.inference.installed import installed_bundles, release_key, share_dir
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission
from edge_agent.kpi.rates import Rate
from edge_agent.signing.detached import WORKSHOP, Trust
from edge_agent.telemetry.clock import SystemClock

SETS = ("ajna_ncm_conforming", "ajna_ncm_divergent")
BUDGET = 0.03
_SEED = 1
_DAYS = 1


@dataclass(frozen=True)
class Half:
    """A certificate made from one half, and the alarms that its levels give on the other. ``budget``: the smallest it could keep."""

    budget: float
    alarms: Rate
    found: Rate


def declared_empty(bench: Workbench, outcome: Outcome) -> Outcome:
    """Conclude again as the product does when a declaration is amended: now "empty" was declared."""
    judgement, particulars = outcome.judgement, outcome.particulars
    if judgement is None or particulars is None:
        return outcome
    amended = replace(particulars, declaration=Declaration((DeclaredItem(EMPTY_HEADING),), "declarations"))
    goods = [StoredGoods(maps.view, maps.size, maps.goods) for maps in judgement.maps if maps.goods is not None]
    again = bench.engine.judge_again(amended, (), Earlier(judgement.findings, judgement.conclusion.obstacles, goods))
    return replace(outcome, particulars=amended, judgement=again)


def commissioned(site: Site, clean: CleanScans) -> tuple[Certificate, float]:
    """Give the certificate for the budget wanted, or for the smallest that so few scans allow."""
    step, budget = 1.0 / (len(clean.scores) + 1), BUDGET
    while True:
        try:
            return certify(site, clean, Terms(budget, _DAYS, "scans"), SystemClock().now()), budget
        except CommissionRefused:
            budget += step
            if budget >= 1.0:
                raise


def alarms(certificate: Certificate, outcomes: Sequence[Outcome]) -> Rate:
    """Count scans that reach a level of the certificate. One that could not be judged in full counts too: it can alert all the same."""
    judged = [outcome for outcome in outcomes if outcome.judgement is not None]
    levels = {part.check: part.threshold for part in certificate.checks}
    scans = [_scores(outcome) for outcome in judged]
    return Rate(sum(any(scan.get(check, -1.0) >= level for check, level in levels.items()) for scan in scans), len(scans))


def _scores(outcome: Outcome) -> Mapping[str, float]:
    assert outcome.judgement is not None
    assert outcome.particulars is not None
    return check_scores(outcome.judgement.findings, comparable(outcome.particulars.declaration))


def cross(bench: Workbench, site: Site, examined: Sequence[Examined]) -> list[Figure]:
    """Commission on one half of the clean scans, measure on the other, both ways; found are empty containers declared as goods."""
    clean = [one for one in examined if one.truth.conforms or one.truth.state == "empty"]
    order = default_rng(_SEED).permutation(len(clean))
    try:
        halves = [_half(bench, site, [clean[i] for i in order[side::2]], [clean[i] for i in order[1 - side :: 2]]) for side in (0, 1)]
    except CommissionRefused as problem:
        print(f"no commissioning: {problem.detail}")
        return []
    total = Rate(sum(half.alarms.hits for half in halves), sum(half.alarms.n for half in halves))
    found = Rate(sum(half.found.hits for half in halves), sum(half.found.n for half in halves))
    figures = share("commissioned on the other half/alerts of clean scans", total, "scans")
    figures += share("commissioned on the other half/empty divergent found", found, "scans")
    budget = max(half.budget for half in halves)
    return [
        *figures,
        plain("commissioned on the other half/budget that could be kept", budget, {"scans": min(half.alarms.n for half in halves)}),
    ]


def _half(bench: Workbench, site: Site, ours: Sequence[Examined], theirs: Sequence[Examined]) -> Half:
    certificate, budget = commissioned(site, of_outcomes(_as_clean(bench, one) for one in ours))
    guilty = [one.outcome for one in theirs if one.truth.conforms is False]
    return Half(budget, alarms(certificate, [_as_clean(bench, one) for one in theirs]), alarms(certificate, guilty))


def _as_clean(bench: Workbench, one: Examined) -> Outcome:
    return one.outcome if one.truth.conforms else declared_empty(bench, one.outcome)


def before(bench: Workbench, examined: Sequence[Examined]) -> list[Figure]:
    """Give the alerts of the clean scans at the bundles' own levels."""
    clean = [_as_clean(bench, one) for one in examined if one.truth.conforms or one.truth.state == "empty"]
    judged = [outcome for outcome in clean if outcome.judgement is not None]
    words = [outcome.judgement.conclusion.word for outcome in judged if outcome.judgement is not None]
    figures = shares("at the bundles' own levels/alerts of clean scans", (word == "alert" for word in words), "scans")
    scores = [_scores(outcome) for outcome in judged]
    for check, level in levels_in_force(bench, SubjectKind.CARGO).items():
        figures += shares(
            f"at the bundles' own levels/clean scans where {check} alarms", (scan.get(check, -1.0) >= level for scan in scores), "scans"
        )
    return figures


def measure(bench: Workbench, data: Path, limit: int | None) -> dict[str, Any]:
    """Give all figures as JSON values."""
    subject, profile = SubjectKind.CARGO, named_profile("plain-image")
    listen(bench, subject)
    examined = [one for name in SETS for one in examine_set(bench, read_set(data / name).limited(limit), profile, quiet=False)]
    loaded = bench.engine.loaded
    if loaded.models.contents is None:
        raise SystemExit("a contents bundle is needed")
    site = Site.of("real", subject, bench.engine.policy.with_levels(subject, {}), loaded.bundles, loaded.models.alert_levels(subject))
    figures = evaluate_contents(
        [one.record for one in examined if one.record is not None], levels_in_force(bench, subject), loaded.models.contents.families
    )
    figures += [*before(bench, examined), *cross(bench, site, examined)]
    return {
        "format": "evaluation/1",
        "command": "python -m benchmarks.real_models DATA_DIR --out benchmarks/results/real_models.json",
        "bundles": [{"name": bundle.use.name, "version": bundle.use.version, "sha256": bundle.use.sha256} for bundle in loaded.bundles],
        "sets": list(SETS),
        "pictures": len(examined),
        "rejected": sum(one.outcome.rejected is not None for one in examined),
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
