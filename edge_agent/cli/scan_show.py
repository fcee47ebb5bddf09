"""A scan on the terminal: what it is, its planes, what was said of it, and a coarse picture."""

import json

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_agent.agent.exports import Dossier
from edge_agent.console import catalogue
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Scan
from edge_agent.imaging.render import to_grey
from edge_agent.imaging.resample import resampled
from edge_agent.wire.messages import AssessmentBody, ControlBody, VerdictBody

_COLUMNS = 100
_RAMP = " .:-=+*#%@"  # dark to bright, for terminals without colour


def as_json(dossier: Dossier) -> str:
    """Give the document and the facts as one line of JSON."""
    facts = [json.loads(fact.model_dump_json(by_alias=True, exclude_none=True)) for fact in dossier.facts]
    return json.dumps({"package": dossier.package.name, "scan": json.loads(dossier.document.model_dump_json()), "facts": facts})


def show(dossier: Dossier, console: Console) -> None:
    """Print a summary."""
    console.print(_particulars(dossier))
    console.print(_planes(dossier))
    for line in _facts(dossier):
        console.print(Text(f"  {line}"))


def _particulars(dossier: Dossier) -> Table:
    document = dossier.document
    capture, declaration = document.capture, document.declaration
    table = Table(show_header=False, show_edge=False, title=f"scan {document.scan.id}", title_justify="left")
    goods = () if declaration is None else tuple(line.hs for line in declaration.goods)
    megabytes = sum(entry.size for entry in document.entries.values()) / 1e6
    rows = {
        "revision": f"{document.scan.revision}, {document.scan.status}"
        + (f" ({', '.join(document.scan.partial)} missing)" if document.scan.partial else ""),
        "taken": f"{capture.taken_at.isoformat(sep=' ', timespec='seconds')}" + (" (zone assumed)" if capture.tz_assumed else ""),
        "kind": f"{capture.kind.value}{'' if dossier.about.is_real else ' - NOT REAL TRAFFIC'}, selection {capture.selection.value}",
        "scanner": f"{document.system.scanner_id}, profile {document.system.profile}" + (f", {capture.system}" if capture.system else ""),
        "subject": f"{document.subject.kind.value}, {len(document.subject.equipment)} identifiers (tokens)",
        "declared": f"{', '.join(goods) or 'nothing'}" + ("" if declaration is None else f", linked by {declaration.link_basis.value}"),
        "vendor said": ", ".join(f"{one.algorithm or one.source}: {one.conclusion.value}" for one in document.third_party) or "nothing",
        "attachments": ", ".join(f"{one.kind.value} ({one.media_type})" for one in document.attachments) or "none",
        "package": f"{dossier.package.name}, {len(document.entries)} entries, {megabytes:.1f} MB",
    }
    for name, value in rows.items():
        table.add_row(name, Text(catalogue.clean(value)))
    return table


def _planes(dossier: Dossier) -> Table:
    table = Table("view", "plane", "px", "bits", "levels", "mm/px", "steps", show_edge=False)
    for view in dossier.document.views:
        pitch = "?" if view.pitch_mm is None else f"{view.pitch_mm[0]:.2f} x {view.pitch_mm[1]:.2f}" + ("*" if view.pitch_assumed else "")
        for image in view.images:
            size = f"{image.cols} x {image.rows}" + (" RGB" if image.channels == 3 else "")
            steps = ", ".join(step.name + (" (inverted)" if step.params.get("inverted") else "") for step in image.operations)
            bits = f"{image.bits}{' lossy' if image.lossy else ''}"
            cells = (view.name, f"{image.quantity.value} {image.energy.value}", size, bits, str(image.levels), pitch, steps)
            table.add_row(*(Text(cell) for cell in cells))
    return table


def _facts(dossier: Dossier) -> list[str]:
    lines = []
    for fact in dossier.facts:
        when = fact.produced_at.isoformat(sep=" ", timespec="seconds")
        if isinstance(fact, AssessmentBody):
            word, _ = catalogue.conclusion(fact.conclusion)
            why = [*(catalogue.sentence(reason) for reason in fact.reasons), *(catalogue.sentence(obstacle) for obstacle in fact.obstacles)]
            lines.append(f"{when}  machine, revision {fact.revision}: {word}{'; ' if why else ''}{'; '.join(why)}")
        elif isinstance(fact, VerdictBody):
            lines.append(f"{when}  {'supervisor' if fact.is_supervisor else 'analyst'}: {fact.conclusion}")
        elif isinstance(fact, ControlBody):
            lines.append(f"{when}  examination: {fact.conclusion}")
    return lines


def draw(scan: Scan, console: Console) -> None:
    """Print each view with half blocks: two grey levels a character."""
    for view in scan.views:
        console.print(f"view {view.name}", highlight=False)
        console.print(_blocks(to_grey(view.leading), min(_COLUMNS, console.width), is_coloured=console.color_system is not None))


def _blocks(grey: NDArray[np.uint8], columns: int, *, is_coloured: bool) -> Text:
    height = max(2, round(columns * grey.shape[0] / grey.shape[1]) // 2 * 2)  # a half block is about as wide as high
    small = resampled(grey.astype(np.float32), Size(columns, height)).round().astype(int)
    text = Text()
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            if is_coloured:
                text.append("\u2580", f"rgb({top},{top},{top}) on rgb({bottom},{bottom},{bottom})")
            else:
                text.append(_RAMP[int(top + bottom) * len(_RAMP) // 512])
        text.append("\n")
    return text
