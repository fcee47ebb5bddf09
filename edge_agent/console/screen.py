"""What a terminal of a given size shows: link, list, one scan with its picture, prompt, keys. Pure, but for rich's word wrap."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console
from rich.text import Text

from edge_agent.console.board import ScanRow
from edge_agent.console.catalogue import VERDICT_REASONS, clean, conclusion, sentence
from edge_agent.console.coarse import Palette, draw
from edge_agent.console.detail import detail_lines
from edge_agent.console.dialogue import Dialogue, Draft, Page, chosen_row, needs_reason
from edge_agent.console.events import LinkState, Phase
from edge_agent.console.gallery import Shot
from edge_agent.console.lines import SHORT_ID

_WIDE = 120
_MOST_LINKS = 4
_CLOCK_TOLERANCE = timedelta(seconds=2)
_LINK_STYLES = {
    Phase.CONNECTING: "yellow",
    Phase.CATCHING_UP: "yellow",
    Phase.LIVE: "green",
    Phase.STALE: "bold white on red",
    Phase.REFUSED: "bold white on red",
    Phase.DIVERGED: "bold white on red",
}
_PHASE_WORDS = {
    Phase.CONNECTING: "connecting",
    Phase.CATCHING_UP: "catching up",
    Phase.LIVE: "LIVE",
    Phase.STALE: "STALE: what is shown may be old",
    Phase.REFUSED: "REFUSED: the site does not let this key in",
    Phase.DIVERGED: "DIVERGED: this is not the journal that was read before; call an auditor",
}
HELP = (
    "up/down, k/j   choose a scan (until you do, the newest is chosen)",
    "Enter          the whole page of a scan; Enter or Esc: back to the list",
    "space, b       further down and up on that page",
    "v, m           next view of the scan; heat map on or off",
    "s n r f        suspicious, not suspicious, rescan, refer; then 1 to 9 for",
    "               reasons, Enter sends, Esc cancels",
    "t              send a verdict again that was not confirmed",
    "q              quit",
    "",
    "ALERT          a finding reached the policy's level; its box is drawn",
    "no alert       every required check was made, none reached its level:",
    "               that is not the same as innocent",
    "CANNOT JUDGE   a required check was not possible: look yourself, or rescan",
    "SET ASIDE      the files cannot be read as a scan",
    "adv.           a model here is not commissioned at this site: advice only",
    "STALE          nothing heard for three seconds: what is shown may be old",
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be shown. ``links``: each site's name and state; ``values``: identity values by token."""

    links: Sequence[tuple[str, LinkState]]
    rows: Sequence[ScanRow]
    dialogue: Dialogue
    officer: str
    shot: Shot = Shot()
    values: Mapping[str, str] = field(default_factory=dict)


class Layout:
    """Puts contents onto ``console``'s width and height, read anew each time."""

    def __init__(self, console: Console, palette: Palette) -> None:
        self._console = console
        self._palette = palette

    def lines(self, contents: Contents) -> list[Text]:
        """Give at most as many lines as the terminal has, the last two for messages and keys."""
        height = max(self._console.height, 10)
        head = list(_link_lines(contents.links))
        foot = [Text(contents.dialogue.message, style="bold"), _keys(contents)]
        room = height - len(head) - len(foot)
        match contents.dialogue.page:
            case Page.HELP:
                body = [Text(line) for line in HELP]
            case Page.SCAN:
                body = self._scan_page(contents, room)
            case _:
                body = self._list_page(contents, room)
        body = body[:room]
        return [*head, *body, *([Text()] * (room - len(body))), *foot]

    def _list_page(self, contents: Contents, room: int) -> list[Text]:
        chosen = chosen_row(contents.dialogue, contents.rows)
        shown = max((room - 2) * 2 // 5, 3)
        lines = self._table(contents, chosen, shown)
        below = room - len(lines) - 1
        lines.append(Text("─" * self._console.width if self._palette is Palette.BLOCKS else "-" * self._console.width, style="dim"))
        if contents.dialogue.draft is not None:
            return lines + _prompt(contents.dialogue.draft)
        if chosen is None:
            return [*lines, Text("no scan yet", style="dim")]
        return lines + self._beside(contents, chosen, below)

    def _beside(self, contents: Contents, row: ScanRow, height: int) -> list[Text]:
        """Put the beginning of a scan's page to the left and its picture to the right."""
        width = self._console.width
        picture = self._picture(contents.shot, width * 45 // 100, height) if contents.shot.picture is not None else []
        wide = max((line.cell_len for line in picture), default=0)
        texts = self._wrapped(detail_lines(row, contents.values), width - wide - 2 if picture else width)
        texts += [] if picture else [Text(clean(contents.shot.note), style="dim")]
        if len(texts) > height:
            texts = [*texts[: height - 1], Text("... Enter shows all", style="dim")]
        if not picture:
            return texts
        blank = Text(" " * (width - wide - 2))
        lines = []
        for number in range(max(len(texts), len(picture))):
            left = (texts[number] if number < len(texts) else blank).copy()
            left.truncate(width - wide - 2, pad=True)
            lines.append(Text.assemble(left, "  ", picture[number] if number < len(picture) else ""))
        return lines

    def _scan_page(self, contents: Contents, room: int) -> list[Text]:
        row = chosen_row(contents.dialogue, contents.rows)
        if row is None:
            return [Text("no scan yet", style="dim")]
        if contents.dialogue.draft is not None:
            return [*self._wrapped(detail_lines(row, contents.values), self._console.width)[: room - 11], *_prompt(contents.dialogue.draft)]
        picture = self._picture(contents.shot, self._console.width, room * 3 // 5)
        texts = self._wrapped(detail_lines(row, contents.values), self._console.width)
        left = room - len(picture)
        start = max(min(contents.dialogue.scroll, len(texts) - left), 0)
        shown = texts[start : start + left]
        if start + left < len(texts):
            shown[-1] = Text(f"... {len(texts) - start - left + 1} more lines: space", style="dim")
        return [*picture, *shown]

    def _picture(self, shot: Shot, columns: int, height: int) -> list[Text]:
        """Draw the picture with a line of words below it."""
        if height < 4 or columns < 20:
            return []
        view = [f"view {clean(shot.view)}{f' (v: next of {shot.views})' if shot.views > 1 else ''}"] if shot.view else []
        view += [clean(shot.note)] if shot.note else ["m: hide heat map"] if shot.overlay.heat is not None else []
        words = Text(", ".join(view), style="dim")
        words.truncate(columns)
        drawn = draw(shot.picture, shot.overlay, columns, height - 1, self._palette) if shot.picture is not None else []
        return [*drawn, words]

    def _wrapped(self, texts: Sequence[Text], width: int) -> list[Text]:
        return [line for text in texts for line in text.wrap(self._console, max(width, 20))]

    def _table(self, contents: Contents, chosen: ScanRow | None, shown: int) -> list[Text]:
        """Draw a heading and ``shown`` rows of the list, among them the chosen one."""
        rows = contents.rows
        place = next((number for number, row in enumerate(rows) if row is chosen), 0)
        first = max(min(place - shown // 2, len(rows) - shown), 0)
        columns = self._columns(has_sites=len(contents.links) > 1)
        lines = [_line([Text(heading, style="bold") for heading, _ in columns], [width for _, width in columns])]
        for row in rows[first : first + shown]:
            cells = [_cell(row, heading) for heading, _ in columns]
            line = _line(cells, [width for _, width in columns])
            line.truncate(self._console.width, pad=True)
            if row is chosen:
                line.stylize("reverse")
            lines.append(line)
        return lines + [Text()] * (shown + 1 - len(lines))

    def _columns(self, *, has_sites: bool) -> list[tuple[str, int]]:
        is_wide = self._console.width >= _WIDE
        columns = [("#", 6), ("scan", 12), *([("site", 10)] if has_sites else []), *([("scanner", 10)] if is_wide else [])]
        columns += [("taken UTC", 9), ("machine", 18), ("officer", 18), ("after", 8)]
        return [*columns, *([("findings", self._console.width - sum(width + 1 for _, width in columns))] if is_wide else [])]


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(cells, widths, strict=True):
        cell.truncate(width, overflow="ellipsis", pad=True)
        line.append_text(cell)
        line.append(" ")
    return line


def _cell(row: ScanRow, heading: str) -> Text:
    match heading:
        case "machine":
            words, style = conclusion(row.conclusion)
            text = Text(words, style=style)
            return Text.assemble(text, (" adv.", "dim")) if row.is_advisory else text
        case "officer":
            words, style = conclusion(row.verdict) if row.verdict else ("", "")
            return Text(words + (" (stale)" if row.is_verdict_stale else ""), style=style)
        case _:
            return Text(_plain_cell(row, heading))


def _plain_cell(row: ScanRow, heading: str) -> str:
    cells = {
        "#": str(row.seq),
        "scan": f"{row.scan_id[:SHORT_ID]} r{row.revision}",
        "site": row.site,
        "scanner": row.scanner,
        "taken UTC": f"{row.taken_at:%H:%M:%S}" if row.taken_at else "",
        "after": "replayed" if row.replayed else f"{row.latency_s:.2f} s" if row.latency_s is not None else "",
        "findings": ", ".join(row.findings),
    }
    return cells[heading]


def _link_lines(links: Sequence[tuple[str, LinkState]]) -> Iterator[Text]:
    """Give a line a site, the troubled ones first; sites that do not fit are counted."""
    ordered = sorted(links, key=lambda link: (link[1].is_current, link[1].health == "healthy"))
    for name, state in ordered[:_MOST_LINKS]:
        yield _link_line(name, state)
        warnings = _warnings(state)
        if warnings:
            yield Text("  " + "; ".join(warnings), style="bold yellow")
    if len(links) > _MOST_LINKS:
        current = sum(state.is_current for _, state in links)
        yield Text(f"{len(links)} sites, {current} of them LIVE")


def _link_line(name: str, state: LinkState) -> Text:
    text = Text(clean(f"{state.site or name}: "), style="bold")
    text.append(_PHASE_WORDS[state.phase], style=f"not bold {_LINK_STYLES[state.phase]}")
    parts = [f"#{state.seq}", *([f"behind by {state.lag}"] if state.lag else [])]
    parts += [f"site {'is' if state.is_current else 'was last'} {state.health}"] if state.health else []
    parts += [state.detail] if state.detail and not state.is_current else []
    text.append(clean("  " + ", ".join(parts)), style="not bold")
    return text


def _warnings(state: LinkState) -> list[str]:
    """Give what an officer should know although the link is whole."""
    words = [sentence(reason) for reason in state.reasons]
    words += ["the site takes no scans in"] if not state.durable else []
    words += [f"{state.missed} older facts were deleted at the site before they were read"] if state.missed else []
    words += [f"{state.malformed} messages could not be read"] if state.malformed else []
    is_off = abs(state.clock_offset) > _CLOCK_TOLERANCE
    words += [f"the site's clock is {state.clock_offset.total_seconds():+.0f} s from this one"] if is_off else []
    return words


def _prompt(draft: Draft) -> list[Text]:
    words, style = conclusion(draft.word)
    text = Text("Send ")
    text.append(words, style=style)
    text.append(f" for {draft.scan.scan_id[:SHORT_ID]} r{draft.scan.revision}?")
    text.append("  (a reason is required)" if needs_reason(draft) else "", style="bold yellow")
    reasons = enumerate(VERDICT_REASONS.items(), start=1)
    return [text, *(Text(f"  {number} {'[x]' if code in draft.reasons else '[ ]'} {words}") for number, (code, words) in reasons)]


def _keys(contents: Contents) -> Text:
    if contents.dialogue.draft is not None:
        return Text("1 to 9 reasons  Enter send  Esc cancel", style="dim")
    verdicts = "s/n/r/f verdict  " if contents.officer else ""
    page = "Esc list  space more" if contents.dialogue.page is not Page.LIST else "up/down  Enter scan"
    return Text(f"{page}  v view  m heat  {verdicts}? help  q quit", style="dim")
