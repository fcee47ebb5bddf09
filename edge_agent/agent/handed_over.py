"""What people at the vendor's own console and at the opened container said, from the side-car into the journal; and tokens for names."""

from collections.abc import Sequence
from datetime import datetime

from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.domain.arrival import Decision, MetadataRevision, NewRevision
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.drop import SideCar
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId, Token, fact_id
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.wire import messages
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import CodeParams, ControlBody

VENDOR = "vendor"
"""The office of an examination that the scanner's side-car reports."""


async def tokens_of(identities: Sequence[IdentityValue], ledger: LedgerLane) -> tuple[tuple[IdentityValue, Token], ...]:
    """Give each identifier with the site's token for it."""
    if not identities:
        return ()
    rows = await ledger.call(Ledger.tokenise, identities)
    return tuple((value, row.token) for value, row in zip(identities, rows, strict=True))


def said_by_vendor(site: SiteId, scanner: ScannerId, decision: Decision, sidecar: SideCar | None, at: datetime) -> tuple[Entry, ...]:
    """Give the facts that a side-car's words of people amount to; journalled once, however often the side-car is written again.

    An examination is a control result, whoever reports it. An analyst's conclusion at the vendor's console is no verdict of ours (no
    officer of this site gave it at an enrolled workstation): it stands in the journal as an audit fact and changes no standing.
    """
    if sidecar is None:
        return ()
    revision = decision.revision if isinstance(decision, NewRevision | MetadataRevision) else 1
    entries: list[Entry] = []
    if sidecar.examination is not None:
        cause = f"sidecar-{sidecar.examination.value}"
        control = ControlBody(
            schema="control/1.0",
            fact_id=fact_id(decision.scan_id, FactKind.CONTROL.value, revision, cause),
            site=site,
            scanner=scanner,
            scan_id=decision.scan_id,
            revision=revision,
            cause=cause,
            produced_at=at,
            conclusion=sidecar.examination.value,
            found=[],
            office=VENDOR,
        )
        entries.append(_entry(control, FactKind.CONTROL))
    if sidecar.analyst is not None:
        cause = f"vendor-analyst-{sidecar.analyst.value}"
        event = CodeParams(code="vendor-analyst", params={"conclusion": sidecar.analyst.value})
        entries.append(audit_entry(site, event, cause, at, About(decision.scan_id, revision, scanner)))
    return tuple(entries)


def _entry(body: ControlBody, kind: FactKind) -> Entry:
    assert body.scan_id is not None  # noqa: S101 - both are about a scan
    where = topic(SiteId(body.site), ScannerId(body.scanner or ""), kind.value)
    return Entry(FactId(body.fact_id), ScanId(body.scan_id), kind, where, messages.encode(body))
