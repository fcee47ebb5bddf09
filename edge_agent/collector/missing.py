"""What sites told of scans that never came, out of their audit facts. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from edge_agent.collector.explode import microseconds
from edge_agent.kpi.missing import Expected, Told
from edge_agent.wire.messages import AuditBody

_CODES: Mapping[str, tuple[Expected, bool]] = {
    "selected-not-scanned": (Expected.SELECTED, False),
    "selected-found-late": (Expected.SELECTED, True),
    "numbering-gap": (Expected.NUMBERED, False),
    "numbering-gap-closed": (Expected.NUMBERED, True),
}
"""Codes of the audit facts: why the scan was expected, and whether it came after all."""


def told_missing(bodies: Iterable[AuditBody]) -> Iterator[Told]:
    """Give what is told of missing scans; other facts are passed over.

    The cause of such a fact is its code, a dash, and what names the missing one; that it came has the same name.
    """
    for body in bodies:
        code = body.event.code
        known = _CODES.get(code)
        if known is not None and body.cause.startswith(f"{code}-"):
            key = f"{body.scanner or ''} {body.cause.removeprefix(code)}"
            yield Told(body.site, known[0], key, microseconds(body.produced_at), known[1])
