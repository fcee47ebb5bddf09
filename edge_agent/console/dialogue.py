"""Keys in, decisions out: how an officer chooses a scan and a verdict. Pure; the terminal draws it and sends what it gives.

No single key sends a verdict: a word is chosen, reasons may be added, and Enter sends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from edge_agent.console.board import ScanRow
from edge_agent.console.catalogue import VERDICT_REASONS
from edge_agent.console.client import Decision, OfficerWord
from edge_agent.domain.ids import ScanId
from edge_agent.wire.messages import CodeParams

WORDS: dict[str, OfficerWord] = {"s": "suspicious", "n": "not-suspicious", "r": "rescan", "f": "refer"}
_WITHOUT_PICTURE = ("rescan", "refer")
_REASON_CODES = tuple(VERDICT_REASONS)
_SEQUENCES = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down", "\x1b": "escape", "\r": "enter", "\n": "enter"}
_SEQUENCES |= {"\x1b[5~": "back", "\x1b[6~": " "}
_LONGEST = 4
_SCROLL_LINES = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """A verdict being made."""

    scan: ScanRow
    word: OfficerWord
    reasons: tuple[str, ...] = ()


class Page(Enum):
    """What fills the screen."""

    LIST = "list"
    SCAN = "scan"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Which scan is chosen (None: the newest), the verdict being made, and what to tell the officer.

    ``view``: which of the scan's views is drawn, counted up without end; ``has_heat``: with its heat map; ``scroll``: lines of the scan's
    page that are above the screen.
    """

    chosen: str | None = None
    draft: Draft | None = None
    message: str = ""
    page: Page = Page.LIST
    view: int = 0
    has_heat: bool = True
    scroll: int = 0


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave the console."""


@dataclass(frozen=True, slots=True)
class Again:
    """Send the last unconfirmed decision again."""


Action: TypeAlias = Decision | Quit | Again | None


def keys_in(text: str) -> list[str]:
    """Give the keys in what a terminal sent: letters as they are, ``up``, ``down``, ``enter``, ``escape``; other sequences are left out."""
    keys: list[str] = []
    while text:
        for length in range(min(_LONGEST, len(text)), 0, -1):
            if text[:length] in _SEQUENCES or length == 1:
                break
        key = _SEQUENCES.get(text[:length], text[:length])
        if len(key) > 1 or key.isprintable():
            keys.append(key)
        text = text[length:]
    return keys


def press(dialogue: Dialogue, key: str, rows: Sequence[ScanRow], officer: str) -> tuple[Dialogue, Action]:
    """Take one key. ``rows``: the scans shown, newest first; ``officer``: empty when nobody is named, then nothing can be sent."""
    if dialogue.draft is not None:
        return _drafting(dialogue, dialogue.draft, key, officer)
    if key in _ACTIONS:
        return dialogue, _ACTIONS[key]
    if key in ("up", "down", "k", "j"):
        chosen = _moved(dialogue.chosen, rows, -1 if key in ("up", "k") else 1)
        return replace(dialogue, chosen=chosen, message="", view=0, scroll=0), None
    if key in WORDS:
        return _begun(dialogue, WORDS[key], rows, officer), None
    return _looked(dialogue, key, rows), None


_ACTIONS: dict[str, Quit | Again] = {"q": Quit(), "t": Again()}


def _looked(dialogue: Dialogue, key: str, rows: Sequence[ScanRow]) -> Dialogue:
    """Take a key that only changes what is looked at. Whoever opens a scan stays with it when newer ones come."""
    if key == "enter" and dialogue.page is Page.LIST:
        row = chosen_row(dialogue, rows)
        return replace(dialogue, page=Page.SCAN, chosen=row.scan_id, scroll=0) if row is not None else dialogue
    match key:
        case "?":
            return replace(dialogue, page=Page.LIST if dialogue.page is Page.HELP else Page.HELP)
        case "enter" | "escape":
            return replace(dialogue, page=Page.LIST, message="")
        case "v" | "m":
            return replace(dialogue, view=dialogue.view + (key == "v"), has_heat=dialogue.has_heat ^ (key == "m"))
        case " " | "back" | "b":
            return replace(dialogue, scroll=max(dialogue.scroll + (_SCROLL_LINES if key == " " else -_SCROLL_LINES), 0))
    return dialogue


def chosen_row(dialogue: Dialogue, rows: Sequence[ScanRow]) -> ScanRow | None:
    """Give the row that the next verdict is about."""
    for row in rows:
        if row.scan_id == dialogue.chosen:
            return row
    return rows[0] if rows else None


def needs_reason(draft: Draft) -> bool:
    """Tell whether the site would refuse this verdict for want of a reason."""
    return draft.scan.conclusion == "alert" and draft.word == "not-suspicious" and not draft.reasons


def _begun(dialogue: Dialogue, word: OfficerWord, rows: Sequence[ScanRow], officer: str) -> Dialogue:
    row = chosen_row(dialogue, rows)
    if not officer:
        return replace(dialogue, message="start with --officer to send verdicts")
    if row is None:
        return replace(dialogue, message="there is no scan to decide about")
    if row.conclusion == "set-aside" and word not in _WITHOUT_PICTURE:
        return replace(dialogue, message="nobody saw this scan's picture: only rescan (r) or refer (f)")
    return replace(dialogue, chosen=row.scan_id, draft=Draft(row, word), message="")


def _drafting(dialogue: Dialogue, draft: Draft, key: str, officer: str) -> tuple[Dialogue, Action]:
    if key == "escape":
        return replace(dialogue, draft=None, message="not sent"), None
    if key.isdecimal() and 1 <= int(key) <= len(_REASON_CODES):
        return replace(dialogue, draft=_toggled(draft, _REASON_CODES[int(key) - 1]), message=""), None
    if key != "enter":
        return dialogue, None
    if needs_reason(draft):
        return replace(dialogue, message="against an alert: give a reason first (keys 1 to 9)"), None
    reasons = [CodeParams(code=code) for code in draft.reasons]
    decision = Decision(ScanId(draft.scan.scan_id), draft.scan.revision, draft.word, officer, reasons)
    return replace(dialogue, draft=None, message="sending"), decision


def _toggled(draft: Draft, code: str) -> Draft:
    if code in draft.reasons:
        return replace(draft, reasons=tuple(given for given in draft.reasons if given != code))
    # A referral carries one reason only.
    return replace(draft, reasons=(code,) if draft.word == "refer" else (*draft.reasons, code))


def _moved(chosen: str | None, rows: Sequence[ScanRow], step: int) -> str | None:
    if not rows:
        return None
    places = [index for index, row in enumerate(rows) if row.scan_id == chosen]
    place = places[0] + step if places else 0 if step < 0 else min(1, len(rows) - 1)
    return rows[min(max(place, 0), len(rows) - 1)].scan_id
