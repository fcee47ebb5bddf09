"""``scan.json`` of a package: the scan without its pixels, as published. Identifiers are tokens; file names are roles.

Every field says its meaning, its unit and its privacy class; :mod:`edge_agent.formats.package_schema` publishes them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.fields import FieldInfo

from edge_agent.domain.attachment import AttachmentKind
from edge_agent.domain.capture import CaptureKind, Selection, SubjectKind
from edge_agent.domain.declaration import LinkBasis
from edge_agent.domain.numbering import NumberCheck
from edge_agent.domain.scan import Energy, Quantity
from edge_agent.domain.third_party import ThirdPartyConclusion


class Privacy(StrEnum):
    """What a field may say about a person."""

    NONE = "none"
    """Nothing."""
    LINKABLE = "linkable"
    """Tells, to somebody who holds other records, which passage this was: times, places, digests of the originals."""
    PSEUDONYM = "pseudonym"
    """A token for an identifier; only the site's erasable identity table knows the value."""
    FREE_TEXT = "free-text"
    """Typed by a person, so a name may stand in it."""


def _about(meaning: str, unit: str = "", privacy: Privacy = Privacy.NONE) -> FieldInfo:
    """Give the annotation of a field. ``unit``: empty for what has none (names, codes, counts without a unit)."""
    extra: dict[str, JsonValue] = {"unit": unit or "none", "privacy": privacy.value}
    field: FieldInfo = Field(description=meaning, json_schema_extra=extra)
    return field


_SHA256 = r"^[0-9a-f]{64}$"
_ENTRY = r"^(images|source)/[a-z0-9_-]+\.(tif|png|jpg)$"
_SOURCE = r"^source/[a-z0-9_-]+\.[a-z]+$"
_ATTACHED = r"^attachments/[a-z0-9_-]+\.[a-z]+$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FormatPart(_Part):
    """Name and version of this document."""

    name: Annotated[Literal["nii-scan"], _about("name of the format")] = "nii-scan"
    version: Annotated[Literal[1], _about("major version; readers refuse another one")] = 1


class SystemPart(_Part):
    """Which scanner made the scan."""

    scanner_id: Annotated[str, _about("the site's name of the scanner", privacy=Privacy.LINKABLE)]
    profile: Annotated[str, _about("profile by which its files were read")]


class ScanPart(_Part):
    """Identity of the scan."""

    id: Annotated[str, _about("UUID of the scan, the same in every revision and export", privacy=Privacy.LINKABLE)]
    revision: Annotated[int, Field(ge=1), _about("counts new pixels under the same name, from 1")]
    status: Annotated[Literal["complete", "partial"], _about("whether every member had come by its deadline")]
    partial: Annotated[tuple[str, ...], _about("roles of the members that had not come")]


class CapturePart(_Part):
    """When, why and as what the scan was taken."""

    taken_at: Annotated[datetime, _about("moment of the scan", "UTC, ISO 8601", Privacy.LINKABLE)]
    as_written: Annotated[str, _about("the source's own text of that moment", privacy=Privacy.LINKABLE)]
    tz_assumed: Annotated[bool, _about("the source gave no zone: it was taken from the configuration")]
    kind: Annotated[CaptureKind, _about("what the scan is for; tip, synthetic and staged are never real traffic")]
    selection: Annotated[Selection, _about("why this subject was scanned; rates are unbiased over random and scan-all only")]
    beam: Annotated[str, _about("the vendor's words for the beam energy, empty when not given")]
    system: Annotated[str, _about("the vendor's words for its scanner, empty when not given", privacy=Privacy.LINKABLE)] = ""


class ReadingPart(_Part):
    """How well a number was read."""

    token: Annotated[str, _about("token of the number", privacy=Privacy.PSEUDONYM)]
    check: Annotated[NumberCheck, _about("what its check digit says")]
    confidence: Annotated[float | None, _about("the reader's own confidence", "share of 1")] = None


class SubjectPart(_Part):
    """What was scanned."""

    kind: Annotated[SubjectKind, _about("what passed through the scanner")]
    equipment: Annotated[tuple[str, ...], _about("tokens of containers, plates and parcels", privacy=Privacy.PSEUDONYM)]
    readings: Annotated[tuple[ReadingPart, ...], _about("how well their numbers were read")] = ()
    related: Annotated[tuple[str, ...], _about("tokens of what only travels with it: traders, officers", privacy=Privacy.PSEUDONYM)] = ()


class GoodsPart(_Part):
    """One declared line of goods."""

    hs: Annotated[str, _about("heading of the Harmonized System, 4 digits or more; 0000 = declared empty")]
    description: Annotated[str, _about("the trader's own words, verbatim", privacy=Privacy.FREE_TEXT)] = ""
    gross_kg: Annotated[float | None, _about("declared mass with packing", "kg")] = None
    packages: Annotated[int | None, _about("declared number of packages", "packages")] = None
    net_kg: Annotated[float | None, _about("declared mass without packing", "kg")] = None
    volume_m3: Annotated[float | None, _about("declared volume", "m3")] = None


class DeclarationPart(_Part):
    """The declared goods."""

    goods: Annotated[tuple[GoodsPart, ...], _about("declared lines")]
    source: Annotated[str, _about("where they were read: the side-car, or the customs system's declarations")]
    id: Annotated[str | None, _about("token of the declaration's number", privacy=Privacy.PSEUDONYM)]
    link_score: Annotated[float, _about("how surely it belongs to this scan", "share of 1")] = 1.0
    link_basis: Annotated[LinkBasis, _about("by what it was found to belong to this scan")] = LinkBasis.TOGETHER


class RiskFlagPart(_Part):
    """A remark of the risk system."""

    code: Annotated[str, _about("the risk system's own word", privacy=Privacy.FREE_TEXT)]
    source: Annotated[str, _about("which system said so", privacy=Privacy.LINKABLE)] = ""
    set_at: Annotated[datetime | None, _about("when it was set", "UTC, ISO 8601", Privacy.LINKABLE)] = None


class ConsignmentPart(_Part):
    """What was handed over besides goods and pixels: for display and audit, no model is given any of it."""

    origin: Annotated[str, _about("where the goods come from, as written", privacy=Privacy.LINKABLE)] = ""
    destination: Annotated[str, _about("where they go, as written", privacy=Privacy.LINKABLE)] = ""
    vessel: Annotated[str, _about("ship or vehicle, as written", privacy=Privacy.LINKABLE)] = ""
    voyage: Annotated[str, _about("number of the voyage", privacy=Privacy.LINKABLE)] = ""
    risk_flags: Annotated[tuple[RiskFlagPart, ...], _about("remarks of the risk system")] = ()
    gross_kg: Annotated[float | None, _about("declared mass of the whole consignment with packing", "kg")] = None
    volume_m3: Annotated[float | None, _about("declared volume of the whole consignment", "m3")] = None


class ThirdPartyFindingPart(_Part):
    """One thing that the vendor's own algorithm points at."""

    label: Annotated[str, _about("their word")]
    score: Annotated[float | None, _about("as they scale it")] = None
    box: Annotated[tuple[float, float, float, float] | None, _about("x0, y0, x1, y1 in the canonical frame, half-open", "px")] = None
    view: Annotated[str | None, _about("view that the box is in")] = None


class ThirdPartyPart(_Part):
    """What somebody else's algorithm said; theirs, and no assessment of ours."""

    source: Annotated[str, _about("by which way it came")]
    algorithm: Annotated[str, _about("their name for the algorithm")]
    version: Annotated[str, _about("its version")]
    conclusion: Annotated[ThirdPartyConclusion, _about("their conclusion in the machine's words")]
    findings: Annotated[tuple[ThirdPartyFindingPart, ...], _about("what they point at")] = ()
    at: Annotated[datetime | None, _about("when they concluded", "UTC, ISO 8601", Privacy.LINKABLE)] = None


class OrientationPart(_Part):
    """How the scanner's frame was turned into the canonical one: transpose first, then the flips."""

    transposed: Annotated[bool, _about("rows became columns")] = False
    flipped_x: Annotated[bool, _about("the order of the columns was reversed")] = False
    flipped_y: Annotated[bool, _about("the order of the rows was reversed")] = False


class OperationPart(_Part):
    """One step from the decoded file to the plane; the same steps on the original give the plane bit for bit."""

    name: Annotated[str, _about("which step")]
    params: Annotated[
        dict[str, bool | int | float | str | tuple[int, ...]], _about("what the step was done with, in pixels and grey levels")
    ]


class ImagePart(_Part):
    """One plane."""

    quantity: Annotated[Quantity, _about("what it measures; transmission: 0 = opaque, 65535 = air")]
    energy: Annotated[Energy, _about("beam energy it was measured with")]
    entry: Annotated[str, Field(pattern=_ENTRY), _about("entry that holds its pixels")]
    rows: Annotated[int, Field(gt=0), _about("height", "px")]
    cols: Annotated[int, Field(gt=0), _about("width", "px")]
    channels: Annotated[Literal[1, 3], _about("1 = grey, 3 = RGB")]
    bits: Annotated[Literal[8, 16], _about("depth of a channel", "bit")]
    lossy: Annotated[bool, _about("the entry is the scanner's own JPEG, in the scanner's frame")]
    source: Annotated[str | None, _about("role of the accepted file that it was decoded from; null = not known")] = None
    source_plane: Annotated[int, Field(ge=0), _about("which of the planes in that file, from 0")] = 0
    levels: Annotated[int, Field(ge=0, le=24), _about("coarser copies in the entry, each half as wide and high as the one before")] = 0
    operations: Annotated[tuple[OperationPart, ...], _about("what was done to the pixels decoded from the source, in this order")] = ()
    pixel_sha256: Annotated[str, Field(pattern=_SHA256), _about("SHA-256 over the canonical pixels, row by row, little-endian")]


class ViewPart(_Part):
    """One geometry of the scan; all its planes have the same size."""

    name: Annotated[str, _about("name of the view")]
    pitch_mm: Annotated[tuple[float, float] | None, _about("size of a pixel (x, y) in the plane of the cargo; null = unknown", "mm/px")]
    pitch_assumed: Annotated[bool, _about("the pitch was fitted to the container, not measured")]
    load: Annotated[tuple[float, float, float, float] | None, _about("x0, y0, x1, y1 of the container; null = anywhere", "px")] = None
    native: Annotated[OrientationPart, _about("how the scanner's frame was turned into the canonical one")]
    images: Annotated[tuple[ImagePart, ...], _about("planes")]


class AttachmentPart(_Part):
    """One file that came with the scan and is no plane. One that may show people or numbers is kept at the site, not in the package."""

    kind: Annotated[AttachmentKind, _about("what it shows or holds")]
    role: Annotated[str, _about("the profile's word for it")]
    sha256: Annotated[str, Field(pattern=_SHA256), _about("SHA-256 of the file", privacy=Privacy.LINKABLE)]
    size: Annotated[int, Field(ge=0), _about("size of the file", "byte")]
    media_type: Annotated[str, _about("what its first bytes say it is")]
    entry: Annotated[str | None, Field(pattern=_ATTACHED), _about("entry that holds it verbatim; null = it is kept at the site")] = None


class SourcePart(_Part):
    """One accepted file by its digest. Its own name is left out: scanners write container numbers into names."""

    role: Annotated[str, _about("the profile's word for the file")]
    size: Annotated[int, Field(ge=0), _about("size of the file", "byte")]
    sha256: Annotated[str, Field(pattern=_SHA256), _about("SHA-256 of the file as the scanner wrote it", privacy=Privacy.LINKABLE)]
    is_pixels: Annotated[bool, _about("whether the file carries pixels")]
    entry: Annotated[str | None, Field(pattern=_SOURCE), _about("entry that holds it verbatim; null = only its digest is kept")] = None
    layout: Annotated[
        dict[str, JsonValue] | None, _about("how a file without a format of its own was read, as in a scanner profile; null = it has one")
    ] = None


class EntryPart(_Part):
    """Digest of one entry of the package."""

    size: Annotated[int, Field(ge=0), _about("size of the entry", "byte")]
    sha256: Annotated[str, Field(pattern=_SHA256), _about("SHA-256 of the entry")]


class ScanJson(_Part):
    """The whole document."""

    format: Annotated[FormatPart, _about("which format this is")]
    system: Annotated[SystemPart, _about("which scanner made the scan")]
    scan: Annotated[ScanPart, _about("identity of the scan")]
    capture: Annotated[CapturePart, _about("when, why and as what it was taken")]
    subject: Annotated[SubjectPart, _about("what was scanned")]
    declaration: Annotated[DeclarationPart | None, _about("declared goods; null = none were known")]
    consignment: Annotated[ConsignmentPart, _about("route, risk flags and whole-consignment figures")] = ConsignmentPart()
    third_party: Annotated[tuple[ThirdPartyPart, ...], _about("what the vendor's own algorithms said")] = ()
    views: Annotated[tuple[ViewPart, ...], _about("geometries")]
    attachments: Annotated[tuple[AttachmentPart, ...], _about("files that came with it and are no planes")] = ()
    sources: Annotated[tuple[SourcePart, ...], _about("accepted files by their digests")]
    entries: Annotated[dict[str, EntryPart], _about("digest of every other entry of the package, by name")]

    @property
    def verbatim(self) -> frozenset[str]:
        """Give the names of the entries that are accepted files, as they came."""
        of_sources, of_attachments = (source.entry for source in self.sources), (one.entry for one in self.attachments)
        return frozenset(name for name in (*of_sources, *of_attachments) if name is not None)
