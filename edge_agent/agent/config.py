"""``agent.toml`` as frozen values: strict, every problem named at once, read in one place.

Paths may be written relative to the configuration file; they are absolute from here on.
"""

import hashlib
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.agent.disclosure import PrivacySection
from edge_agent.agent.keeping import RetentionSection, SpaceSection
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
from edge_agent.transport.endpoints import split
from edge_agent.transport.keys import AllowList, Consumer, Role, is_key
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

    ``priority``: higher is served first. ``deadline_s``: how long a scan may be worked on, absent = ``scan_deadline_s``.
    ``pitch_mm``: millimetres a pixel (x, y), or ``from-container`` to fit the container box; without it the side-car's own value counts.
    ``watch_by``: ``auto`` polls folders on file systems that other machines may write to.
    """

    id: Name
    profile: str
    watch: Path
    timezone: Zone
    subject: SubjectKind
    priority: int = 0
    watch_by: Literal["auto", "events", "polling"] = "auto"
    deadline_s: Seconds | None = None
    pitch_mm: tuple[Seconds, Seconds] | Literal["from-container"] | None = None


class DeviceSection(_Section):
    """Where models run. ``tile_threads`` 0 = as many as cores granted to this process.

    ``self_test_every_s``: seconds between two runs of the golden cases while the daemon works.
    """

    policy: DevicePolicy = DevicePolicy.PREFER_GPU
    tile_threads: Annotated[int, Field(ge=0, le=256)] = 0
    self_test_every_s: Seconds = 3600.0


def _endpoint(text: str) -> str:
    try:
        _, port = split(text)
    except ConfigInvalid as problem:
        raise ValueError("must look like tcp://HOST:PORT") from problem
    if port in ("*", "0"):
        raise ValueError("needs the port at which headquarters listens")
    return text


class OutboundSection(_Section):
    """Headquarters that cannot reach this site: the site connects to it. ``endpoint``: where; ``consumer``: who answers there.

    ``consumer`` names the ``[[consumer]]`` table of headquarters: its key is the one that must be proved there, its role says what is
    answered.
    """

    endpoint: Annotated[str, AfterValidator(_endpoint)]
    consumer: Name


class WireSection(_Section):
    """The site's sockets. ``bind``: address without port; ``key``: our secret key file; ``next_key``: the one that will follow it.

    ``insecure_loopback_only`` switches encryption off and is refused on any other address than loopback.
    """

    bind: str = "127.0.0.1"
    live_port: Annotated[int, Field(ge=0, le=65535)] = 5570
    sync_port: Annotated[int, Field(ge=0, le=65535)] = 5571
    blob_port: Annotated[int, Field(ge=0, le=65535)] = 5572
    key: Path | None = None
    next_key: Path | None = None
    insecure_loopback_only: bool = False
    outbound: OutboundSection | None = None

    @model_validator(mode="after")
    def _secured(self) -> "WireSection":
        if self.outbound is not None and self.insecure_loopback_only:
            raise ValueError("outbound needs a key: insecure_loopback_only does not go with it")
        if self.insecure_loopback_only and self.bind not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("insecure_loopback_only works on a loopback address only")
        if not self.insecure_loopback_only and self.key is None:
            raise ValueError("key is missing: make one with `edge-agent keys new`")
        return self


def _curve_key(text: str) -> str:
    if not is_key(text):
        raise ValueError("not a public CURVE key: 40 characters of Z85 are expected")
    return text


class ConsumerSection(_Section):
    """Who may connect: its public key (Z85, 40 characters), its role, and until when.

    ``supervisors``: it may say of its officer that he or she logged in as a supervisor. ``controls``: a console may send results of
    examinations.
    """

    name: Name
    key: Annotated[str, AfterValidator(_curve_key)]
    role: Role
    durable: bool = False
    not_after: datetime | None = None
    supervisors: bool = False
    controls: bool = False

    @model_validator(mode="after")
    def _collectors_only(self) -> "ConsumerSection":
        if self.durable and self.role is not Role.COLLECTOR:
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


class SelectionsSection(_Section):
    """Consignments selected for scanning: a CSV ``file``, or a folder ``dir`` of CSV files; read again when they change.

    ``due_after_h``: when a selection without a due time is due, counted from its moment. ``gap_after_h``: how long a number of the
    scanner's own numbering that was passed over is awaited before it counts as a gap.
    """

    file: Path | None = None
    dir: Path | None = None
    due_after_h: Annotated[float, Field(gt=0, le=8760)] = 24.0
    gap_after_h: Annotated[float, Field(gt=0, le=8760)] = 1.0

    @model_validator(mode="after")
    def _not_both(self) -> "SelectionsSection":
        if self.file is not None and self.dir is not None:
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


class JournalSection(_Section):
    """The site's signature under its journal. ``key``: secret signing key (``edge-agent journal new-key``); absent = unsigned."""

    key: Path | None = None


class AgentSections(_Section):
    """The whole file.

    ``max_scans_in_flight`` and ``max_memory_mb`` bound memory (absent = half of what the process is granted); ``grace_s``: how long a stop
    waits for scans in hand; ``scan_deadline_s``: how long a scan may be worked on; ``stuck_after_s``: when a piece of work is taken for
    hung; ``reconcile_s``: seconds between sweeps of the folders when no event comes; ``keep_packages``: whether every scan is kept as a
    package after its assessment.
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
    privacy: PrivacySection = PrivacySection()
    declarations: DeclarationsSection | None = None
    selections: SelectionsSection = SelectionsSection()
    results: ResultsSection | None = None
    journal: JournalSection = JournalSection()
    package: PackageSection = PackageSection()
    retention: RetentionSection = RetentionSection()
    space: SpaceSection = SpaceSection()
    max_scans_in_flight: Annotated[int, Field(ge=1, le=16)] = 2
    max_memory_mb: Annotated[int, Field(ge=64)] | None = None
    decode_children: Annotated[int, Field(ge=1, le=8)] = 2
    grace_s: Seconds = 20.0
    stuck_after_s: Seconds = 180.0
    scan_deadline_s: Seconds = 120.0
    reconcile_s: Seconds = 30.0
    revision_window_days: Seconds = 7.0
    keep_packages: bool = True
    allow_research_models: bool = False

    @model_validator(mode="after")
    def _slow_is_not_hung(self) -> "AgentSections":
        """Refuse a deadline after which a scan that is merely slow would be taken for a hung lane, and the process be ended for it."""
        longest = max(self.scan_deadline_s, *(scanner.deadline_s or 0.0 for scanner in self.scanner))
        if longest >= self.stuck_after_s:
            raise ValueError("stuck_after_s must be longer than every scan's deadline")
        return self

    @model_validator(mode="after")
    def _distinct(self) -> "AgentSections":
        names, keys = [c.name for c in self.consumer], [c.key for c in self.consumer]
        for what, values in (("scanner ids", [s.id for s in self.scanner]), ("consumer names", names), ("consumer keys", keys)):
            if len(set(values)) != len(values):
                raise ValueError(f"{what} must differ")
        return self

    @model_validator(mode="after")
    def _kept_for_revisions(self) -> "AgentSections":
        """Refuse to let a scan go while new pixels under its name would still be a revision of it."""
        if self.retention.least_days < self.revision_window_days:
            raise ValueError("retention.least_days must not be below revision_window_days")
        return self

    def allow_list(self) -> AllowList:
        """Give who may connect."""
        return AllowList(Consumer(c.name, c.key, c.role, c.durable, c.not_after, c.supervisors, c.controls) for c in self.consumer)

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
    """A configured scanner with its profile read. ``deadline_s``: how long the daemon may work on one of its scans."""

    section: ScannerSection
    profile: Profile
    deadline_s: float = math.inf


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

    def on(self, device: DevicePolicy) -> "AgentConfig":
        """Give the same configuration under another policy for the device, for a start without a device that failed too often."""
        section = self.sections.device.model_copy(update={"policy": device})
        return replace(self, sections=self.sections.model_copy(update={"device": section}))

    def expired_consumers(self, now: datetime) -> list[str]:
        """Give the names whose ``not_after`` has passed."""
        return [consumer.name for consumer in self.sections.allow_list().consumers if consumer.has_expired(now)]


@dataclass(frozen=True, slots=True)
class WrittenConfig:
    """``agent.toml`` alone, as it is written now. ``digest``: SHA-256 of its bytes."""

    sections: AgentSections
    digest: str


def parse_config(path: Path, raw: bytes) -> WrittenConfig:
    """Read the bytes of ``agent.toml``; ``path``: where they lie, or will.

    Raises:
        ConfigUnreadable, ConfigInvalid: naming file and key.
    """
    return WrittenConfig(_parse(path, raw), hashlib.sha256(raw).hexdigest())


def load_config(path: Path) -> AgentConfig:
    """Read ``agent.toml``, the policy and the profiles it names.

    Raises:
        ConfigUnreadable, ConfigInvalid, PolicyInvalid: naming file and key. SigningKeyUnusable: the release key is not installed.
    """
    written = parse_config(path, read_file(path))
    sections = written.sections
    policy = parse_policy(read_file(sections.policy))
    scanners = tuple(
        Scanner(section, _profile(sections, section), section.deadline_s or sections.scan_deadline_s) for section in sections.scanner
    )
    store = BundleStore(sections.state_dir / "bundles", sections.bundles.dir or installed_bundles())
    return AgentConfig(path, sections, written.digest, policy, scanners, _admission(sections), store)


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
    ("wire", "next_key"),
    ("declarations", "file"),
    ("declarations", "dir"),
    ("selections", "file"),
    ("selections", "dir"),
    ("results", "dir"),
    ("journal", "key"),
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
