"""The archive's cases and findings as Parquet files, for whoever works with data frames: one file a site and month, no identities.

Officers, even as tokens, stay out. Columns are those of ``CASE_COLUMNS`` and ``FINDING_COLUMNS``; a new one may be added at the end,
none changes its meaning. Memory holds one row group of one site at a time.
"""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge_agent.collector.archive.port import FindingLine, ScanKey
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import ScanId, SiteId
from edge_agent.errors import ConfigInvalid, DiskLow
from edge_agent.kpi.case import Case, words
from edge_agent.kpi.rates import Scope

ROW_GROUP = 10_000
"""Scans in one row group, and in memory."""
_MOMENT = pa.timestamp("us", tz="UTC")
_WORDS = pa.list_(pa.string())

CASE_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("site", pa.string(), "the site"),
    ("scanner", pa.string(), "the scanner"),
    ("scan_id", pa.string(), "the scan, the same in `findings`"),
    ("revision", pa.int64(), "the newest revision of its pixels; everything here is about it"),
    ("kind", pa.string(), "live, tip, calibration, test, synthetic, staged, or unknown: only live scans say anything about traffic"),
    ("selection", pa.string(), "how it was chosen; rates hold for all traffic over random and scan-all only"),
    ("subject", pa.string(), "cargo, parcel or vehicle"),
    ("outcome", pa.string(), "alert, no-alert, unassessable or set-aside"),
    ("reason", pa.string(), "code of a set-aside"),
    ("produced_us", _MOMENT, "when the machine concluded"),
    ("taken_us", _MOMENT, "when the scanner took it"),
    ("tz_assumed", pa.bool_(), "whether taken_us rests on an assumed zone"),
    ("alerted", _WORDS, "what put it on alert"),
    ("models", _WORDS, "bundles that spoke, as name/version"),
    ("provider", pa.string(), "what the models really ran on"),
    ("policy_digest", pa.string(), "digest of the policy in force"),
    ("is_advisory", pa.bool_(), "whether a bundle was not commissioned at the site"),
    ("commodity", pa.string(), "HS heading of the first declared good"),
    ("origin", pa.string(), "declared country of origin"),
    ("latency_ms", pa.float64(), "from acceptance to conclusion, milliseconds"),
    ("first_conclusion", pa.string(), "the first officer's word"),
    ("first_decided_us", _MOMENT, "when it was said"),
    ("decision_s", pa.float64(), "seconds from the machine's conclusion to the first decision, the wait included"),
    ("look_s", pa.float64(), "seconds from when its officer opened the scan to the first decision"),
    ("analyst", pa.string(), "the last word of an analyst"),
    ("analyst_us", _MOMENT, "when it was said"),
    ("supervisor", pa.string(), "the last word of a supervisor"),
    ("supervisor_us", _MOMENT, "when it was said"),
    ("referred_by_clock", pa.bool_(), "whether the decision clock ran out"),
    ("referred_by_officer", pa.bool_(), "whether an officer passed it on"),
    ("control", pa.string(), "found, nothing-found or not-examined by the last examination"),
    ("is_disputed", pa.bool_(), "whether offices differ about the examination; such a scan is in no rate"),
    ("control_us", _MOMENT, "when it was examined"),
    ("found", _WORDS, "what the last examination found"),
    ("stands", pa.string(), "the conclusion that holds now"),
    ("stands_by", pa.string(), "whose it is: machine, analyst, supervisor or examination"),
)
"""(name, type, meaning): each is the field of ``Case`` of this name."""

FINDING_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("site", pa.string(), "the site"),
    ("scan_id", pa.string(), "the scan, the same in `cases`"),
    ("type", pa.string(), "detection or heterogeneity"),
    ("label", pa.string(), "the class; null where the finding names none"),
    ("score", pa.float64(), "calibrated score in [0, 1]"),
    ("view", pa.string(), "the view it lies in"),
    ("bundle", pa.string(), "the bundle that found it, as name/version"),
    ("is_alerting", pa.bool_(), "whether its label put the scan on alert"),
)
_CASES = pa.schema([(name, kind) for name, kind, _ in CASE_COLUMNS])
_FINDINGS = pa.schema([(name, kind) for name, kind, _ in FINDING_COLUMNS])


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    files: int
    cases: int
    findings: int


def export(archive: Archive, folder: Path, scope: Scope, sites: Sequence[str], tell: Callable[[Exported], None]) -> Exported:
    """Write ``cases/site=S/month=YYYY-MM/part-0.parquet`` and ``findings/...`` likewise, months by each site's calendar.

    ``folder`` appears complete or not at all. ``tell`` hears what is written so far.

    Raises:
        ConfigInvalid: ``folder`` is there already, or cannot be made.
    """
    done = Exported(0, 0, 0)
    with _appearing(folder) as draft, archive.snapshot():
        for site in sites:
            wanted = (case for case in archive.cases(scope.period, {site}) if scope.covers(case))
            for month, cases in groupby(wanted, key=lambda case: f"{scope.day(case):%Y-%m}"):
                written = _write_month(archive, draft, Path(f"site={site}", f"month={month}"), cases)
                done = Exported(done.files + written.files, done.cases + written.cases, done.findings + written.findings)
                tell(done)
    return done


def _write_month(archive: Archive, draft: Path, place: Path, cases: Iterator[Case]) -> Exported:
    number = found = 0
    with _file(draft / "cases" / place, _CASES) as case_file, _file(draft / "findings" / place, _FINDINGS) as finding_file:
        while some := list(islice(cases, ROW_GROUP)):
            findings = archive.findings([ScanKey(SiteId(case.site), ScanId(case.scan_id)) for case in some])
            case_file.write_table(_table([_case_line(case) for case in some], _CASES))
            finding_file.write_table(_table([_finding_line(finding) for finding in findings], _FINDINGS))
            number, found = number + len(some), found + len(findings)
    return Exported(2, number, found)


def _case_line(case: Case) -> tuple[Any, ...]:
    values = ((name, kind, getattr(case, name)) for name, kind, _ in CASE_COLUMNS)
    return tuple(list(words(value)) if kind == _WORDS else value for _, kind, value in values)


def _finding_line(finding: FindingLine) -> tuple[Any, ...]:
    values = (finding.type, finding.label, finding.score, finding.view, finding.bundle, finding.is_alerting)
    return (finding.scan.site, finding.scan.scan_id, *values)


def _table(lines: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*lines, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)


@contextmanager
def _file(folder: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    folder.mkdir(parents=True)
    with pq.ParquetWriter(folder / "part-0.parquet", schema, compression="zstd") as writer:
        yield writer


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Give a folder to fill that takes its name only when it is complete."""
    draft = folder.with_name(f".{folder.name}.partial")
    if folder.exists():
        raise ConfigInvalid(f"{folder}: is there already", {"key": "--out"})
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
    except OSError as problem:
        raise ConfigInvalid(f"{draft}: {problem.strerror}", {"key": "--out"}) from problem
    try:
        yield draft
        draft.rename(folder)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskLow(f"no space left for {folder}") from problem
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
