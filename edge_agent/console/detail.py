"""Everything that the journal says of one scan, as lines an officer reads from top to bottom. Pure.

First what was concluded and why, what was declared and what found, then what people said, last how it was taken and judged.
"""

from collections.abc import Iterator, Mapping

from rich.text import Text

from edge_agent.console.board import ScanRow
from edge_agent.console.catalogue import ADVISORY, clean, conclusion, sentence
from edge_agent.console.lines import SHORT_ID
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.messages import AssessmentBody, BundlePart, ProvenancePart

_LABEL = "bold"
_SHORT = 12
_BASES = {
    "together": "it came with the scan",
    "number": "by the container's or parcel's number",
    "corrected": "by a number that differs in one misread sign",
    "time": "by the time only: no number was read",
    "order": "by the order only: no number was read, and several were expected",
}
_STATES = {
    "commissioned": "commissioned at this site",
    "shadow": "on trial, not commissioned",
    "simulated": "trained on simulated scans, not commissioned",
}


def detail_lines(row: ScanRow, values: Mapping[str, str]) -> list[Text]:
    """Give the lines. ``values``: identity values by token, as far as this console's role may know them."""
    lines = [_head(row)]
    lines += [_labelled(label, words) for label, words in _judged(row)]
    lines += [_said(line) for line in row.said]
    if row.is_verdict_stale:
        lines.append(Text("the officer's word is about an older revision: it is stale", style="bold yellow"))
    lines.append(Text(_taken(row), style="dim"))
    if row.body is not None:
        about = [*_identities(row.body, values), *_provenance(row.body)]
        lines += [_labelled(label, words) for label, words in about]
    return lines


def _head(row: ScanRow) -> Text:
    text = Text(f"{row.scan_id[:SHORT_ID]} r{row.revision}  ")
    words, style = conclusion(row.conclusion)
    text.append(words, style=style)
    if row.is_advisory:
        text.append(f"  {ADVISORY}", style="bold yellow")
    return text


def _judged(row: ScanRow) -> Iterator[tuple[str, str]]:
    """Give why it was concluded so, what stood in the way, what was declared, and what was found."""
    if row.body is None:
        yield from (("why", reason) for reason in row.reasons)
        return
    yield from (("why", sentence(reason)) for reason in row.body.reasons)
    for obstacle in row.body.obstacles:
        yield "blocked" if obstacle.blocking else "note", sentence(obstacle)
    if row.body.reasons_left_out:
        yield "why", f"and {row.body.reasons_left_out} more"
    yield from (("declared", words) for words in _declared(row.body.declared))
    yield from (("found", finding) for finding in row.findings)


def _taken(row: ScanRow) -> str:
    parts = [f"{row.scanner} at {row.site}"]
    parts += [f"taken {row.taken_at:%Y-%m-%d %H:%M:%S} UTC"] if row.taken_at is not None else []
    if row.body is not None:
        body = row.body
        parts += ["the scanner's time zone is assumed"] if body.capture.tz_assumed else []
        parts += [clean(body.subject), *([clean(body.capture.kind).upper()] if body.capture.kind != "live" else [])]
        parts += [f"selected: {clean(body.selection)}"]
    parts += [f"seen {row.since_taken_s:.1f} s after the exposure"] if row.since_taken_s is not None else []
    return ", ".join(parts)


def _labelled(label: str, words: str) -> Text:
    text = Text(f"{label}: ", style=_LABEL)
    text.append(words, style="not bold")
    return text


def _said(line: str) -> Text:
    who, _, words = line.partition(": ")
    return _labelled(who, words)


def _identities(body: AssessmentBody, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for part in body.identities:
        value = values.get(part.token)
        if value is not None:
            yield clean(part.kind), clean(value)


def _declared(declared: DeclaredPart | None) -> Iterator[str]:
    if declared is None:
        yield "nothing is known to be declared"
        return
    for goods in declared.goods:
        yield clean(_goods(goods))
    if declared.goods_left_out:
        yield f"and {declared.goods_left_out} more"
    if declared.link is not None and declared.link < 1.0:
        basis = _BASES.get(declared.link_basis or "", declared.link_basis or "basis unknown")
        yield clean(f"perhaps another scan's: link {declared.link:.2f} of 1 ({basis})")


def _goods(goods: GoodsPart) -> str:
    parts = [f"{goods.hs} {goods.description}".strip()]
    parts += [f"{goods.gross_kg:,.0f} kg gross"] if goods.gross_kg is not None else []
    parts += [f"{goods.net_kg:,.0f} kg net"] if goods.net_kg is not None else []
    parts += [f"{goods.packages} package{'s' if goods.packages != 1 else ''}"] if goods.packages is not None else []
    return ", ".join(parts)


def _provenance(body: AssessmentBody) -> Iterator[tuple[str, str]]:
    of = body.provenance
    for bundle in of.bundles:
        yield "model", _bundle(bundle)
    yield "ran on", clean(_device(of))
    yield "policy", clean(f"{of.policy_digest[:_SHORT]}, configuration {of.config_digest[:_SHORT]}, {of.daemon}")
    took = body.timings_ms.get("total", sum(body.timings_ms.values()))
    slowest = sorted(body.timings_ms.items(), key=lambda item: -item[1])[:4]
    yield "scan", clean(body.scan_id or "")
    yield "took", clean(f"{took:.0f} ms: " + ", ".join(f"{stage} {value:.0f}" for stage, value in slowest))


def _bundle(bundle: BundlePart) -> str:
    return clean(f"{bundle.ref}, {_STATES.get(bundle.state, bundle.state)}, {bundle.sha256[:_SHORT]}")


def _device(of: ProvenancePart) -> str:
    return f"{of.provider.removesuffix('ExecutionProvider')} ({of.device}, {of.runtime})"
