"""The file of a browser console: its key and sites as for ``edge-agent watch``, how it is reached, and what its officers are asked.

Paths may be written relative to the file; they are absolute from here on.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from edge_agent.console.config import ConsoleConfig, Table, checked
from edge_agent.console.headquarters import HeadquartersTable
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.web.settings import WebTable, absolute

_IN_ADDRESS = re.compile(r"[A-Za-z0-9._-]+")


class QueueTable(Table):
    """``newest``: scans of each site that are held and shown."""

    newest: Annotated[int, Field(ge=10, le=20_000)] = 2_000


class BlindTable(Table):
    """``share``: of the scans, to be decided before the machine's word is shown."""

    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class WebConsoleConfig(ConsoleConfig):
    """The whole file. ``state_dir``: where decisions lie until their site has answered; ``headquarters``: whose figures are shown."""

    state_dir: Annotated[Path, Field(strict=False)]
    web: WebTable
    queue: QueueTable = QueueTable()
    blind: BlindTable = BlindTable()
    headquarters: HeadquartersTable | None = None


def load_web_console(path: Path) -> WebConsoleConfig:
    """Read a configuration file.

    Raises:
        ConfigUnreadable: it cannot be read. ConfigInvalid: no TOML, an unknown or wrong key, a name twice.
    """
    try:
        read: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ConfigUnreadable(f"cannot read {path}: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigInvalid(f"{path} is not TOML: {problem}") from problem
    base = path.absolute().parent
    read["web"] = absolute(read.get("web", {}), base)
    _absolute(read, ("state_dir",), base)
    _absolute(read.get("headquarters"), ("token", "ca"), base)
    config = checked(WebConsoleConfig, read, path)
    for site in config.site:
        if _IN_ADDRESS.fullmatch(site.name) is None:
            raise ConfigInvalid(f"{path}: site.name: letters, digits, dot, dash and underscore only: it stands in addresses: {site.name!r}")
    return config


def _absolute(table: Any, keys: tuple[str, ...], base: Path) -> None:  # noqa: ANN401 - unchecked TOML
    """Make the paths of a table absolute, relative to ``base``."""
    if isinstance(table, dict):
        table.update({key: str(base / table[key]) for key in keys if isinstance(table.get(key), str)})
