"""``agent.toml`` as frozen values: strict, every problem named at once, read in one place.

Paths may be written relative to the configuration file; they are absolute from here on.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.analysis.policy import Policy, parse_policy
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.profile import Profile
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.formats import dicos
from edge_agent.formats.package import PackageCodec
from edge_agent.formats.profiles import load_profile
from edge_agent.inference.installed import installed_bundles, release_key
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission, BundleStore
from edge_agent.signing.detached import Trust
from edge_agent.signing.keys import VerifyKey
from edge_agent.wire.frames import is_name


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("lower-case letters, digits, dot, dash and underscore only, at most 63")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise ValueError("not an IANA time zone, such as Asia/Kolkata") from problem
    return text


Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str, AfterValidator(_zone)]
Seconds = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteSection(_Section):
    """Which site this is; ``timezone``: IANA name, for KPI days."""

    id: Name
    timezone: Zone


class ScannerSection(_Section):
    """One scanner: its profile, the folder it writes to (read-only to us), what passes through it.

    ``priority``: higher is served first. ``pitch_mm``: millimetres a pixel (x, y), or ``from-container`` to fit the container box;
    without it the side-car's own value counts.
    """

    id: Name
    profile: str
    watch: Path
    timezone: Zone
    subject: SubjectKind
    priority: int = 0
    pitch_mm: tuple[Seconds, Seconds] | Literal["from-container"] | None = None


class DeviceSection(_Section):
    """Where models run. ``tile_threads`` 0 = as many as cores granted to this process."""

    policy: DevicePolicy = DevicePolicy.PREFER_GPU
    tile_threads: Annotated[int, Field(ge=0, le=256)] = 0


class WireSection(_Section):
    """The site's sockets. ``bind``: address without port; ``key``: our secret key file.

    ``insecure_loopback_only`` switches encryption off and is refused on any other address than loopback.
    """

    bind: str = "127.0.0.1"
    live_port: Annotated[int, Field(ge=0, le=65535)] = 5570
    sync_port: Annotated[int, Field(ge=0, le=65535)] = 5571
    key: Path | None = None
    insecure_loopback_only: bool = False

    @model_validator(mode="after")
    def _secured(self) -> "WireSection":
        if self.insecure_loopback_only and self.bind not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("insecure_loopback_only works on a loopback address only")
        if not self.insecure_loopback_only and self.key is None:
            raise ValueError("key is missing: make one with `edge-agent keys new`")
        return self


class ConsumerSection(_Section):
    """A console or collector that may connect: its public key (Z85, 40 characters), its role, and until when."""

    name: Name
    key: Annotated[str, Field(pattern=r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}$")]
    role: Literal["console", "collector"]
    durable: bool = False
    not_after: datetime | None = None

    @model_validator(mode="after")
    def _collectors_only(self) -> "ConsumerSection":
        if self.durable and self.role != "collector":
            raise ValueError("only a collector can be durable")
        if self.not_after is not None and self.not_after.tzinfo is None:
            raise ValueError("not_after needs a time zone, for example 2027-01-01T00:00:00Z")
        return self


def _verify_key(text: str) -> str:
    try:
        VerifyKey.parse(text)
    except ConfigInvalid as problem:
        raise ValueError(problem.detail) from problem
    return text


class BundlesSection(_Section):
    """Model bundles: where they come from and whose signatures count.

    ``dir``: what runs when nothing was ever activated, absent = the bundles that came with this version. ``trusted``: public signing
    keys, ``ed25519:...``, besides the project's own release key, which ``trust_release_key`` = false leaves out.
    """

    dir: Path | None = None
    trusted: tuple[Annotated[str, AfterValidator(_verify_key)], ...] = ()
    trust_release_key: bool = True


class DeclarationsSection(_Section):
    """Declared goods from the customs system: a CSV ``file``, or a folder ``dir`` of JSON files; read again when they change."""

    file: Path | None = None
    dir: Path | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "DeclarationsSection":
        if (self.file is None) == (self.dir is None):
            raise ValueError("give either file or dir")
        return self


class PackageSection(_Section):
    """How pixels are packed in ``*.scan.zip``: ``zstd`` fast, ``deflate`` for every TIFF viewer, ``jxl`` smallest. All without loss.

    ``originals``: whether the scanner's own pixel files lie in the package too. ``hash-only`` = those without which a plane could not
    be made again, of the others the digest; ``keep`` = all.
    """

    codec: PackageCodec = "zstd"
    originals: Literal["hash-only", "keep"] = "hash-only"


class ResultsSection(_Section):
    """Assessments written back for the vendor's viewer or the risk system, one file a scan, revision and format."""

    dir: Path
    formats: Annotated[tuple[Literal["json", "xml", "tdr"], ...], Field(min_length=1)] = ("json",)

    @model_validator(mode="after")
    def _formats_can_be_written(self) -> "ResultsSection":
        if "tdr" in self.formats and dicos.unavailable():
            raise ValueError(dicos.unavailable())
        return self


class AgentSections(_Section):
    """The whole file.

    ``max_scans_in_flight`` bounds memory; ``grace_s``: how long a stop waits for scans in hand; ``reconcile_s``: seconds between
    sweeps of the folders when no event comes; ``keep_packages``: whether every scan is kept as a package after its assessment.
    """

    state_dir: Path
    policy: Path
    bundles: BundlesSection = BundlesSection()
    profiles: Path
    site: SiteSection
    scanner: Annotated[tuple[ScannerSection, ...], Field(min_length=1)]
    device: DeviceSection = DeviceSection()
    wire: WireSection
    consumer: tuple[ConsumerSection, ...] = ()
    declarations: DeclarationsSection | None = None
    results: ResultsSection | None = None
    package: PackageSection = PackageSection()
    max_scans_in_flight: Annotated[int, Field(ge=1, le=16)] = 2
    decode_children: Annotated[int, Field(ge=1, le=8)] = 2
    grace_s: Seconds = 20.0
    reconcile_s: Seconds = 30.0
    revision_window_days: Seconds = 7.0
    keep_packages: bool = True
    allow_research_models: bool = False

    @model_validator(mode="after")
    def _distinct(self) -> "AgentSections":
        for what, values in (("scanner ids", [s.id for s in self.scanner]), ("consumer names", [c.name for c in self.consumer])):
            if len(set(values)) != len(values):
                raise ValueError(f"{what} must differ")
        return self

    @model_validator(mode="after")
    def _results_apart(self) -> "AgentSections":
        """Refuse results in a folder that is watched, where they would be taken for scans, or among our own files."""
        if self.results is not None:
            folder = self.results.dir.resolve()
            for other in (*(scanner.watch for scanner in self.scanner), self.state_dir):
                if folder.is_relative_to(other.resolve()):
                    raise ValueError(f"results.dir must not lie in {other}")
        return self


@dataclass(frozen=True, slots=True)
class Scanner:
    """A configured scanner with its profile read."""

    section: ScannerSection
    profile: Profile


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything read from disk before the daemon starts. ``digest``: SHA-256 of the bytes of ``agent.toml``.

    ``admission``: what a bundle must pass to run here; ``store``: which bundles are in force.
    """

    path: Path
    sections: AgentSections
    digest: str
    policy: Policy
    scanners: tuple[Scanner, ...]
    admission: Admission
    store: BundleStore

    def expired_consumers(self, now: datetime) -> list[str]:
        """Give the names whose ``not_after`` has passed."""
        return [c.name for c in self.sections.consumer if c.not_after is not None and c.not_after.astimezone(UTC) <= now]


def load_config(path: Path) -> AgentConfig:
    """Read ``agent.toml``, the policy and the profiles it names.

    Raises:
        ConfigUnreadable, ConfigInvalid, PolicyInvalid: naming file and key. SigningKeyUnusable: the release key is not installed.
    """
    raw = read_file(path)
    sections = _parse(path, raw)
    policy = parse_policy(read_file(sections.policy))
    scanners = tuple(Scanner(section, _profile(sections, section)) for section in sections.scanner)
    store = BundleStore(sections.state_dir / "bundles", sections.bundles.dir or installed_bundles())
    return AgentConfig(path, sections, hashlib.sha256(raw).hexdigest(), policy, scanners, _admission(sections), store)


def _admission(sections: AgentSections) -> Admission:
    keys = [VerifyKey.parse(text) for text in sections.bundles.trusted]
    if sections.bundles.trust_release_key:
        keys.append(release_key())
    return Admission(Trust.of(keys), sections.allow_research_models)


def _profile(sections: AgentSections, section: ScannerSection) -> Profile:
    """Read a scanner's profile; where its times carry no zone, the one configured for this very scanner counts."""
    return replace(load_profile(sections.profiles / f"{section.profile}.toml"), clock=section.timezone)


def read_file(path: Path) -> bytes:
    """Read a small file.

    Raises:
        ConfigUnreadable: naming the file.
    """
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem


def _parse(path: Path, raw: bytes) -> AgentSections:
    try:
        content = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigUnreadable(f"{path}: not TOML: {problem}") from problem
    try:
        return AgentSections.model_validate(_absolute(content, path.resolve().parent))
    except ValidationError as problem:
        lines = [f"{path}: {'.'.join(str(part) for part in error['loc']) or 'file'}: {error['msg']}" for error in problem.errors()]
        raise ConfigInvalid("\n".join(lines)) from problem


_PATHS: Sequence[tuple[str, ...]] = (
    ("state_dir",),
    ("policy",),
    ("bundles", "dir"),
    ("profiles",),
    ("wire", "key"),
    ("declarations", "file"),
    ("declarations", "dir"),
    ("results", "dir"),
)


def _absolute(content: dict[str, Any], base: Path) -> dict[str, Any]:
    """Give the content with every path made absolute, relative to the file's own folder."""
    content = {"policy": "policy.toml", "profiles": "scanners", **content}
    for keys in _PATHS:
        table = content
        for key in keys[:-1]:
            table = table[key] if isinstance(table.get(key), dict) else {}
        if isinstance(table.get(keys[-1]), str):
            table[keys[-1]] = base / table[keys[-1]]
    for scanner in content.get("scanner", []) if isinstance(content.get("scanner"), list) else []:
        if isinstance(scanner, dict) and isinstance(scanner.get("watch"), str):
            scanner["watch"] = base / scanner["watch"]
    return content
