"""What the browser console's API takes and gives, as models: the contract with the pages. See ``docs/reference/console-api.md``.

Codes and parameters, never sentences: the pages render them from the catalogue of texts. Boxes are [x0, y0, x1, y1], half-open, in the
canonical pixels of their view. Times are UTC; those of a site are by the site's clock. Identifiers are tokens: their values come only
from ``POST .../identities``, which the site journals.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.wire.messages import (
    BlobPart,
    BundlePart,
    CapturePart,
    CodeParams,
    ConsignmentPart,
    DeclaredPart,
    FoundPart,
    FramePart,
    ObstaclePart,
    ProvenancePart,
    ReadingPart,
    ThirdPartyPart,
)
from edge_agent.wire.pictures import StoredPlane
from edge_agent.wire.verbs import FindingWord, MissedItem, Revision, Uuid

BoxPx = tuple[float, float, float, float]
OfficerWord = Literal["suspicious", "not-suspicious", "rescan", "refer"]
Order = Literal["assisted", "blind-first", "after-reveal"]
RowState = Literal["open", "clear", "referred", "decided", "examined", "set-aside"]


class View(BaseModel):
    """Base of what the API gives."""

    model_config = ConfigDict(frozen=True)


class Entry(BaseModel):
    """Base of what a browser sends: an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- who and where


class MeView(View):
    """The officer and what this console offers. ``supervises``: names of sites that take this officer's word as a supervisor's.

    ``enters_controls``: names of sites where this workstation may enter control results.
    ``verdict_reasons``: codes in the order of the keys 1 to 9. ``missed_labels``: what can be marked as missed.
    """

    name: str
    roles: list[str]
    supervises: list[str]
    enters_controls: list[str]
    languages: list[str]
    verdict_reasons: list[str]
    missed_labels: list[str]
    blind_share: float
    has_headquarters: bool


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
    backlog_unacked: int | None
    oldest_unacked_s: float | None
    disk_free: float | None
    in_flight: int | None
    scans: int
    open: int
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
    passed on; 1 nobody has to decide; 0 done. ``is_blind``: what the machine says is withheld until somebody decides; then
    ``conclusion``, ``top`` and ``decide_by`` are null. ``top``: label and score of the strongest finding that alerts, else of any.
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
    top: tuple[str, float] | None
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

    ``order``: how a verdict given now is recorded. ``wants_reason``: an officer decided blind against an alert, and a reason is due.
    ``declared``: verbatim; the families they were mapped to stand in the heterogeneity's ``against``. ``readings``: number checks.
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


class VerdictEntry(Entry):
    """A decision. ``verdict_id``: made by the page once a decision, so that sending it again changes nothing.

    ``assessment``: fact_id of the machine's word that was shown, null when blind. ``reasons``: codes of ``verdict_reasons``; needed
    against an alert, one at most with ``refer``. ``findings``: agree or disagree by finding id. ``missed``: what the machine missed.
    """

    verdict_id: Uuid
    revision: Revision
    conclusion: OfficerWord
    assessment: Uuid | None = None
    reasons: Annotated[list[str], Field(max_length=8)] = []
    note: Annotated[str, Field(max_length=2000)] = ""
    findings: Annotated[list[FindingWord], Field(max_length=64)] = []
    missed: Annotated[list[MissedItem], Field(max_length=16)] = []


class ControlEntry(Entry):
    """The result of an examination, by the form of ``GET /api/control-form``. ``control_id``: as ``verdict_id``.

    ``result``: answers by the names of the form's ``result`` fields; ``found``: for each thing found, answers to its ``find`` fields.
    """

    control_id: Uuid
    revision: Revision
    result: dict[str, Any]
    found: Annotated[list[dict[str, Any]], Field(max_length=32)] = []


class FaultEntry(Entry):
    """The AI is wrong in a systematic way: for the supervisor. ``what``: misses, false-alarms, wrong-place, wrong-goods or other."""

    fault_id: Uuid
    site: str
    scan_id: Uuid
    revision: Revision
    what: Literal["misses", "false-alarms", "wrong-place", "wrong-goods", "other"] = "other"
    note: Annotated[str, Field(max_length=2000)] = ""


class IdentifyEntry(Entry):
    """Ask for identifiers of some scans of one site, at most 50."""

    site: str
    scan_ids: Annotated[list[Uuid], Field(min_length=1, max_length=50)]


class SubmissionView(View):
    """What became of something sent. Only ``saved`` means that the site has committed it.

    ``waiting``: kept on this console's disk and sent again until the site answers; ``refused``: the site will not take it, and ``code``,
    ``detail`` and ``hint`` say why.
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
    """A reported systematic fault, for supervisors."""

    site: str
    scan_id: str
    seq: int
    at: datetime
    what: str
    by: str | None
    workstation: str
    note: str | None


class FaultsView(View):
    """Newest first."""

    faults: list[FaultView]


# ---- mine, trust


class MyDecision(View):
    """One of the asker's decisions with what came of it. ``outcome``: found, nothing-found, not-examined, disputed, or null: not yet."""

    site: str
    scan_id: str
    seq: int
    revision: int
    at: datetime
    conclusion: str
    order: str
    machine: str | None
    outcome: str | None
    found: list[FoundPart]
    is_superseded: bool


class MineView(View):
    """``unknown_sites``: sites that have not told the asker's token yet, so nothing of them is listed."""

    decisions: list[MyDecision]
    waiting: list[SubmissionView]
    unknown_sites: list[str]


class RateView(View):
    """A proportion with its n and 95 % Wilson interval. ``is_too_few``: n is too small to decide by; show "too few", not a number."""

    hits: int
    n: int
    value: float | None
    low: float
    high: float
    is_too_few: bool


class TrustRow(View):
    """How far alerts of one class can be trusted. ``label`` is ``*`` for all alerts together.

    ``examined``: of the examined alerted scans, those in which something was found: the PPV. ``officers``: of the alerted scans that an
    officer decided, those called suspicious. ``alerted``: alerted scans in the window; ``pending``: alerted, not examined yet.
    """

    label: str
    alerted: int
    pending: int
    disputed: int
    examined: RateView
    officers: RateView


class TrustView(View):
    """Of one site, over the live scans that this console holds, ``first`` to ``last``. ``kind``: live, or synthetic where asked for.

    ``certificate``: reasons why a commissioning certificate does not hold; empty and ``is_commissioned``: the models are commissioned.
    """

    site: str
    kind: str
    scans: int
    first: datetime | None
    last: datetime | None
    rows: list[TrustRow]
    bundles: list[BundlePart]
    policies: list[str]
    is_commissioned: bool | None
    certificate: list[CodeParams]


# ---- stream


class RowsEvent(View):
    """Event ``rows``: rows that are new or changed, and scans that left the queue (``site/scan_id``)."""

    rows: list[QueueRow]
    gone: list[str]


class StateEvent(View):
    """Event ``state``, each second: the console's clock and the sites. A page that hears none for 3 s shows STALE by itself."""

    now: datetime
    sites: list[SiteView]


class TrustsView(View):
    """One a site."""

    sites: list[TrustView]
