"""What an officer's workstation is told: its own key, and the sites to watch.

Paths may be written relative to the file; they are absolute from here on. Who decides is no setting: that is said at each start.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.console.client import Only, Site
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.transport.endpoints import split
from edge_agent.transport.keys import is_key, load_secret, load_server_keys
from edge_agent.transport.sockets import ClientSecurity


class Table(BaseModel):
    """Base of every table of the file: an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WatchedSite(Table):
    """One site. ``scanners``: only these; none = all.

    ``server_key``: its public key, or the path of its ``.key`` file, which may name the key that it follows.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    endpoint: str
    server_key: str
    scanners: tuple[str, ...] = Field(default=(), strict=False)


class ConsoleConfig(Table):
    """The whole file. ``key``: this console's secret key file."""

    key: Annotated[Path, Field(strict=False)]
    site: Annotated[tuple[WatchedSite, ...], Field(min_length=1, strict=False)]


_OF_BROWSERS = frozenset({"state_dir", "web", "queue", "blind", "headquarters"})
"""Keys of the same file that concern the browser console only (``web_config``)."""
Config = TypeVar("Config", bound=ConsoleConfig)


def load_console(path: Path) -> ConsoleConfig:
    """Read a configuration file.

    Raises:
        ConfigUnreadable: it cannot be read. ConfigInvalid: no TOML, an unknown or wrong key, a name twice.
    """
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ConfigUnreadable(f"cannot read {path}: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigInvalid(f"{path} is not TOML: {problem}") from problem
    return checked(ConsoleConfig, {key: value for key, value in read.items() if key not in _OF_BROWSERS}, path)


def checked(model: type[Config], read: dict[str, Any], path: Path) -> Config:
    """Give a file's content as its model, once names and endpoints are what they must be.

    Raises:
        ConfigInvalid: an unknown or wrong key, a name twice.
    """
    try:
        config = model.model_validate(read)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigInvalid(f"{path}: {where}: {first['msg']}") from None
    names = [site.name for site in config.site]
    if len(set(names)) < len(names):
        raise ConfigInvalid(f"{path}: two sites have one name")
    for site in config.site:
        split(site.endpoint)
        Only(scanners=site.scanners)
    return config


def sites_of(config: ConsoleConfig, folder: Path) -> list[tuple[str, Site, Only]]:
    """Give each site with its keys, as a client wants them. ``folder``: where the configuration file lies.

    Raises:
        KeysMissing: a key file is absent, or open to others.
    """
    pair = load_secret(folder / config.key)
    sites = []
    for site in config.site:
        server_keys = load_server_keys(site.server_key if is_key(site.server_key) else str(folder / site.server_key))
        sites.append((site.name, Site(site.endpoint, ClientSecurity(pair, *server_keys)), Only(scanners=site.scanners)))
    return sites
