"""A report as tables: the same columns and rows in every format."""

from collections.abc import Iterable

from edge_agent.collector.report.build import Report, microseconds
from edge_agent.collector.report.cells import BIASED, Cell, Section, rate_cells, rate_columns, remarks, too_few
from edge_agent.collector.report.kpi_sections import availability_section, figure_sections, missing_section
from edge_agent.kpi.eligible import label
from edge_agent.kpi.rates import Summary, total
from edge_agent.kpi.shadow import ShadowLine

_WHO = ("site", "scanner", "kind")


def sections(report: Report) -> list[Section]:
    """Give all tables, counts first."""
    return [
        scans_section(report),
        *([] if report.figures is None else figure_sections(report.figures)),
        availability_section(report.availability),
        missing_section(report.missing, microseconds(report.made_at)),
        Section(
            "detections",
            "Detections by site, scanner, class and day",
            (*_WHO, "class", "day", "detections", "scans", "alerts", "best_score"),
            tuple(
                (d.site, d.scanner, label(d.kind), d.label, d.day.isoformat(), d.detections, d.scans, d.alerts, round(d.best_score, 3))
                for d in report.detections
            ),
        ),
        Section(
            "obstacles",
            "Obstacles: scans that could not be assessed because of them, and scans judged in spite of them",
            (*_WHO, "obstacle", "unassessable", "noted"),
            tuple((o.site, o.scanner, label(o.kind), o.code, o.unassessable, o.noted) for o in report.obstacles),
        ),
        Section(
            "set_aside",
            "Set aside",
            ("site", "scanner", "reason", "scans"),
            tuple((s.site, s.scanner, s.reason, s.scans) for s in report.set_aside),
        ),
        others_section(report.others),
        Section("facts", "Facts of these days, about scans of all kinds", ("site", "fact", "stored"), report.facts),
        Section("unread", "Rows that this version cannot read: in no figure above", ("site", "why", "rows"), report.unread),
    ]


def scans_section(report: Report) -> Section:
    """Give the scans of each scanner by what the machine concluded."""
    summaries = list(report.summaries)
    lines = [*summaries, total(summaries)] if len(summaries) > 1 else summaries
    counts = ("alert", "no_alert", "unassessable", "set_aside")
    return Section(
        "scans",
        "Scans by conclusion",
        (*_WHO, *counts, *rate_columns("coverage", "alert_rate"), "remark"),
        tuple(_scan_row(line) for line in lines),
        "Coverage: assessed among accepted.",
        (
            ("Scans by conclusion", (*_WHO, *counts)),
            ("Rates, with 95 % interval and n", (*_WHO, "coverage", "alert_rate", "remark")),
        ),
    )


def others_section(others: Iterable[tuple[str, int]]) -> Section:
    """Give the scans of other kinds: who finds a report empty learns that only simulated ones are stored."""
    rows = tuple((label(kind), scans) for kind, scans in others)
    return Section("other_kinds", "Scans of other kinds on these days: in no figure above", ("kind", "scans"), rows)


def shadow_section(lines: Iterable[ShadowLine]) -> Section:
    """Give what bundles on trial would have alerted on beside the alerts of those in force."""
    who = ("site", "on_trial", "among")
    counts = ("both", "only_active", "only_shadow", "neither", "unfinished")
    return Section(
        "shadow",
        "Bundles on trial in shadow: scans by who alerts",
        ("site", "on_trial", "instead_of", "among", *counts, *rate_columns("active_rate", "shadow_rate"), "n", "p_value", "remark"),
        tuple(_shadow_row(line) for line in lines),
        "What people found or suspected is biased towards the bundle in force: its alerts were seen, and examined most. Only scans found "
        "in random or scan-all samples would say which of the two misses less. Unfinished: looks that ended for want of time or by a "
        "fault; they are in no rate.",
        (
            ("Bundles on trial in shadow: scans by who alerts", (*who, "instead_of", *counts)),
            (
                "Share of scans alerted on, with 95 % interval and n; p: exact McNemar test of the difference",
                (*who, "active_rate", "shadow_rate", "p_value", "remark"),
            ),
        ),
    )


def _shadow_row(line: ShadowLine) -> tuple[Cell, ...]:
    alerts = line.alerts
    return (
        *(line.site, line.on_trial, line.instead_of, line.among.value),
        *(alerts.both, alerts.only_first, alerts.only_second, alerts.neither, line.unfinished),
        *rate_cells(alerts.first),
        *rate_cells(alerts.second),
        *(alerts.n, float(f"{alerts.p_value:.3g}"), too_few(alerts.first)),
    )


def _scan_row(line: Summary) -> tuple[Cell, ...]:
    return (
        *(line.site, line.scanner, label(line.kind), line.alert, line.no_alert, line.unassessable, line.set_aside),
        *rate_cells(line.coverage),
        *rate_cells(line.alert_rate),
        remarks(too_few(line.alert_rate), "" if line.is_unbiased else BIASED),
    )
