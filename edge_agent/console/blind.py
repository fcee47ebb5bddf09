"""Blind first: which scans are decided before the machine's word is shown. Pure.

Chosen by the scan's identity alone, so every workstation and every start chooses the same, and nobody can draw again.
"""

import hashlib

from edge_agent.console.views import Order

_STEPS = 1 << 32


def is_chosen(scan_id: str, share: float) -> bool:
    """Tell whether a scan is one of the ``share`` (in [0, 1]) that are decided blind."""
    drawn = int.from_bytes(hashlib.sha256(b"blind-first " + scan_id.encode()).digest()[:4])
    return drawn < share * _STEPS


def order_of(*, is_chosen: bool, is_revealed: bool) -> Order:
    """Say how a verdict given now is recorded."""
    if not is_chosen:
        return "assisted"
    return "after-reveal" if is_revealed else "blind-first"
