"""Lists of consignments selected for scanning: a CSV file, or a folder of them, that somebody else keeps up to date."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge_agent.domain.capture import Selection
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.numbering import is_postal_item, normalised
from edge_agent.domain.selection import Listed, Selected, by_number, numbers_of, reason_for
from edge_agent.errors import ConfigError, ConfigInvalid, ConfigUnreadable

_MAX_BYTES = 64 << 20
_MAX_FILES = 10_000
_Stat: TypeAlias = tuple[int, int]


class SelectionLists:
    """The lists at hand, and the selections that were taken in from them."""

    def __init__(self, file: Path | None, folder: Path | None, due_after: timedelta) -> None:
        """``file`` or ``folder``; with neither there are no lists. ``due_after``: when a line without a due time is due."""
        self.problem: ConfigError | None = None
        """Why a list could not be read at the last look; what was taken in before goes on counting, and health says so."""
        self._file = file
        self._folder = folder
        self._due_after = due_after
        self._stats: dict[Path, _Stat] = {}
        self._new: dict[Selected, None] = {}
        self._listed: dict[tuple[object, ...], Listed] = {}
        self._register: Mapping[str, Sequence[Listed]] = {}

    @property
    def listed(self) -> list[Listed]:
        """Give every selection that was taken in and is not long past."""
        return list(self._listed.values())

    @listed.setter
    def listed(self, listed: Sequence[Listed]) -> None:
        self._listed = {one.key: one for one in listed}
        self._register = by_number(listed)

    @property
    def register(self) -> Mapping[str, Sequence[Listed]]:
        """Give the selections by number."""
        return self._register

    def replace(self, one: Listed) -> None:
        """Put a selection's new state in the place of the old one."""
        self._listed[one.key] = one
        number = one.selected.number
        group = tuple(one if other.key == one.key else other for other in self._register.get(number, ()))
        self._register = {**self._register, number: group}

    def reason_for(self, identities: Sequence[IdentityValue], scanner: ScannerId, taken_at: datetime) -> Selection | None:
        """Say why a scan was taken; None when it was never selected."""
        return reason_for(numbers_of(identities), scanner, self._register, taken_at)

    def refresh(self) -> None:
        """Read the lists that have changed. Somebody else's broken file must not stop the site, so a problem is kept and not raised."""
        self.problem = None
        try:
            paths = self._paths()
        except ConfigError as problem:
            self.problem = problem
            return
        for path in paths:
            try:
                stat = _stat(path)
                if self._stats.get(path) != stat:
                    self._stats.pop(path, None)  # until it was read: a broken file is looked at again
                    self._new |= dict.fromkeys(read_selections(path, self._due_after))
                    self._stats[path] = stat
            except ConfigError as problem:
                self.problem = problem

    def take_new(self) -> list[Selected]:
        """Give the selections read since the last call."""
        new, self._new = list(self._new), {}
        return new

    def _paths(self) -> list[Path]:
        if self._folder is None:
            return [self._file] if self._file is not None else []
        try:
            paths = sorted(path for path in self._folder.iterdir() if _is_list(path.name))
        except OSError as problem:
            raise ConfigUnreadable(f"{self._folder}: {problem.strerror}") from problem
        if len(paths) > _MAX_FILES:
            raise ConfigInvalid(f"{self._folder}: more than {_MAX_FILES} files")
        return paths


def _is_list(name: str) -> bool:
    return name.lower().endswith(".csv") and not name.startswith((".", "~"))


def _stat(path: Path) -> _Stat:
    try:
        found = path.stat()
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem
    return found.st_mtime_ns, found.st_size


def _nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _real(reason: Selection) -> Selection:
    if reason is Selection.UNKNOWN:
        raise ValueError("a selection has a reason")
    return reason


_Moment = Annotated[AwareDatetime | None, BeforeValidator(_nothing)]
_Text = Annotated[str, Field(max_length=200)]


class _Line(BaseModel):
    """One line of the CSV file; columns that are not named here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    container: _Text = ""
    ref: _Text = ""
    scanner: _Text = ""
    reason: Annotated[Selection, AfterValidator(_real)]
    campaign: _Text = ""
    selected_at: _Moment = None
    due: _Moment = None

    def selected(self, due_after: timedelta) -> Selected:
        """Give the line as a value.

        Raises:
            ValueError: it names no consignment, or no time.
        """
        number, kind = normalised(self.container or self.ref), _kind(self)
        if not number:
            raise ValueError("container or ref is needed")
        if self.selected_at is None and self.due is None:
            raise ValueError("selected_at or due is needed")
        due = self.due or (self.selected_at or datetime.min.replace(tzinfo=UTC)) + due_after
        since = self.selected_at or due - due_after
        if due < since:
            raise ValueError("due is before selected_at")
        scanner = ScannerId(self.scanner) if self.scanner else None
        return Selected(number, kind, scanner, self.reason, self.campaign, since.astimezone(UTC), due.astimezone(UTC))


def _kind(line: _Line) -> IdentityClass:
    if not line.container:
        return IdentityClass.DECLARATION
    return IdentityClass.PARCEL if is_postal_item(normalised(line.container)) else IdentityClass.CONTAINER


def read_selections(path: Path, due_after: timedelta) -> tuple[Selected, ...]:
    """Read one list.

    Raises:
        ConfigUnreadable, ConfigInvalid: it is not there, or not as described; the line is named, its content is not.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ConfigInvalid(f"{path}: larger than {_MAX_BYTES} bytes")
        return parse_selections(data.decode("utf-8-sig"), str(path), due_after)
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise ConfigUnreadable(f"{path}: {problem.reason}") from problem


def parse_selections(text: str, where: str, due_after: timedelta) -> tuple[Selected, ...]:
    """Read the text of a list. ``where``: its name, for messages. Raises as :func:`read_selections`."""
    reader = csv.DictReader(io.StringIO(text))
    fields = set(reader.fieldnames or ())
    if "reason" not in fields or not fields & {"container", "ref"}:
        raise ConfigInvalid(f"{where}: needs the columns reason, and container or ref")
    try:
        return tuple(_selected(row, f"{where}: line {reader.line_num}", due_after) for row in reader)
    except csv.Error as problem:
        raise ConfigInvalid(f"{where}: line {reader.line_num}: {problem}") from problem


def _selected(row: Mapping[Any, Any], where: str, due_after: timedelta) -> Selected:
    line = {name: value or "" for name, value in row.items() if isinstance(name, str)}
    try:
        return _Line.model_validate(line).selected(due_after)
    except ValidationError as problem:
        error = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        raise ConfigInvalid(f"{where}: {'.'.join(str(part) for part in error['loc'])}: {error['msg']}") from problem
    except (ValueError, OverflowError) as problem:
        raise ConfigInvalid(f"{where}: {problem}") from problem
