"""Facts and link states as lines of text: for a pipe (``--plain``) and for programs (``--json``)."""

import json
from collections.abc import Callable
from typing import TypeAlias

from edge_agent.console.board import Board
from edge_agent.console.catalogue import ADVISORY, clean, conclusion, sentence
from edge_agent.console.events import Event, LinkState, Phase, SeenFact
from edge_agent.wire.messages import AuditBody, Body, ControlBody, HealthBody, ReferralBody, VerdictBody

Line: TypeAlias = Callable[[Event], str]
SHORT_ID = 8


def json_line(event: Event) -> str:
    """Give one JSON object: ``{"event":"fact",...,"body":{...}}`` or ``{"event":"link",...}``."""
    if isinstance(event, LinkState):
        content: dict[str, object] = {"event": "link", "phase": event.phase.value, "site": event.site, "head": event.head, "seq": event.seq}
        content |= {"lag": event.lag, "health": event.health, "durable": event.durable, "malformed": event.malformed}
        content |= {"missed": event.missed, "clock_offset_s": event.clock_offset.total_seconds(), "detail": event.detail}
    else:
        body = event.body.model_dump(mode="json", by_alias=True, exclude_none=True) if event.body is not None else None
        content = {"event": "fact", "seq": event.seq, "topic": event.topic, "replayed": event.replayed}
        content |= {"seen_at": event.seen_at.isoformat(), "body": body}
    return json.dumps(content, separators=(",", ":"))


def plain_line(event: Event) -> str:
    """Give one line for people."""
    if isinstance(event, LinkState):
        return link_line(event)
    return f"#{event.seq} {_fact(event)}{' · replayed' if event.replayed else ''}"


def link_line(state: LinkState) -> str:
    """Give the link's state in words."""
    parts = [f"link {state.phase.value.upper()}", f"site {state.site or 'unknown'}", f"head {state.head}", f"behind by {state.lag}"]
    is_known = state.phase in (Phase.LIVE, Phase.CATCHING_UP)
    parts += [f"site {'is' if is_known else 'was last'} {state.health}"] if state.health else []
    parts += [state.detail] if state.detail else []
    return clean(" · ".join(parts))


def _fact(event: SeenFact) -> str:
    body = event.body
    if body is None:
        return clean(f"{event.topic} a fact of a kind that this version does not know")
    board = Board()
    board.apply(event)
    scan = f"{clean((body.scan_id or '')[:SHORT_ID])} r{body.revision}" if body.scan_id else "site"
    head = f"{body.produced_at:%Y-%m-%d %H:%M:%S}Z {clean(body.scanner or '-')} {scan}"
    for row in board.rows:
        parts = [f"{head} {conclusion(row.conclusion)[0]}"]
        parts += [ADVISORY] if row.is_advisory else []
        parts += [", ".join(row.findings)] if row.findings else []
        parts += ["; ".join(row.reasons)] if row.reasons else []
        parts += [f"seen after {row.latency_s:.2f} s"] if row.latency_s is not None else []
        parts += [row.provider] if row.provider else []
        return " · ".join(parts)
    return f"{head} {_other(body)}"


def _other(body: Body) -> str:
    match body:
        case VerdictBody():
            reasons = "; ".join(sentence(reason) for reason in body.reasons)
            return f"officer: {conclusion(body.conclusion)[0]}{': ' + reasons if reasons else ''}"
        case ReferralBody():
            return f"referred: {sentence(body.reason)}"
        case ControlBody():
            return clean(f"examination: {body.conclusion}")
        case HealthBody():
            return clean(f"is {body.state}") + "".join(f"; {sentence(reason)}" for reason in body.reasons)
        case AuditBody():
            return f"audit: {sentence(body.event)}"
        case _:
            return "fact"
