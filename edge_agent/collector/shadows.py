"""What the archive holds of a scan that a bundle in shadow looked at, as one value of the comparison. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from edge_agent.domain.assessment import BundleState
from edge_agent.domain.standing import Standing
from edge_agent.kpi.rates import quarter_of
from edge_agent.kpi.shadow import Among, ShadowTally
from edge_agent.wire.facts import standing_of
from edge_agent.wire.frames import NO_SCANNER
from edge_agent.wire.messages import AnyBody, AssessmentBody, ShadowBody, decode

_ALERT = "alert"
_ENDS_A_LOOK = frozenset({"out-of-time", "inference-failed"})


def shadow_tallies(rows: Iterable[tuple[str, str, bytes]]) -> Iterator[ShadowTally]:
    """Give one value for each scan and bundle on trial from (site, scan_id, body) rows, sorted by site and scan, then as journalled.

    Of several revisions of a scan the newest counts.
    """
    for (site, _), group in groupby(rows, key=lambda row: row[:2]):
        bodies = [decode(raw) for _, _, raw in group]
        truth = _truth(standing_of(bodies))
        newest = {_on_trial(body): body for body in bodies if isinstance(body, ShadowBody)}
        for on_trial, body in newest.items():
            yield ShadowTally(
                site,
                body.scanner or NO_SCANNER,
                body.capture_kind,
                quarter_of(body.produced_at),
                on_trial,
                _instead_of(body, bodies),
                body.active == _ALERT,
                _would_alert(body),
                truth,
            )


def _would_alert(body: ShadowBody) -> bool | None:
    """Tell whether the bundle on trial would have alerted; None where its look ended before it could tell."""
    if body.conclusion == _ALERT:
        return True
    return None if _ENDS_A_LOOK & {obstacle.code for obstacle in body.obstacles} else False


def _truth(now: Standing | None) -> Among:
    if now is None or now.is_guilty is None:
        return Among.ALL
    return Among.GUILTY if now.is_guilty else Among.CLEAN


def _on_trial(body: ShadowBody) -> str:
    return ", ".join(sorted(part.ref for part in body.bundles if part.state == BundleState.SHADOW))


def _instead_of(body: ShadowBody, bodies: Sequence[AnyBody]) -> str:
    """Name the active bundles whose place the one on trial takes, from the assessment it stands beside."""
    kept = {part.sha256 for part in body.bundles}
    beside = [one for one in bodies if isinstance(one, AssessmentBody) and one.fact_id == body.beside]
    parts = [part for one in beside for part in one.provenance.bundles if part.sha256 not in kept]
    return ", ".join(sorted(part.ref for part in parts))
