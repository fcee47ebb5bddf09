"""The one place where audit facts are made."""

from dataclasses import dataclass
from datetime import datetime

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import ScanId, ScannerId, SiteId, fact_id
from edge_agent.ledger.records import Entry
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AuditBody, CodeParams, encode


@dataclass(frozen=True, slots=True)
class About:
    """What an audit fact is about besides its site: a scan, its revision (0: no one in particular), the scanner it came from."""

    scan: ScanId
    revision: int = 0
    scanner: ScannerId | None = None


def audit_entry(site: SiteId, event: CodeParams, cause: str, at: datetime, about: About | None = None) -> Entry:
    """Give an audit fact, about the site itself or about a scan. ``cause`` makes it one fact however often it is journalled."""
    scan, revision, scanner = (about.scan, about.revision, about.scanner) if about else (None, 0, None)
    fact = fact_id(scan or site, FactKind.AUDIT.value, revision, cause)
    body = AuditBody(
        schema="audit/1.0",
        fact_id=fact,
        site=site,
        scanner=scanner,
        scan_id=scan,
        revision=revision,
        cause=cause,
        produced_at=at,
        event=event,
    )
    return Entry(fact, scan, FactKind.AUDIT, topic(site, scanner, FactKind.AUDIT.value), encode(body))
