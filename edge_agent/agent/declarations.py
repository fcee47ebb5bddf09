"""Declared goods from the customs system: a CSV file, or a folder of JSON files, that somebody else keeps up to date."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import EMPTY_HEADING, DeclaredItem, hs_digits
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.linking import DeclarationRecord, Linked, Register
from edge_agent.domain.numbering import normalised
from edge_agent.errors import ConfigError, ConfigInvalid, ConfigUnreadable, EdgeAgentError

_MAX_BYTES = 64 << 20
_MAX_FILE_BYTES = 1 << 20
_MAX_FILES = 50_000
_COLUMNS = ("container", "hs", "description")
_Stat: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What a source gave: all declarations, None when nothing is new since the last look; and what of it cannot be read."""

    records: tuple[DeclarationRecord, ...] | None
    problem: ConfigError | None = None


class Source(Protocol):
    """Where declarations are read from."""

    def look(self) -> Look:
        """Look again; whatever is wrong comes back as the problem, with file and line or field."""


class Declarations:
    """Finds the declaration of a scan; reads the source again when it has changed."""

    def __init__(self, source: Source) -> None:
        self.problem: EdgeAgentError | None = None
        """Why the source could not be read at the last look; the last good content goes on counting, and health says so."""
        self.edition = 0
        """How often the content has changed: what was linked under an earlier edition may have a newer declaration now."""
        self._source = source
        self._register = Register()

    def find(self, identities: Sequence[IdentityValue], taken_at: datetime | None) -> Linked | None:
        """Give the declaration of a scan and how surely it is its own, as of the last refresh; None when none fits."""
        return self._register.find(identities, taken_at)

    def refresh(self) -> None:
        """Read the source if it has changed.

        Somebody else's broken file must not stop the site, so a problem is kept for health and not raised.
        """
        seen = self._source.look()
        self.problem = seen.problem
        if seen.records is not None:
            self._register = Register(seen.records)
            self.edition += 1


class DeclarationsFile:
    """A CSV file; the columns are in ``docs/how-to/hand-over-declarations.md``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: _Stat | None = None

    def look(self) -> Look:
        try:
            stat = _stat(self._path)
            if stat == self._read_at:
                return Look(None)
            self._read_at = None  # until it was read: a broken file is looked at again
            records = read_declarations(self._path)
        except ConfigError as problem:
            return Look(None, problem)
        self._read_at = stat
        return Look(records)


class DeclarationsFolder:
    """A folder of ``*.json``, one declaration a file. A file that cannot be read keeps the last good content of that file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stats: dict[str, _Stat] = {}
        self._is_first = True
        self._records: dict[str, DeclarationRecord] = {}
        self._problems: dict[str, ConfigError] = {}

    def look(self) -> Look:
        try:
            stats = self._list()
        except ConfigError as problem:
            return Look(None, problem)
        changed = [name for name, stat in stats.items() if self._stats.get(name) != stat]
        gone = self._stats.keys() - stats.keys()
        self._stats = stats
        for name in gone:
            self._records.pop(name, None)
            self._problems.pop(name, None)
        taken = [self._take(name) for name in changed]
        has_news = any(taken) or bool(gone) or self._is_first
        self._is_first = False
        records = tuple(self._records[name] for name in sorted(self._records)) if has_news else None
        return Look(records, next(iter(self._problems.values()), None))

    def _list(self) -> dict[str, _Stat]:
        try:
            paths = sorted(
                path for path in self._folder.iterdir() if path.suffix.lower() == ".json" and not path.name.startswith((".", "~"))
            )
        except OSError as problem:
            raise ConfigUnreadable(f"{self._folder}: {problem.strerror}") from problem
        if len(paths) > _MAX_FILES:
            raise ConfigInvalid(f"{self._folder}: more than {_MAX_FILES} files")
        return {path.name: _stat(path) for path in paths}

    def _take(self, name: str) -> bool:
        try:
            self._records[name] = parse_declaration(_bytes(self._folder / name, _MAX_FILE_BYTES), str(self._folder / name))
        except ConfigError as problem:
            self._problems[name] = problem
            return False
        self._problems.pop(name, None)
        return True


def _stat(path: Path) -> _Stat:
    try:
        found = path.stat()
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem
    return found.st_mtime_ns, found.st_size


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem
    if len(data) > most:
        raise ConfigInvalid(f"{path}: larger than {most} bytes")
    return data


# ---------------------------------------------------------------------------------------------------------------- what is written


def _nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_Amount = Annotated[Annotated[float, Field(ge=0, lt=1e9, allow_inf_nan=False)] | None, BeforeValidator(_nothing)]
_Text = Annotated[str, Field(max_length=4096)]


class _Part(BaseModel):
    """What we do not know is ignored; what we know must be right."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class GoodsLine(_Part):
    """One line of goods; masses in kg."""

    hs: Annotated[str, AfterValidator(hs_digits)] = ""
    description: _Text = ""
    gross_kg: _Amount = None
    net_kg: _Amount = None
    volume_m3: _Amount = None
    packages: Annotated[Annotated[int, Field(ge=0, lt=1_000_000_000)] | None, BeforeValidator(_nothing)] = None

    def item(self) -> DeclaredItem:
        """Give the line as a value."""
        return DeclaredItem(self.hs, self.description, self.gross_kg, self.packages, self.net_kg, self.volume_m3)


class _Flag(_Part):
    code: _Text
    source: _Text = ""
    set_at: AwareDatetime | None = None


class DeclarationFile(_Part):
    """``declaration/1``: one declaration. ``expected_at``: when the subject is expected here, with its zone."""

    declaration_schema: Annotated[Literal["declaration/1"], Field(alias="schema")]
    numbers: Annotated[tuple[_Text, ...], Field(max_length=1000)] = ()
    ref: _Text = ""
    expected_at: Annotated[AwareDatetime | None, BeforeValidator(_nothing)] = None
    empty: bool = False
    goods: Annotated[tuple[GoodsLine, ...], Field(max_length=1000)] = ()
    carrier: _Text = ""
    traders: Annotated[tuple[_Text, ...], Field(max_length=100)] = ()
    origin: _Text = ""
    destination: _Text = ""
    vessel: _Text = ""
    voyage: _Text = ""
    gross_kg: _Amount = None
    volume_m3: _Amount = None
    risk: Annotated[tuple[_Flag, ...], Field(max_length=100)] = ()

    def record(self) -> DeclarationRecord:
        """Give the declaration as a value."""
        items = (DeclaredItem(EMPTY_HEADING),) if self.empty else tuple(line.item() for line in self.goods)
        flags = tuple(RiskFlag(flag.code, flag.source, flag.set_at and flag.set_at.astimezone(UTC)) for flag in self.risk)
        named = ((IdentityClass.DECLARATION, self.ref), *((IdentityClass.TRADER, name) for name in (self.carrier, *self.traders)))
        return DeclarationRecord(
            tuple(dict.fromkeys(number for raw in self.numbers if (number := normalised(raw)))),
            items,
            self.expected_at and self.expected_at.astimezone(UTC),
            tuple(IdentityValue(kind, value) for kind, value in named if value),
            Consignment(Route(self.origin, self.destination, self.vessel, self.voyage), flags, self.gross_kg, self.volume_m3),
        )


def parse_declaration(data: bytes, where: str) -> DeclarationRecord:
    """Read one ``declaration/1``.

    Raises:
        ConfigInvalid: it is none; the field is named, its value is not.
    """
    try:
        return DeclarationFile.model_validate_json(data.removeprefix(b"\xef\xbb\xbf")).record()
    except ValidationError as problem:
        raise ConfigInvalid(f"{where}: {_first(problem)}") from problem


def read_declarations(path: Path) -> tuple[DeclarationRecord, ...]:
    """Read the CSV file.

    Raises:
        ConfigUnreadable, ConfigInvalid: it is not there, or not as described; the line is named.
    """
    try:
        return parse_declarations(_bytes(path, _MAX_BYTES).decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as problem:
        raise ConfigUnreadable(f"{path}: {problem.reason}") from problem


def parse_declarations(text: str, where: str) -> tuple[DeclarationRecord, ...]:
    """Read the CSV; lines with the same number and ``ref`` are one declaration.

    Raises:
        ConfigInvalid: a column is missing, or a value makes no sense; line and column are named.
    """
    reader = csv.DictReader(io.StringIO(text))
    if not set(_COLUMNS) <= set(reader.fieldnames or ()):
        raise ConfigInvalid(f"{where}: needs the columns {', '.join(_COLUMNS)}")
    lines: dict[tuple[str, str], list[dict[str, str]]] = {}
    try:
        for row in reader:
            line = {name: value or "" for name, value in row.items() if isinstance(name, str)}
            _checked(line, f"{where}: line {reader.line_num}")
            lines.setdefault((normalised(line["container"]), line.get("ref", "").strip()), []).append(line)
    except csv.Error as problem:  # a quote that is never closed makes the rest of the file one field, which is too long
        raise ConfigInvalid(f"{where}: line {reader.line_num}: {problem}") from problem
    return tuple(_merged(group).record() for group in lines.values())


def _checked(line: Mapping[str, str], where: str) -> None:
    """Refuse a line on the spot, so that its number can be named."""
    if not line["hs"].strip():
        raise ConfigInvalid(f"{where}: hs must be 4 to 10 digits")
    try:
        _merged([line])
    except ValidationError as problem:
        raise ConfigInvalid(f"{where}: {_first(problem)}") from problem


def _merged(lines: Sequence[Mapping[str, str]]) -> DeclarationFile:
    """Put the lines of one declaration together: goods from each, everything else from the first that says it."""

    def said(name: str) -> str:
        return next((line[name] for line in lines if line.get(name, "").strip()), "")

    codes = dict.fromkeys(code.strip() for line in lines for code in line.get("risk", "").split(";") if code.strip())
    return DeclarationFile.model_validate(
        {
            "schema": "declaration/1",
            "numbers": [said("container")],
            "goods": [{name: line[name] for name in GoodsLine.model_fields if name in line} for line in lines],
            "risk": [{"code": code} for code in codes],
            **{name: said(name) for name in ("ref", "expected_at", "carrier", "origin", "destination", "vessel", "voyage")},
        }
    )


def _first(problem: ValidationError) -> str:
    """Name the first field that is wrong, and what is wrong with it; never its value, which may be personal."""
    error = problem.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in error['loc']) or 'file'}: {error['msg']}"


def open_source(file: Path | None, folder: Path | None) -> Source:
    """Give the source that is configured; exactly one of the two is.

    Raises:
        ConfigInvalid: neither is.
    """
    if folder is not None:
        return DeclarationsFolder(folder)
    if file is None:
        raise ConfigInvalid("[declarations] needs file or dir")
    return DeclarationsFile(file)
