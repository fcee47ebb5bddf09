"""Declared goods from the customs system: a CSV file that somebody else keeps up to date."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from edge_agent.domain.declaration import DeclaredItem
from edge_agent.errors import ConfigError, ConfigInvalid, ConfigUnreadable, EdgeAgentError

_COLUMNS = ("container", "hs", "description")
_HEADING = re.compile(r"[0-9]{4,10}")
_MAX_BYTES = 64 << 20


class Declarations:
    """Looks goods up by container or parcel number; reads the file again when it has changed.

    Columns: ``container,hs,description``, one line a heading, several lines a container allowed; ``hs`` 0000 = declared empty.
    """

    def __init__(self, path: Path) -> None:
        self.problem: EdgeAgentError | None = None
        """Why the file could not be read at the last look; the last good content goes on counting, and health says so."""
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._items: Mapping[str, tuple[DeclaredItem, ...]] = {}

    def look_up(self, numbers: Iterable[str]) -> tuple[DeclaredItem, ...] | None:
        """Give the goods declared for any of ``numbers``; None when none of them is listed.

        Somebody else's broken file must not stop the site, so a problem is kept for health and not raised.
        """
        self.refresh()
        found = [item for number in numbers for item in self._items.get(normalised(number), ())]
        return tuple(found) or None

    def refresh(self) -> None:
        """Read the file if it has changed."""
        try:
            stat = self._path.stat()
            if self.problem is None and (stat.st_mtime_ns, stat.st_size) == self._read_at:
                return
            self._items = read_declarations(self._path)
            self._read_at = (stat.st_mtime_ns, stat.st_size)
            self.problem = None
        except OSError as problem:
            self.problem = ConfigUnreadable(f"{self._path}: {problem.strerror}")
        except ConfigError as problem:
            self.problem = problem


def read_declarations(path: Path) -> dict[str, tuple[DeclaredItem, ...]]:
    """Read the file.

    Raises:
        ConfigUnreadable, ConfigInvalid: it is not there, or not as described; the line is named.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigInvalid(f"{path}: larger than {_MAX_BYTES} bytes")
        return parse_declarations(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigUnreadable(f"{path}: {problem}") from problem


def parse_declarations(text: str, where: str) -> dict[str, tuple[DeclaredItem, ...]]:
    """Read the CSV.

    Raises:
        ConfigInvalid: a column is missing, or a heading is not 4 to 10 digits; the line is named.
    """
    reader = csv.DictReader(io.StringIO(text))
    if not set(_COLUMNS) <= set(reader.fieldnames or ()):
        raise ConfigInvalid(f"{where}: needs the columns {', '.join(_COLUMNS)}")
    items: dict[str, tuple[DeclaredItem, ...]] = {}
    try:
        for row in reader:
            heading = (row["hs"] or "").strip()
            if not _HEADING.fullmatch(heading):
                raise ConfigInvalid(f"{where}: line {reader.line_num}: hs must be 4 to 10 digits")
            number = normalised(row["container"] or "")
            items[number] = (*items.get(number, ()), DeclaredItem(heading, (row["description"] or "").strip()))
    except csv.Error as problem:  # a quote that is never closed makes the rest of the file one field, which is too long
        raise ConfigInvalid(f"{where}: line {reader.line_num}: {problem}") from problem
    return items


def normalised(number: str) -> str:
    """Give a container or parcel number as it is compared: upper case, without blanks and dashes."""
    return re.sub(r"[\s-]", "", number).upper()
