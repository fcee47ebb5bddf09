"""What headquarters' administrator configures: the archive, the collector's own key, and every site to pull from.

Paths may be written relative to the configuration file; they are absolute from here on.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge_agent.domain.ids import SiteId
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.signing.keys import VerifyKey
from edge_agent.transport.endpoints import split
from edge_agent.transport.keys import is_key
from edge_agent.wire.frames import is_name


def _topic_name(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be lower-case letters, digits, dot, dash or underscore, at most 63")
    return text


def _tcp_endpoint(text: str) -> str:
    host, _, port = text.removeprefix("tcp://").rpartition(":")
    if not text.startswith("tcp://") or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("must look like tcp://HOST:PORT")
    return text


def _zone_name(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ValueError("must be an IANA time zone such as Asia/Kolkata") from problem
    return text


def _signing_key(text: str) -> str:
    try:
        VerifyKey.parse(text)
    except ConfigInvalid as problem:
        raise ValueError(problem.detail) from problem
    return text


Name = Annotated[str, AfterValidator(_topic_name)]
Endpoint = Annotated[str, AfterValidator(_tcp_endpoint)]
Zone = Annotated[str, AfterValidator(_zone_name)]
FilePath = Annotated[Path, Field(strict=False)]


class Table(BaseModel):
    """Base of every table of the file: strict, immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SiteEntry(Table):
    """One site. ``server_key``: its public key as 40 characters of Z85, or the path of its ``.key`` file.

    ``outbound``: the site connects to us, and has no endpoint here.

    ``journal_key``: the public key (``ed25519:...``) with which the site must sign its journal's heads; absent = whatever key it shows is
    kept with them. ``timezone``: the zone of the site's calendar days in reports, where it differs from the report's.
    ``insecure_loopback_only``: no encryption, for a site on this very machine.
    """

    id: Name
    endpoint: Endpoint | None = None
    outbound: bool = False
    server_key: str | None = None
    journal_key: Annotated[str, AfterValidator(_signing_key)] | None = None
    timezone: Zone | None = None
    insecure_loopback_only: bool = False

    @model_validator(mode="after")
    def _secured(self) -> Self:
        if (self.server_key is None) != self.insecure_loopback_only:
            raise ValueError("give server_key (or insecure_loopback_only, on this machine), and not both")
        if (self.endpoint is None) != self.outbound or (self.outbound and self.insecure_loopback_only):
            raise ValueError("give endpoint, or outbound = true with server_key, and not both")
        return self

    @property
    def believed(self) -> VerifyKey | None:
        """The only key that may sign this site's heads."""
        return None if self.journal_key is None else VerifyKey.parse(self.journal_key)

    @property
    def site_id(self) -> SiteId:
        return SiteId(self.id)


def _bindable(text: str) -> str:
    try:
        split(text)
    except ConfigInvalid as problem:
        raise ValueError("must look like tcp://ADDRESS:PORT, * for every address") from problem
    return text


class OutboundTable(Table):
    """Where sites that nobody can reach connect to us. ``bind``: our own address and port; ``*`` for every address."""

    bind: Annotated[str, AfterValidator(_bindable)]


class CollectorConfig(Table):
    """The whole file. ``name``: what the sites call this collector in their ``[[consumer]]`` tables."""

    archive: FilePath
    secret_key: FilePath | None = None
    timezone: Zone
    name: Name = "hq"
    outbound: OutboundTable | None = None
    site: Annotated[tuple[SiteEntry, ...], Field(strict=False, min_length=1)]

    @field_validator("site")
    @classmethod
    def _each_once(cls, sites: tuple[SiteEntry, ...]) -> tuple[SiteEntry, ...]:
        if len({entry.id for entry in sites}) < len(sites):
            raise ValueError("every site id may stand once only")
        return sites

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.secret_key is None and not all(entry.insecure_loopback_only for entry in self.site):
            raise ValueError("secret_key is missing: make one with `edge-agent keys new`")
        if self.outbound is None and any(entry.outbound for entry in self.site):
            raise ValueError("[outbound] bind is missing: where sites with outbound = true connect to")
        return self

    def zones(self) -> dict[str, ZoneInfo]:
        """Give the zone of each site."""
        return {entry.id: ZoneInfo(entry.timezone or self.timezone) for entry in self.site}


def load(path: Path) -> CollectorConfig:
    """Read and check the file.

    Raises:
        ConfigUnreadable: it is absent, unreadable or not TOML.
        ConfigInvalid: a key is unknown, missing or out of range; the detail names the file and every such key.
    """
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigUnreadable(f"{path}: not TOML: {problem}", {"file": str(path)}) from problem
    try:
        return CollectorConfig.model_validate(_with_absolute_paths(content, path.absolute().parent))
    except ValidationError as problem:
        faults = [(".".join(str(step) for step in error["loc"]), error["msg"]) for error in problem.errors(include_url=False)]
        detail = "; ".join(f"{key or 'file'}: {message}" for key, message in faults)
        raise ConfigInvalid(f"{path}: {detail}", {"file": str(path), "key": faults[0][0]}) from problem


def _with_absolute_paths(content: dict[str, Any], base: Path) -> dict[str, Any]:
    """Give the content with every path made absolute, relative to the file's own folder; other values are left to the model."""
    content = dict(content)
    for key in ("archive", "secret_key"):
        if isinstance(content.get(key), str):
            content[key] = str(base / content[key])
    sites = content.get("site")
    if isinstance(sites, list):
        content["site"] = [_with_key_path(entry, base) for entry in sites]
    return content


def _with_key_path(entry: Any, base: Path) -> Any:  # noqa: ANN401 - unchecked TOML
    if isinstance(entry, dict) and isinstance(key := entry.get("server_key"), str) and not is_key(key):
        return {**entry, "server_key": str(base / key)}
    return entry
