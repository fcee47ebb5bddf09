"""``edge-agent commission``: alert levels from a site's own clean scans, and the certificate that says how good they are.

With ``--weights`` it is ``cli.commission_weights`` that runs.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_agent.agent.at_hand import SCANNER, Outcome, Rules, Workbench, find_drops, open_workbench
from edge_agent.agent.certificate import Certificate, RatePart, write_certificate
from edge_agent.agent.commission import CleanScans, Site, Terms, certify, listen, of_journal, of_outcomes, silenced
from edge_agent.agent.config import AgentConfig, load_config
from edge_agent.agent.models_in_force import COMMISSION, commissioning_of, weighing_of
from edge_agent.agent.scanner import Scanner
from edge_agent.cli import commission_weights
from edge_agent.cli.commission_plot import check_drawable, draw
from edge_agent.console import catalogue
from edge_agent.domain.ids import ScannerId
from edge_agent.errors import ConfigInvalid
from edge_agent.kpi.budget import alarms_surely, scans_needed
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock

_BUDGET = 0.03
_DAYS = 180


@dataclass(frozen=True, slots=True)
class Measured:
    """What the certificate is made from."""

    site: Site
    clean: CleanScans


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "commission",
        help="set a site's alert levels from its own clean scans, or correct its weight estimates",
        description="Runs clean scans of this site through the models in force and divides the alarm budget over all checks and views, so "
        "that the whole scan keeps it. Writes an expiring certificate with the levels; they count at the daemon's next start, above the "
        "bundles' own levels and below those in the policy. With --weights it corrects one scanner's weight estimates instead, from "
        "scans of at least ten weighed loads. Exit codes: 0 written, 1 refused (too few scans: it says how many are needed), 78 "
        "configuration or models.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--scans", type=Path, nargs="+", metavar="PATH", help="files or folders with clean scans: you vouch for them")
    source.add_argument("--from-journal", action="store_true", help="scans in the journal that people found clean")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="CSV with columns scan (drop key, scan id or container number) and mass_kg (of the load alone; or gross_kg and tare_kg)",
    )
    parser.add_argument("--scanner", metavar="ID", help="whose profile and subject count (default: the only one configured)")
    parser.add_argument("--budget", type=_share, default=_BUDGET, metavar="SHARE", help="alarms a clean scan (default: %(default)s)")
    parser.add_argument("--days", type=_days, default=_DAYS, metavar="N", help="until the certificate expires (default: %(default)s)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="secret signing key; the site must trust it ([bundles] trusted)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw scores and levels of every check, or the weights (PNG, SVG or PDF)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be certified, write nothing")
    parser.add_argument("--json", action="store_true", help="print the certificate")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, certify, write."""
    config = load_config(args.config)
    scanner, clock = _scanner(config, args.scanner), SystemClock()
    key = SigningKey.load(args.key) if args.key else None
    if key is None and config.sections.bundles.require_signed_certificates and not args.dry_run:
        raise ConfigInvalid("--key: [bundles] require_signed_certificates is set; an unsigned certificate would not count here")
    check_drawable(args.plot)
    if args.weights:
        if args.from_journal:
            raise ConfigInvalid("--weights goes with --scans: the journal keeps no pixels")
        return commission_weights.run(args, config, scanner, key)
    measured = _measured(args, config, scanner)
    terms = Terms(args.budget, args.days, "journal" if args.from_journal else "scans")
    _name_sure(measured.site, measured.clean)
    certificate = certify(measured.site, measured.clean, terms, clock.now())
    _name_silenced(certificate, measured.site.highest)
    if args.json:
        print(certificate.model_dump_json(indent=1))
    else:
        _print(certificate)
    if not args.dry_run:
        path = write_certificate(config.store.root / COMMISSION, certificate, key)
        print(f"{path}: written; restart the daemon to put the levels into effect", file=sys.stderr)
    if args.plot:
        draw(certificate, measured.clean.scores, args.plot)
    return 0


def _name_sure(site: Site, clean: CleanScans) -> None:
    """Name the scans on which a check alarms at any level that it can reach: somebody should look at them again."""
    for name, scan in zip(clean.names, clean.scores, strict=True):
        if sure := alarms_surely(scan, site.checks(clean.floors)):
            words = f"{catalogue.clean(name)}: {', '.join(sure)} at its highest score; it alarms at any level. Is the scan clean?"
            print(words, file=sys.stderr)


def _name_silenced(certificate: Certificate, highest: Mapping[str, float]) -> None:
    """Name the checks that will never alert: that is no level, and somebody should decide it."""
    for part in silenced(certificate, highest):
        words = f"{part.check}: more clean scans have its highest score than the budget allows, so nothing reaches {part.threshold:.4f}"
        print(f"{words}: this check will not alert. More clean scans or a larger --budget give it a level.", file=sys.stderr)


def _scanner(config: AgentConfig, wanted: str | None) -> Scanner:
    found = [scanner for scanner in config.scanners if wanted in (None, scanner.section.id)]
    if len(found) != 1:
        known = ", ".join(scanner.section.id for scanner in config.scanners)
        raise ConfigInvalid(f"--scanner: name one of {known}")
    return found[0]


def _measured(args: argparse.Namespace, config: AgentConfig, scanner: Scanner) -> Measured:
    section = scanner.section
    rules = Rules(section.subject, section.pitch_mm, None)
    device, clock = config.sections.device.policy, SystemClock()
    with open_workbench(config.policy, config.store.active(), device, rules, clock, config.admission) as bench:
        _correct(bench, config, ScannerId(section.id))
        loaded = bench.engine.loaded
        levels = loaded.models.alert_levels(section.subject)
        site = Site.of(config.sections.site.id, section.subject, config.policy, loaded.bundles, levels)
        if args.from_journal:
            return Measured(site, _from_journal(config, site, bench))
        listen(bench, section.subject)
        return Measured(site, of_outcomes(_outcomes(args, bench, scanner)))


def _correct(bench: Workbench, config: AgentConfig, scanner: ScannerId) -> None:
    """Let the bench weigh as the daemon will for this scanner, for the weight is one of the checks."""
    loaded = bench.engine.loaded
    fit = weighing_of(config, loaded).fits(bench.engine.clock.now()).get(scanner)
    if fit is not None:
        bench.engine = replace(bench.engine, loaded=loaded.fitted({SCANNER: fit}))


def _outcomes(args: argparse.Namespace, bench: Workbench, scanner: Scanner) -> Iterator[Outcome]:
    drops = find_drops(args.scans, [scanner.profile])
    for drop, profile in track(drops, "looking at clean scans", console=Console(stderr=True), disable=args.json):
        yield bench.assess(drop, profile)


def _from_journal(config: AgentConfig, site: Site, bench: Workbench) -> CleanScans:
    """Read the journal; scores were recorded from where the officers were shown them, under the levels of then and now alike."""
    commissioned = commissioning_of(config, bench.engine.loaded.bundles).applied(config.policy)
    policies = [policy.of(site.subject) for policy in (config.policy, commissioned)]
    show_at = {check: max(rules.levels(check, level).show_at for rules in policies) for check, level in site.alert_levels.items()}
    with closing(LedgerReader.open(config.sections.state_dir / "ledger.db")) as reader:
        return of_journal(reader, site, show_at)


def _print(certificate: Certificate) -> None:
    table = Table(title=f"Alert levels for {certificate.subject.value} at {certificate.site}", title_justify="left", show_edge=False)
    for column in ("check", "alert from", "set by", "alarms", "per 100 clean scans"):
        table.add_column(column, justify="left" if column in ("check", "set by") else "right")
    for part in certificate.checks:
        table.add_row(part.check, f"{part.threshold:.4f}", "policy" if part.is_fixed else "site", str(part.rate.alarms), _rate(part.rate))
    table.add_section()
    table.add_row("[bold]whole scan[/]", "", "", str(certificate.whole_scan.alarms), f"[bold]{_rate(certificate.whole_scan)}[/]")
    if certificate.held_out is not None:
        table.add_row("whole scan, held out", "", "", str(certificate.held_out.alarms), _rate(certificate.held_out))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    n, skipped = certificate.whole_scan.n, certificate.skipped
    console.print(
        f"{n} clean scans ({certificate.source}), {skipped} more could not be used. Of new clean scans like these at most "
        f"{certificate.budget:.1%} alarm; 95 % intervals of Clopper and Pearson. Valid until {certificate.not_after:%Y-%m-%d}.",
        highlight=False,
    )
    for labels in certificate.together:
        console.print(
            f"Levelled together, because the scans are few: {', '.join(labels)}. "
            f"{scans_needed(len(certificate.thresholds), certificate.budget)} scans give each a level of its own.",
            highlight=False,
        )


def _rate(rate: RatePart) -> str:
    return f"{100 * rate.alarms / rate.n:.2f} [{100 * rate.low:.2f}, {100 * rate.high:.2f}]".replace("[", r"\[")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError("a number between 0 and 1, such as 0.03") from problem
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError("a number between 0 and 1, such as 0.03")
    return value


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError("whole days, 1 to 3650")
    return int(text)
