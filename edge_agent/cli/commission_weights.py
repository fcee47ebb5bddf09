"""``edge-agent commission --weights``: a scanner's own correction of the weight estimate, from scans of loads that were weighed."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_agent.agent.at_hand import Rules, Workbench, find_drops, open_workbench
from edge_agent.agent.certificate import write_document
from edge_agent.agent.config import AgentConfig
from edge_agent.agent.models_in_force import COMMISSION
from edge_agent.agent.scanner import Scanner
from edge_agent.agent.weighbridge import Seen, look, match, read_masses
from edge_agent.agent.weighing import ErrorsPart, LeftOut, Scale, WeighedScans, WeighingCertificate, certify_weighing, weighing_path
from edge_agent.domain.ids import ScannerId, SiteId
from edge_agent.errors import ConfigInvalid
from edge_agent.inference.weight import ContainerScale
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock

_WHY = {
    "no-scan": "no scan answers to it",
    "several-scans": "several scans answer to it: name the file's key or the scan id",
    "several-rows": "another row names the same scan",
}


@dataclass(frozen=True, slots=True)
class _Bench:
    """What weighs: models and decoder, the weight bundle in force, and the scanner that is corrected."""

    workbench: Workbench
    scale: ContainerScale
    scanner: Scanner
    site: SiteId


def run(args: argparse.Namespace, config: AgentConfig, scanner: Scanner, key: SigningKey | None) -> int:
    """Weigh, fit, certify, write.

    Raises:
        ConfigInvalid: the list has a wrong line, or no weight bundle looks at the scanner's subject. WeighingRefused: see there.
    """
    masses = read_masses(args.weights)
    with _bench(config, scanner) as bench:
        scans = match(masses, list(_seen(args, bench)))
        corrected = Scale(bench.site, ScannerId(scanner.section.id), bench.scale.bundle)
    _print_left_out([*scans.unmatched, *scans.unweighable])
    certificate = certify_weighing(corrected, scans, SystemClock().now(), args.days)
    if args.json:
        print(certificate.model_dump_json(indent=1))
    else:
        _print(certificate)
    if not args.dry_run:
        path = write_document(weighing_path(config.store.root / COMMISSION, certificate.scanner), certificate, key)
        print(f"{path}: written; restart the daemon to put the correction into effect", file=sys.stderr)
    if args.plot:
        _draw(args, certificate, scans)
    return 0


@contextmanager
def _bench(config: AgentConfig, scanner: Scanner) -> Iterator[_Bench]:
    section = scanner.section
    rules = Rules(section.subject, section.pitch_mm, None)
    device = config.sections.device.policy
    with open_workbench(config.policy, config.store.active(), device, rules, SystemClock(), config.admission) as workbench:
        scale = workbench.engine.loaded.scale
        if scale is None or not scale.applies_to(section.subject):
            raise ConfigInvalid(f"--weights: no weight bundle in force looks at {section.subject.value}")
        yield _Bench(workbench, scale, scanner, SiteId(config.sections.site.id))


def _seen(args: argparse.Namespace, bench: _Bench) -> Iterator[Seen]:
    drops = find_drops(args.scans, [bench.scanner.profile])
    of = (bench.site, ScannerId(bench.scanner.section.id))
    for drop, profile in track(drops, "weighing scans", console=Console(stderr=True), disable=args.json):
        yield look(drop, profile, bench.workbench, bench.scale, of)


def _print_left_out(left_out: Sequence[LeftOut]) -> None:
    for one in left_out:
        print(f"left out: {one.name}: {_WHY.get(one.why, one.why)}", file=sys.stderr)


def _print(certificate: WeighingCertificate) -> None:
    table = Table(title=f"Weight estimates of {certificate.scanner} at {certificate.site}", title_justify="left", show_edge=False)
    for column in ("", "median error", "90 % of errors below", "in the 90 % interval"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("bundle alone", *_cells(certificate.plain))
    if certificate.held_out is not None:
        table.add_row("[bold]corrected, held out[/]", *_cells(certificate.held_out))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    fit, bundle = certificate.fit, certificate.bundle
    unseen = "" if certificate.held_out is not None else " Held-out errors need at least eleven loads."
    console.print(
        f"{certificate.n} weighed loads; {certificate.unmatched} rows without a scan, {certificate.unweighable} scans that tell no mass."
        f"{unseen}\n"
        f"Correction of {bundle.name}/{bundle.version}: {fit.scale:.4f} m {fit.dark:+.4f} m * dark share {fit.constant_kg:+.0f} kg; "
        f"interval {fit.widening:.2f} times as wide. Valid until {certificate.not_after:%Y-%m-%d}.",
        highlight=False,
    )
    if certificate.held_out is not None and certificate.held_out.median > certificate.plain.median:
        console.print("The correction made held-out errors larger: bring more loads, or leave the bundle as it is.", style="yellow")


def _cells(errors: ErrorsPart) -> tuple[str, str, str]:
    return f"{errors.median:.1%}", f"{errors.p90:.1%}", f"{errors.inside} of {errors.n} ({errors.inside / errors.n:.0%})"


def _draw(args: argparse.Namespace, certificate: WeighingCertificate, scans: WeighedScans) -> None:
    from edge_agent.cli.commission_plot import draw_weighing

    draw_weighing(certificate, scans.loads, args.plot)
