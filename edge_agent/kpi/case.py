"""One scan as a flat row: what the machine, the officers and the examination said of it, for figures to count. Pure."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_agent.kpi.rates import QUARTER_S, Outcome

Voice: TypeAlias = Literal["", "machine", "analyst", "supervisor", "examination"]

SEPARATOR = "|"
"""Between the words of a joined field; no word holds it."""
_QUARTER_US = QUARTER_S * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that figures need of one scan, by its newest revision. Scalars only, so a row of a table is a value of this class.

    Moments are microseconds since 1970 UTC, None where nobody gave one that can be. Text is empty where there is nothing to say.
    Joined fields hold sorted words with ``SEPARATOR`` between them.
    """

    site: str
    scanner: str
    scan_id: str
    revision: int
    kind: str
    """A ``CaptureKind`` word, or ``unknown`` for a scan that was set aside before anybody could read what it was for."""
    selection: str
    subject: str
    outcome: str
    """An ``Outcome`` word: the last one of the newest revision."""
    reason: str = ""
    """Code of a set-aside."""
    produced_us: int
    """When the machine concluded: its day is the scan's day in every figure."""
    taken_us: int | None = None
    tz_assumed: bool = False
    """Whether ``taken_us`` rests on an assumed zone of the scanner's clock."""

    alerted: str = ""
    """Joined: what put the scan on alert, labels of detections and codes of other checks."""
    models: str = ""
    """Joined ``name/version`` of the bundles that spoke."""
    provider: str = ""
    policy_digest: str = ""
    is_advisory: bool = False
    """Whether one of the bundles was not commissioned at the site."""
    commodity: str = ""
    """HS heading (four digits, two where no more was declared) of the first declared good."""
    origin: str = ""
    """ISO 3166 alpha-2 code of the declared country of origin."""

    latency_ms: float | None = None
    """From acceptance to conclusion, of the first assessment of the newest revision that read its pixels."""
    queue_ms: float | None = None
    decode_ms: float | None = None

    first_conclusion: str = ""
    """The first officer's word on this scan; empty when none has spoken."""
    first_decided_us: int | None = None
    first_officer: str = ""
    """Token of that officer. For that officer's own figures only: it leaves headquarters in no report and no export."""
    decision_s: float | None = None
    """From the assessment that the verdict names to the first verdict, the wait in the queue included; None where clocks contradict."""
    look_s: float | None = None
    """From when that officer last opened the scan to the first verdict; None where no opening is known, or clocks contradict."""

    analyst: str = ""
    """The last word of an analyst."""
    analyst_us: int | None = None
    analyst_on: str = ""
    """What the machine had said when that analyst decided: alert, no-alert or unassessable."""
    analyst_order: str = ""
    """How that analyst read: assisted, blind-first (the machine's word was not shown yet), after-reveal; empty where nobody says."""
    officer: str = ""
    """Token of that analyst; as closely held as ``first_officer``."""
    supervisor: str = ""
    supervisor_us: int | None = None
    referred_by_clock: bool = False
    referred_by_officer: bool = False

    control: str = ""
    """found or nothing-found by the last examination; not-examined where it was called off; empty while nothing has come."""
    is_disputed: bool = False
    """Whether offices differ about the examination: then ``control`` counts in no rate."""
    control_us: int | None = None
    found: str = ""
    """Joined: what the last examination found, by the words of the control form."""

    stands: str = ""
    """The conclusion that holds now; empty for a scan that was set aside."""
    stands_by: Voice = ""
    stands_us: int | None = None

    @property
    def quarter(self) -> int:
        """Number since 1970 UTC of the quarter of an hour in which the machine concluded."""
        return self.produced_us // _QUARTER_US

    @property
    def is_alert(self) -> bool:
        return self.outcome == Outcome.ALERT

    @property
    def is_examined(self) -> bool:
        """Whether one examination, or several that agree, took place."""
        return self.control in ("found", "nothing-found") and not self.is_disputed

    @property
    def is_confirmed(self) -> bool:
        return self.control == "found" and not self.is_disputed

    @property
    def is_pending(self) -> bool:
        """Whether no control result has come yet."""
        return self.control == ""

    @property
    def alerted_labels(self) -> tuple[str, ...]:
        return words(self.alerted)

    @property
    def found_labels(self) -> tuple[str, ...]:
        return words(self.found)

    @property
    def released_us(self) -> int | None:
        """When the consignment could go on: the examination's result, or a standing ``not-suspicious``; None while it waits.

        An examination that was called off releases as well: nobody waits for it any more.
        """
        if self.control:
            return self.control_us
        return self.stands_us if self.stands == "not-suspicious" else None


def words(joined: str) -> tuple[str, ...]:
    """Give the words of a joined field."""
    return tuple(joined.split(SEPARATOR)) if joined else ()
