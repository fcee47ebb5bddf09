"""The figures of a report as tables."""

from collections.abc import Iterable

from edge_agent.collector.report.cells import (
    BIASED,
    NO_SAMPLE,
    Cell,
    Section,
    quantile,
    rate_cells,
    rate_columns,
    remarks,
    rounded,
    too_few,
)
from edge_agent.kpi.availability import AvailabilityLine, State
from edge_agent.kpi.decisions import MINIMUM_OFFICERS, Decisions, Overrides
from edge_agent.kpi.disparity import disparities
from edge_agent.kpi.figures import ALL, By, Figures, all_flow
from edge_agent.kpi.flow import Flow
from edge_agent.kpi.grouping import Group
from edge_agent.kpi.hits import MATURE_DAYS, Hits, Line, Truth
from edge_agent.kpi.missing import MissingLine

_HIT_COLUMNS = ("alerted", "examined", "confirmed", "pending", "median_pending_days", "oldest_pending_days", "called_off", "disputed")
_DECISION_COLUMNS = ("decided", "waited_p50_s", "waited_p90_s", "looked_p50_s", "looked_p90_s", "looked_n", "blind_first")
_DECISION_NOTE = (
    "Waited: from the machine's conclusion to the first verdict, the time in the queue included. Looked: from when that officer opened the "
    "scan to the verdict, over the scans whose opening the site journalled."
)
_STATES: tuple[State, ...] = ("healthy", "degraded", "failing", "unknown")
_DAY_US, _S_US = 86_400_000_000, 1_000_000
_HOUR_S, _MINUTE_S = 3600.0, 60.0


def figure_sections(figures: Figures) -> list[Section]:
    """Give every table made of the cases."""
    return [
        hits_section(figures),
        truth_section(figures),
        classes_section(figures),
        *decision_sections(figures.officers.groups()),
        times_section(figures),
        *([disparity_section(figures)] if figures.question.origins else []),
        days_section(figures),
    ]


def hits_section(figures: Figures) -> Section:
    """Give what became of alerts, by everything they are grouped by."""
    rows = [
        (by.value, key, *_hit_cells(line.hits, figures.question.now_us), *rate_cells(line.hits.hit_rate), too_few(line.hits.hit_rate))
        for by, key, line in _lines(figures)
    ]
    columns = ("by", "group", *_HIT_COLUMNS, *rate_columns("hit_rate"), "remark")
    note = "Hit rate: confirmed among examined. Pending, called off and disputed scans are outside it."
    screen = ("by", "group", "alerted", "examined", "confirmed", "pending", "oldest_pending_days", "hit_rate", "remark")
    return Section("hits", "What became of alerts", columns, tuple(rows), note, (("What became of alerts", screen),))


def truth_section(figures: Figures) -> Section:
    """Give detection, misses and false alarms, over trusted samples apart from everything else."""
    rows = [row for by, key, line in _lines(figures) if by is not By.SELECTION for row in _truth_rows(by, key, line)]
    columns = (
        *("by", "group", "sample", "scans", "examined", "found", "found_unjudged"),
        *rate_columns("prevalence", "detection", "misses", "false_alarms"),
        "remark",
    )
    note = (
        "Only random and scan-all scans of which at least nine in ten were examined say anything about all traffic. "
        f"Scans of the last {MATURE_DAYS} days are left out: their results still come in."
    )
    screens = (
        ("", ("by", "group", "scans", "examined", "found", "detection", "false_alarms", "remark")),
        ("How much is missed, and how much there is", ("by", "group", "sample", "found_unjudged", "misses", "prevalence")),
    )
    return Section("truth", "Detection and false alarms, among examined scans", columns, tuple(rows), note, screens)


def _truth_rows(by: By, key: str, line: Line) -> Iterable[tuple[Cell, ...]]:
    if line.unbiased is not None:
        yield (by.value, key, ", ".join(line.trusted), *_truth_cells(line.unbiased, is_biased=False))
    if line.biased.found + line.biased.clean:
        yield (by.value, key, "others", *_truth_cells(line.biased, is_biased=True))


def _truth_cells(truth: Truth, *, is_biased: bool) -> tuple[Cell, ...]:
    """Give counts and rates; nobody can say from a biased sample how much is missed, or how much there is."""
    return (
        *(truth.scans, truth.found + truth.clean, truth.found, truth.found_unjudged),
        *rate_cells(None if is_biased else truth.prevalence),
        *rate_cells(truth.detection),
        *rate_cells(None if is_biased else truth.misses),
        *rate_cells(truth.false_alarms),
        remarks(too_few(truth.detection), BIASED if is_biased else ""),
    )


def classes_section(figures: Figures) -> Section:
    """Give what became of alerts by class, and how surely each class is seen."""
    trusted = figures.total.trusted
    rows = tuple(
        (
            *(line.label, *_hit_cells(line.hits, figures.question.now_us)),
            *rate_cells(line.hits.hit_rate),
            *rate_cells(line.as_called),
            *rate_cells(line.detection if trusted else None),
            *rate_cells(line.false_alarms if trusted else None),
            *rate_cells(line.biased_detection),
            *rate_cells(line.biased_false_alarms),
            too_few(line.detection) if trusted else NO_SAMPLE,
        )
        for line in figures.classes.lines(trusted)
    )
    rates = rate_columns("hit_rate", "as_called", "detection", "false_alarms", "biased_detection", "biased_false_alarms")
    note = "As called: just such a thing was found. In CSV and JSON, columns that begin with biased are over scans chosen to be examined."
    screens = (
        ("Alerts by class", ("class", "alerted", "examined", "confirmed", "pending", "hit_rate", "as_called")),
        ("Detection and false alarms by class, over random and scan-all selection", ("class", "detection", "false_alarms", "remark")),
    )
    return Section("classes", "Alerts by class", ("class", *_HIT_COLUMNS, *rates, "remark"), rows, note, screens)


def decision_sections(groups: Iterable[Group[Decisions]]) -> list[Section]:
    """Give how long officers took and how often they decided otherwise, for groups that are large enough."""
    groups = list(groups)
    note = f"Sites where fewer than {MINIMUM_OFFICERS} officers decided are put together, so that none of these lines is one officer's."
    names = [(", ".join(group.members), group.counts) for group in groups]
    return [
        Section(
            "decisions",
            "How long officers took, seconds",
            ("sites", "officers", *_DECISION_COLUMNS, "referred_by_clock", "referred_by_officer"),
            tuple((name, *decision_cells(counts)) for name, counts in names),
            f"{_DECISION_NOTE} {note}",
        ),
        Section(
            "overrides",
            "Decided against the machine, and who was right",
            ("sites", "way", "decided", "against", *rate_columns("rate"), "examined", "found", *rate_columns("found_rate"), "remark"),
            tuple((name, *row) for name, counts in names for row in override_rows(counts)),
            "Found: of those decided against the machine that were examined. Nothing found among cleared alerts: the officers were right.",
            (("", ("sites", "way", "decided", "against", "rate", "examined", "found", "found_rate", "remark")),),
        ),
    ]


def decision_cells(counts: Decisions) -> tuple[Cell, ...]:
    """Give the number of officers, what took how long, and what was referred by the clock and by officers."""
    return (len(counts.officers), *_took_cells(counts), counts.referred_by_clock, counts.referred_by_officer)


def _took_cells(counts: Decisions) -> tuple[Cell, ...]:
    took, looked = counts.took_s, counts.looked_s
    times = (*(quantile(took, share) for share in (0.5, 0.9)), *(quantile(looked, share) for share in (0.5, 0.9)))
    return (took.n, *times, looked.n, counts.blind)


def override_rows(counts: Decisions) -> tuple[tuple[Cell, ...], ...]:
    """Give both ways of deciding against the machine."""
    return (("cleared an alert", *_override(counts.cleared)), ("raised without alert", *_override(counts.raised)))


def _override(one: Overrides) -> tuple[Cell, ...]:
    outcome = (one.against_examined, one.against_found, *rate_cells(one.found))
    return (one.decided, one.against, *rate_cells(one.rate), *outcome, too_few(one.rate))


def times_section(figures: Figures) -> Section:
    """Give latency, throughput and dwell by site, and over all."""
    rows = [(site, *_time_cells(flow)) for site, flow in sorted(figures.flow.items())]
    if len(rows) > 1:
        rows.append((ALL, *_time_cells(all_flow(figures))))
    columns = (
        *(
            "site",
            "scans",
            "scans_an_hour",
            "busiest_hour",
            "latency_p50_s",
            "latency_p90_s",
            "latency_p99_s",
            "queue_p50_s",
            "decode_p50_s",
        ),
        *("dwell_examined_p50_h", "dwell_examined_p90_h", "dwell_examined_n"),
        *("dwell_unexamined_p50_min", "dwell_unexamined_p90_min", "dwell_unexamined_n", "dwell_zone_assumed"),
    )
    note = "Latency: from acceptance to the assessment. Dwell: from the scan taken until the consignment could go. Within 1 %."
    screens = (
        ("Throughput and latency", columns[:9]),
        ("Dwell", ("site", *columns[9:])),
    )
    return Section("times", "Throughput, latency and dwell", columns, tuple(rows), note, screens)


def _time_cells(flow: Flow) -> tuple[Cell, ...]:
    examined, free = flow.dwell_examined_s, flow.dwell_unexamined_s
    return (
        *(flow.hours.total(), rounded(flow.scans_an_hour, 1), flow.busiest_hour),
        *(quantile(flow.latency_s, share) for share in (0.5, 0.9, 0.99)),
        *(quantile(flow.queue_s, 0.5), quantile(flow.decode_s, 0.5)),
        *(_in(quantile(examined, 0.5), _HOUR_S), _in(quantile(examined, 0.9), _HOUR_S), examined.n),
        *(_in(quantile(free, 0.5), _MINUTE_S), _in(quantile(free, 0.9), _MINUTE_S), free.n),
        flow.dwell_assumed,
    )


def disparity_section(figures: Figures) -> Section:
    """Give alerts by declared origin, each group against all the others."""
    rows = tuple(
        (
            *(line.group, line.alerts.n, line.alerts.hits, *rate_cells(line.alerts)),
            *(
                rounded(line.ratio, 3),
                *((None, None) if line.interval is None else (round(line.interval.low, 3), round(line.interval.high, 3))),
            ),
            *(*rate_cells(line.hit_rate), *rate_cells(line.false_alarms), line.finding.value),
        )
        for line in disparities(figures.origins)
    )
    columns = (
        *("origin", "assessed", "alerted", *rate_columns("alert_rate"), "ratio", "ratio_low", "ratio_high"),
        *(*rate_columns("hit_rate", "false_alarms"), "finding"),
    )
    note = (
        "Ratio: alert rate over that of all other groups; intervals are widened for the number of groups tested (Bonferroni). A difference "
        "is not an unfairness: goods, routes and selection differ. One that comes with a lower hit rate deserves a look."
    )
    screen = ("origin", "assessed", "alert_rate", "ratio", "ratio_low", "ratio_high", "hit_rate", "finding")
    return Section("disparity", "Alerts by declared origin", columns, rows, note, (("", screen),))


def days_section(figures: Figures) -> Section:
    """Give each day's counts, by the calendar of each site."""
    rows = tuple((day.isoformat(), *_day_cells(line)) for day, line in sorted(figures.days.items()))
    columns = ("day", "assessed", "unassessable", "set_aside", "alerted", "examined", "confirmed", *rate_columns("hit_rate"))
    return Section("days", "By day on which the scan was concluded", columns, rows, "", (("", (*columns[:7], "hit_rate")),))


def _day_cells(line: Line) -> tuple[Cell, ...]:
    hits = line.hits
    return (line.assessed, line.unassessable, line.set_aside, hits.alerted, hits.examined, hits.confirmed, *rate_cells(hits.hit_rate))


def availability_section(lines: Iterable[AvailabilityLine]) -> Section:
    """Give the share of the time that each site was in each state of health."""
    rows = tuple(
        (
            line.site,
            *(rounded(line.share(state), 4) for state in _STATES),
            round(sum(line.seconds(state) for state in _STATES if state != "unknown") / _HOUR_S, 1),
            round(line.ahead_us / _S_US, 1) if line.ahead_us else None,
        )
        for line in lines
    )
    note = (
        "Healthy, degraded and failing: of the time that the site told of. Unknown: of all time, before its first word and after its last."
    )
    if any(row[-1] for row in rows):
        note += " Clock ahead: a site whose clock is ahead of headquarters' spoke when it was heard; at most so much was taken off."
    return Section("availability", "Health", ("site", *_STATES, "known_h", "clock_ahead_s"), rows, note, shares=_STATES)


def missing_section(lines: Iterable[MissingLine], now_us: int) -> Section:
    """Give what should have been scanned and was not."""
    rows = tuple(
        (
            *(line.site, line.expected.value, line.missing, line.found_late, line.still_open),
            None if line.oldest_open_us is None else round(max(0, now_us - line.oldest_open_us) / _DAY_US, 1),
        )
        for line in lines
    )
    note = "Fallen due in these days. Consignments selected and never scanned, and gaps in a scanner's own numbering; sites name each one."
    columns = ("site", "expected", "missing", "found_late", "still_open", "oldest_open_days")
    return Section("missing", "Expected and never scanned", columns, rows, note)


def own_section(own: Decisions) -> list[Section]:
    """Give an officer's own figures. For that officer only."""
    columns = ("way", "decided", "against", *rate_columns("rate"), "examined", "found", *rate_columns("found_rate"), "remark")
    return [
        Section("own_decisions", "How long you took, seconds", _DECISION_COLUMNS, (_took_cells(own),), _DECISION_NOTE),
        Section("own_overrides", "Where you decided against the machine", columns, override_rows(own)),
    ]


def _lines(figures: Figures) -> Iterable[tuple[By, str, Line]]:
    """Give every group of which anything was assessed, and the total in any case."""
    for by, lines in figures.lines.items():
        for key in sorted(lines):
            if by is By.ALL or lines[key].assessed:
                yield by, key, lines[key]


def _hit_cells(hits: Hits, now_us: int) -> tuple[Cell, ...]:
    oldest = None if hits.oldest_pending_us is None else round(max(0, now_us - hits.oldest_pending_us) / _DAY_US, 1)
    median = rounded(hits.pending_days.quantile(0.5), 1)
    return (hits.alerted, hits.examined, hits.confirmed, hits.pending, median, oldest, hits.called_off, hits.disputed)


def _in(seconds: float | None, unit_s: float) -> float | None:
    return None if seconds is None else float(f"{seconds / unit_s:.3g}")
