"""What headquarters' administrator configures: the archive, the collector's own key, and every site to pull from.

Paths may be written relative to the configuration file; they are absolute from here on.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge_agent.collector.archive.place import is_server
from edge_agent.collector.report.groups import Classes, OriginGroups
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.signing.keys import PublicKeyText, VerifyKey
from edge_agent.telemetry.zone import Zone
from edge_agent.transport.endpoints import BindEndpoint, Endpoint
from edge_agent.transport.keys import is_key
from edge_agent.web.settings import Bind, ReachTable, absolute
from edge_agent.wire.frames import Name


def _server_address(text: str) -> str:
    if not is_server(text):
        raise ValueError("must be a path, or look like postgresql://USER@HOST/DATABASE")
    return text


FilePath = Annotated[Path, Field(strict=False)]
STATES_NAME = "states.json"
OUTBOX_NAME = "outbox.db"
ArchivePlace = Annotated[str, AfterValidator(_server_address)] | FilePath


class Table(BaseModel):
    """Base of every table of the file: strict, immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SiteEntry(Table):
    """One site. ``server_key``: its public key as 40 characters of Z85, or the path of its ``.key`` file.

    ``outbound``: the site connects to us, and has no endpoint here.

    ``journal_key``: the public key (``ed25519:...``) with which the site must sign its journal's heads; absent = whatever key it shows is
    kept with them. ``timezone``: the zone of the site's calendar days in reports, where it differs from the report's.
    ``insecure_loopback_only``: no encryption, for a site on this very machine. ``group``: sites that should run the same policy and models.
    """

    id: Name
    group: str = ""
    endpoint: Endpoint | None = None
    outbound: bool = False
    server_key: str | None = None
    journal_key: PublicKeyText | None = None
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


class OutboundTable(Table):
    """Where sites that nobody can reach connect to us. ``bind``: our own address and port; ``*`` for every address."""

    bind: BindEndpoint


class WatchTable(Table):
    """When a site is an alarm. ``silent_after_s``: not heard for so long. ``skew_s``: its clock differs by more.

    ``heads_after_s``: a site with ``journal_key`` sent rows, and no signed head that covers them for so long.
    """

    silent_after_s: Annotated[float, Field(gt=0, le=86_400, strict=False)] = 120.0
    skew_s: Annotated[float, Field(gt=0, le=86_400, strict=False)] = 5.0
    heads_after_s: Annotated[float, Field(gt=0, le=86_400, strict=False)] = 300.0


class ExpectedTable(Table):
    """What should be in force at every site. Absent = what most sites of its group have.

    ``policy``: beginning of the policy's SHA-256, eight hex digits at least. ``bundles``: ``name/version`` of each, all of them.
    """

    policy: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None = None
    bundles: Annotated[tuple[str, ...], Field(strict=False)] | None = None


class ApiTable(ReachTable):
    """The read API that `edge-agent api` serves. ``tokens``: the file that `edge-agent tokens` keeps.

    ``transparency``: whether anybody may read the public figures without a token.
    """

    bind: Bind = "127.0.0.1:8090"
    tokens: FilePath
    transparency: bool = False


class CollectorConfig(Table):
    """The whole file. ``name``: what the sites call this collector in their ``[[consumer]]`` tables.

    ``archive``: a file, or the ``postgresql://`` address of a server's database. ``states``: the file in which the collector says how
    its sites stand; absent = ``states.json`` beside the archive's file, or beside this one where the archive is on a server.
    """

    archive: ArchivePlace
    secret_key: FilePath | None = None
    timezone: Zone
    name: Name = "hq"
    outbound: OutboundTable | None = None
    watch: WatchTable = WatchTable()
    expected: ExpectedTable = ExpectedTable()
    states: FilePath | None = None
    api: ApiTable | None = None
    origin_groups: OriginGroups = {}
    classes: Classes = {}
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

    @property
    def states_file(self) -> Path:
        """Where the collector says how its sites stand."""
        if self.states is not None:
            return self.states
        return self.archive.with_name(STATES_NAME) if isinstance(self.archive, Path) else Path(STATES_NAME)

    @property
    def outbox_file(self) -> Path:
        """Where lies what has to be told to sites: beside the file of their states."""
        return self.states_file.with_name(OUTBOX_NAME)

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
    for key in ("archive", "secret_key", "states"):
        if isinstance(content.get(key), str) and not is_server(content[key]):
            content[key] = str(base / content[key])
    if isinstance(archive := content.get("archive"), str) and is_server(archive):
        content.setdefault("states", str(base / STATES_NAME))
    if "api" in content:
        content["api"] = absolute(content["api"], base)
    sites = content.get("site")
    if isinstance(sites, list):
        content["site"] = [_with_key_path(entry, base) for entry in sites]
    return content


def _with_key_path(entry: Any, base: Path) -> Any:  # noqa: ANN401 - unchecked TOML
    if isinstance(entry, dict) and isinstance(key := entry.get("server_key"), str) and not is_key(key):
        return {**entry, "server_key": str(base / key)}
    return entry
