"""What the browser console's API gives, as models: the contract with the pages. See ``docs/reference/console-api.md``.

Codes and parameters, never sentences: the pages render them from the catalogue of texts. Boxes are [x0, y0, x1, y1], half-open, in the
canonical pixels of their view. Times are UTC; those of a site are by the site's clock. Identifiers are tokens: their values come only
from ``POST .../identities``, which the site journals.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from edge_agent.wire.handed_over import ConsignmentPart, DeclaredPart, ReadingPart, ThirdPartyPart
from edge_agent.wire.heartbeat import CertificatePart
from edge_agent.wire.messages import BlobPart, CapturePart, CodeParams, FoundPart, FramePart, ObstaclePart, ProvenancePart
from edge_agent.wire.pictures import StoredPlane
from edge_agent.wire.verbs import FindingWord, MissedItem

BoxPx = tuple[float, float, float, float]
OfficerWord = Literal["suspicious", "not-suspicious", "rescan", "refer"]
Order = Literal["assisted", "blind-first", "after-reveal"]
RowState = Literal["open", "clear", "referred", "decided", "examined", "set-aside"]


class View(BaseModel):
    """Base of what the API gives."""

    model_config = ConfigDict(frozen=True)


# ---- who and where


class MeView(View):
    """The officer and what this console offers. ``supervises``: names of sites that take this officer's word as a supervisor's.

    ``enters_controls``: names of sites where this workstation may enter control results.
    ``verdict_reasons``: codes in the order of the keys 1 to 9; ``reasons_for``: those of them that fit a word, by the word.
    ``missed_labels``: what can be marked as missed, beside the ``labels`` of the site's own detectors.
    """

    name: str
    roles: list[str]
    supervises: list[str]
    enters_controls: list[str]
    languages: list[str]
    verdict_reasons: list[str]
    reasons_for: dict[str, list[str]]
    missed_labels: list[str]
    blind_share: float
    has_headquarters: bool


class LanguagesView(View):
    """Languages in which there is a catalogue of texts, as BCP 47 tags."""

    languages: list[str]


class BundleView(View):
    """A bundle in force at a site and its state there."""

    name: str
    version: str
    state: str


class SitesView(View):
    """The sites of the configuration, in its order."""

    sites: list["SiteView"]


class SiteView(View):
    """One site now. ``name``: what the configuration calls it, the ``site`` of every address; ``site_id``: what it calls itself.

    ``is_current``: what is shown is what the site knows. ``health``: healthy, degraded, failing, empty while unknown. ``lag``: rows the
    site has and the console has not. ``missed``: rows that the site had deleted before the console read them. ``now``: the site's clock.
    ``is_commissioned``: None while unknown. ``open``: scans that wait for an officer. ``durable``: the site accepts scans.
    ``unshown``: scans that wait for somebody and have no row here, for want of room; null until the site was asked for them, and where it
    is too old to tell. ``broken``: facts that this console could not take, through a fault of its own. ``drift``: ``policy-drifted``,
    ``bundles-drifted``: another policy, or other models, in force than at most of this console's sites, said where three or more tell.
    ``certificates``: what commissioning found, with n and interval. ``labels``: what the detectors in force can find.
    """

    name: str
    site_id: str
    phase: Literal["connecting", "catching-up", "live", "stale", "refused", "diverged"]
    is_current: bool
    detail: str
    health: str
    reasons: list[CodeParams]
    durable: bool
    lag: int
    missed: int
    malformed: int
    now: datetime
    clock_offset_s: float
    is_commissioned: bool | None
    bundles: list[BundleView]
    drift: list[str]
    certificates: list[CertificatePart]
    labels: list[str]
    backlog_unacked: int | None
    oldest_unacked_s: float | None
    disk_free: float | None
    in_flight: int | None
    scans: int
    open: int
    unshown: int | None
    broken: int
    policies: list[str]
    workstation: str
    supervisors: bool
    controls: bool


# ---- queue


class StandingView(View):
    """What holds for a scan now: whose word (``voice``) and which. ``is_stale``: an officer decided it before the machine's last word."""

    conclusion: str
    voice: Literal["examination", "supervisor", "analyst", "machine"]
    is_stale: bool
    is_disputed: bool
    is_referred: bool


class QueueRow(View):
    """One scan in the queue. Sort by ``rank``, highest first, then ``at``, newest first, then ``scan_id``.

    ``rank``: 3 an alert, or a scan to be decided blind, waits for an officer; 2 another scan waits (unassessable, stale word) or was
    passed on; 1 nobody has to decide; 0 done. ``is_blind``: what the machine says is withheld until somebody decides or the
    time to decide is over; until then ``conclusion``, ``top`` and ``standing`` are null, ``state`` is open, and ``decide_by`` is the end of
    that time, for all covered scans alike, null while this console does not know it. ``top``: label
    and score of the strongest finding that alerts; on an alert without one its reason, without a score; else the strongest finding.
    ``goods``: the first declared line. ``number``: token of the container's or parcel's number. ``decide_by``: when the scan is referred.
    """

    site: str
    scan_id: str
    seq: int
    revision: int
    scanner: str
    subject: str
    kind: str
    selection: str
    at: datetime
    taken_at: datetime | None
    state: RowState
    rank: int
    is_blind: bool
    conclusion: str | None
    is_advisory: bool
    top: tuple[str, float | None] | None
    obstacles: int
    goods: str
    number: str | None
    decide_by: datetime | None
    standing: StandingView | None


class QueueView(View):
    """Rows ``offset`` and following of the ``total`` that the filters let pass. ``id``: give it to ``/api/stream`` as ``Last-Event-ID``."""

    id: str
    total: int
    offset: int
    rows: list[QueueRow]


# ---- one scan


class FindingView(View):
    """One thing found. ``alerts``: it put the scan on alert. Which fields are set depends on ``type``.

    detection: label, score, view, boxes (one). heterogeneity: score, view, boxes (regions), against (families), declared.
    product: view, ranked (family, share). weight: mass_kg with its 90 % interval.
    """

    id: int
    type: str
    bundle: str
    alerts: bool = False
    label: str | None = None
    score: float | None = None
    view: str | None = None
    boxes: list[BoxPx] = []
    against: list[str] = []
    declared: bool | None = None
    ranked: list[tuple[str, float]] = []
    mass_kg: float | None = None
    low_kg: float | None = None
    high_kg: float | None = None


class MachineView(View):
    """What the machine concluded, and from what."""

    fact_id: str
    produced_at: datetime
    conclusion: str
    is_advisory: bool
    reasons: list[CodeParams]
    reasons_left_out: int
    obstacles: list[ObstaclePart]
    findings: list[FindingView]
    findings_left_out: int
    timings_ms: dict[str, float]


class SaidView(View):
    """What a person said of the scan or did with it, from the journal. ``by``: the officer's token; ``is_mine``: it is the asker's.

    ``kind``: verdict, referral, control, fault (the AI is wrong in a systematic way), opened, viewed, audit. ``note``: token of the note.
    """

    seq: int
    fact_id: str
    kind: str
    at: datetime
    revision: int
    conclusion: str = ""
    by: str | None = None
    is_mine: bool = False
    workstation: str = ""
    is_supervisor: bool = False
    order: str = ""
    reasons: list[CodeParams] = []
    findings: list[FindingWord] = []
    missed: list[MissedItem] = []
    note: str | None = None
    found: list[FoundPart] = []
    office: str = ""


class IdentityTokenView(View):
    """An identifier that the site knows; its value is asked for. ``kind``: container, parcel, plate, seal, declaration, note, ..."""

    kind: str
    token: str


class ScanView(View):
    """Everything about one scan. ``machine`` is null while ``is_blind``, and for a scan that was set aside (``set_aside`` says why).

    While ``is_blind`` nothing else tells of the machine's word either: no ``provenance``, no third party, and of ``said`` only who looked.

    ``order``: how a verdict given now is recorded. ``wants_reason``: an officer decided blind against an alert, and a reason is due.
    ``declared``: verbatim; the families they were mapped to stand in the heterogeneity's ``against``. ``readings``: number checks.
    ``said``: in the journal's order; ``said_left_out``: older rows of people that this console no longer holds, looks before decisions.
    """

    row: QueueRow
    order: Order
    wants_reason: bool
    machine: MachineView | None
    set_aside: CodeParams | None
    capture: CapturePart | None
    frames: list[FramePart]
    blobs: list[BlobPart]
    identities: list[IdentityTokenView]
    readings: list[ReadingPart]
    declared: DeclaredPart | None
    consignment: ConsignmentPart | None
    third_party: list[ThirdPartyPart]
    provenance: ProvenancePart | None
    said: list[SaidView]
    said_left_out: int


class PlanesView(View):
    """The stored planes of the scan's revision; tiles are ``tile`` px wide and high, smaller at the right and lower border."""

    scan_id: str
    revision: int
    tile: int
    planes: list[StoredPlane]


class IdentityView(View):
    """The value behind a token. Personal data: show it, never store or log it."""

    kind: str
    token: str
    value: str


class IdentitiesView(View):
    """What this workstation may see of a scan's identifiers and notes."""

    values: list[IdentityView]


# ---- deciding


class SubmissionView(View):
    """What became of something sent. Only ``saved`` means that the site has committed it.

    ``waiting``: kept on this console's disk and sent again until the site answers; with the ``code`` ``answer-unreadable`` the site did
    answer, but not so that it can be read: whether it was committed is not known, and it is asked again under the same ``id``.
    ``refused``: the site will not take it, and ``code``, ``detail`` and ``hint`` say why.
    """

    id: str
    kind: Literal["verdict", "control", "fault"]
    site: str
    scan_id: str
    conclusion: str
    entered_at: datetime
    state: Literal["saved", "waiting", "refused"]
    seq: int | None = None
    fact_id: str | None = None
    code: str = ""
    detail: str = ""
    hint: str = ""


class FaultView(View):
    """A reported systematic fault, as the site's journal has it. ``by``: the officer's token; ``is_mine``: it is the asker's."""

    site: str
    scan_id: str
    seq: int
    at: datetime
    what: str
    by: str | None
    is_mine: bool
    workstation: str
    note: str | None


class FaultsView(View):
    """Newest first. ``waiting``: the asker's own that the site has not taken yet.

    ``unknown_sites``: sites that have not told the asker's token yet, so that his or her own reports there are not known.
    """

    faults: list[FaultView]
    waiting: list[SubmissionView]
    unknown_sites: list[str]


# ---- stream


class StateEvent(View):
    """Event ``state``, each second and when a link changes: our clock and the sites. A page that hears none for 3 s shows STALE."""

    now: datetime
    sites: list[SiteView]
