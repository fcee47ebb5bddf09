"""Results of examinations out of files of the national system, CSV or JSON, into entries of the outbox. Pure but for nothing: text in.

Each result has the national system's own number, its ``record``: the same record is the same result however often it is imported.
``amendment`` (0 unless given) tells a later word on the same record from the first. A result is about ``scan_id``, or about the scan that
bears ``reference`` (a number of the kind ``reference_kind``), which the site looks up. The other columns are the fields of the form.
In CSV each thing that was found is a line of its own: the lines of one record repeat what is said once, or leave it empty.
"""

import csv
import io
import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from edge_agent.collector.archive.outbox import Entry
from edge_agent.domain.control_form import FORM, Field, Kind, problems
from edge_agent.domain.ids import SiteId
from edge_agent.errors import FormRefused, ImportUnreadable
from edge_agent.wire.control import ReferencePart, control_request
from edge_agent.wire.verbs import content

MAX_ROWS = 100_000
_NAMESPACE = uuid.UUID("3d1f6f0b-5f1f-5c39-9a44-0c1d9a6b7e52")
_ABOUT = ("record", "amendment", "site", "scan_id", "reference", "reference_kind")
_RESULT = {field.name: field for field in FORM.result}
_FIND = {field.name: field for field in FORM.find}
COLUMNS = (*_ABOUT, *_RESULT, *_FIND)
"""Columns of a CSV file, in any order; the ones that a file does not need may be absent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one answer of one record. ``line``: of the file (CSV), or place in the list (JSON), from 1."""

    line: int
    record: str
    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Result:
    """One record as it was read. ``about``: who and which scan; texts are trimmed."""

    line: int
    about: Mapping[str, str]
    result: Mapping[str, Any]
    found: Sequence[Mapping[str, Any]]


def read_results(text: str, *, is_json: bool, zones: Mapping[str, ZoneInfo]) -> tuple[list[Entry], list[Fault]]:
    """Give the entries of a file, and all that is wrong with the others. ``zones``: the configured sites and their time zones.

    A moment without a zone is the site's; a date alone is the end of that day, for the scan was taken before.

    Raises:
        ImportUnreadable: it is no such file at all.
    """
    read = _from_json(text) if is_json else _from_csv(text)
    entries: list[Entry] = []
    faults: list[Fault] = []
    known: set[str] = set()
    for one in read:
        found = _entry(one, zones)
        if isinstance(found, Entry) and found.control_id in known:
            found = [Fault(one.line, one.about["record"], "record", "twice")]
        if isinstance(found, Entry):
            known.add(found.control_id)
            entries.append(found)
        else:
            faults += found
    return entries, faults


def control_id(record: str, amendment: str = "") -> str:
    """Give the identity of a result by its record's number, the same for ever."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([record, amendment or "0"])))


def _entry(one: _Result, zones: Mapping[str, ZoneInfo]) -> Entry | list[Fault]:
    about = one.about
    faults = list(_about_faults(about, zones))
    zone = zones.get(about.get("site", ""), ZoneInfo("UTC"))
    result = {**one.result, "examined_at": _moment(one.result.get("examined_at"), zone)}
    if faults:
        faults += [(name, problem.value) for name, problem in problems(result, one.found).items()]
        return [Fault(one.line, about.get("record", ""), name, problem) for name, problem in faults]
    who = control_id(about["record"], about.get("amendment", ""))
    try:
        request = control_request(who, _subject(about), result, one.found)
    except FormRefused as problem:
        return [Fault(one.line, about["record"], name, str(fault)) for name, fault in problem.fields.items()]
    except ValidationError as problem:
        where = ".".join(str(step) for step in problem.errors(include_input=False, include_url=False)[0]["loc"])
        return [Fault(one.line, about["record"], where, "not-usable")]
    sent = {name: value for name, value in content(request).items() if name != "control_id"}
    return Entry(who, SiteId(about["site"]), about["record"], sent)


def _about_faults(about: Mapping[str, str], sites: Collection[str]) -> Iterator[tuple[str, str]]:
    record, site = about.get("record", ""), about.get("site", "")
    if not record or len(record) > 64 or not record.isprintable():
        yield "record", "missing" if not record else "not-usable"
    if site not in sites:
        yield "site", "not-a-site" if site else "missing"
    if bool(about.get("scan_id")) == bool(about.get("reference")):
        yield "scan_id", "give-scan_id-or-reference"
    if bool(about.get("reference")) != bool(about.get("reference_kind")):
        yield "reference_kind", "missing" if about.get("reference") else "not-asked"


def _subject(about: Mapping[str, str]) -> str | ReferencePart:
    if about.get("scan_id"):
        return about["scan_id"]
    return ReferencePart.model_validate({"kind": about["reference_kind"], "value": about["reference"]})


def _moment(answer: Any, zone: ZoneInfo) -> Any:  # noqa: ANN401 - what is no moment is left for the form to refuse
    try:
        moment = datetime.fromisoformat(answer)
    except (TypeError, ValueError):
        return answer
    if len(answer) == len("2026-01-31"):
        moment = datetime.combine(moment.date(), time(23, 59, 59))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _from_json(text: str) -> Iterator[_Result]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ImportUnreadable("this is no JSON") from problem
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(isinstance(row, dict) for row in rows):
        raise ImportUnreadable(f"a list of at most {MAX_ROWS:,} objects is expected")
    for line, row in enumerate(rows, start=1):
        found = row.get("found") or []
        if not isinstance(found, list) or not all(isinstance(find, dict) for find in found):
            raise ImportUnreadable(f"found of object {line} is no list of objects")
        about = {name: str(row[name]).strip() for name in _ABOUT if row.get(name) is not None}
        result = {name: answer for name, answer in row.items() if name not in _ABOUT and name != "found"}
        yield _Result(line, about, result, found)


def _from_csv(text: str) -> Iterator[_Result]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True, restkey="", restval="")
    records: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
    try:
        unknown = [name for name in reader.fieldnames or [""] if name not in COLUMNS]
        if unknown:
            raise ImportUnreadable(f"unknown columns: {', '.join(map(repr, unknown))[:200]}; `edge-agent control form` names them")
        if len(set(reader.fieldnames or ())) < len(reader.fieldnames or ()):
            raise ImportUnreadable("a column stands twice in the head line")
        for row in reader:
            if "" in row or len(records) > MAX_ROWS:
                raise ImportUnreadable(f"line {reader.line_num}: more values than columns, or more than {MAX_ROWS:,} records")
            cells = {name: value.strip() for name, value in row.items()}
            key = (cells.get("record", ""), cells.get("amendment", "")) if cells.get("record") else (f"\0{reader.line_num}", "")
            records.setdefault(key, []).append((reader.line_num, cells))
    except csv.Error as problem:
        raise ImportUnreadable(f"line {reader.line_num}: no CSV: {problem}") from problem
    return (_of_lines(lines) for lines in records.values())


def _of_lines(lines: Sequence[tuple[int, Mapping[str, str]]]) -> _Result:
    """Put the lines of one record together: what is said once is taken from the first line that says it."""
    once = {name: _said(cells[name] for _, cells in lines if name in cells) for name in (*_ABOUT, *_RESULT)}
    result = {name: _answer(field, once[name]) for name, field in _RESULT.items() if once[name]}
    found = [{name: _answer(field, cells[name]) for name, field in _FIND.items() if cells.get(name)} for _, cells in lines]
    return _Result(lines[0][0], {name: once[name] for name in _ABOUT if once[name]}, result, [find for find in found if find])


def _said(values: Iterable[str]) -> str:
    """Give the one thing that all lines say; where they differ all of it, which no check will take."""
    return " / ".join(dict.fromkeys(value for value in values if value))


def _answer(field: Field, text: str) -> Any:  # noqa: ANN401 - what is no number is left as it is, for the form to refuse
    try:
        match field.kind:
            case Kind.NUMBER:
                return float(text)
            case Kind.COUNT:
                return int(text)
            case Kind.CHOICES:
                return text.replace(";", " ").split()
    except ValueError:
        pass
    return text
