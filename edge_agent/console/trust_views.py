"""What the console's API gives of an officer's own decisions, and of how far alerts can be trusted."""

from datetime import datetime

from edge_agent.console.views import SubmissionView, View
from edge_agent.wire.heartbeat import CertificatePart
from edge_agent.wire.messages import BundlePart, CodeParams, FoundPart


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

    ``certificates``: what commissioning found, with n and interval. ``certificate``: reasons why one does not hold; empty and
    ``is_commissioned``: the models are commissioned.
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
    certificates: list[CertificatePart]


class TrustsView(View):
    """One a site."""

    sites: list[TrustView]
