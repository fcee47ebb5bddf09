"""``agent.toml`` as one frozen value: every section, and the rules that hold between sections."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge_agent.agent.disclosure import PrivacySection
from edge_agent.agent.keeping import RetentionSection, SpaceSection
from edge_agent.agent.scanner import ScannerSection
from edge_agent.agent.section import Seconds, Section
from edge_agent.agent.wire_section import ConsumerSection, WireSection
from edge_agent.formats import dicos
from edge_agent.formats.package import PackageCodec
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.keys import PublicKeyText
from edge_agent.telemetry.zone import Zone
from edge_agent.transport.keys import AllowList, Consumer
from edge_agent.wire.frames import Name


class SiteSection(Section):
    """Which site this is; ``timezone``: IANA name, for KPI days."""

    id: Name
    timezone: Zone


class DeviceSection(Section):
    """Where models run. ``tile_threads`` 0 = as many as cores granted to this process.

    ``self_test_every_s``: seconds between two runs of the golden cases while the daemon works.
    """

    policy: DevicePolicy = DevicePolicy.PREFER_GPU
    tile_threads: Annotated[int, Field(ge=0, le=256)] = 0
    self_test_every_s: Seconds = 3600.0


class BundlesSection(Section):
    """Model bundles: where they come from and whose signatures count.

    ``dir``: what runs when nothing was ever activated, absent = the bundles that came with this version. ``trusted``: public signing
    keys, ``ed25519:...``, besides the project's own release key, which ``trust_release_key`` = false leaves out.
    ``require_signed_certificates``: whether commissioning and weighing certificates without a signature are refused.
    """

    dir: Path | None = None
    trusted: tuple[PublicKeyText, ...] = ()
    trust_release_key: bool = True
    require_signed_certificates: bool = False


class DeclarationsSection(Section):
    """Declared goods from the customs system: a CSV ``file``, or a folder ``dir`` of JSON files; read again when they change."""

    file: Path | None = None
    dir: Path | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "DeclarationsSection":
        if (self.file is None) == (self.dir is None):
            raise ValueError("give either file or dir")
        return self


class SelectionsSection(Section):
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


class PackageSection(Section):
    """How pixels are packed in ``*.scan.zip``: ``zstd`` fast, ``deflate`` for every TIFF viewer, ``jxl`` smallest. All without loss.

    ``originals``: whether the scanner's own pixel files lie in the package too. ``hash-only`` = those without which a plane could not
    be made again, of the others the digest; ``keep`` = all.
    """

    codec: PackageCodec = "zstd"
    originals: Literal["hash-only", "keep"] = "hash-only"


class ResultsSection(Section):
    """Assessments written back for the vendor's viewer or the risk system, one file a scan, revision and format."""

    dir: Path
    formats: Annotated[tuple[Literal["json", "xml", "tdr"], ...], Field(min_length=1)] = ("json",)

    @model_validator(mode="after")
    def _formats_can_be_written(self) -> "ResultsSection":
        if "tdr" in self.formats and dicos.unavailable():
            raise ValueError(dicos.unavailable())
        return self


class JournalSection(Section):
    """The site's signature under its journal. ``key``: secret signing key (``edge-agent journal new-key``); absent = unsigned."""

    key: Path | None = None


class AgentSections(Section):
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
