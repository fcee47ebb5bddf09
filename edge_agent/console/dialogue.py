"""Keys in, decisions out: how an officer chooses a scan and a verdict. Pure; the terminal draws it and sends what it gives.

No single key sends a verdict: a word is chosen, reasons may be added, and Enter sends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from edge_agent.console.board import ScanRow
from edge_agent.console.catalogue import VERDICT_REASONS
from edge_agent.console.client import Decision, OfficerWord
from edge_agent.domain.ids import ScanId
from edge_agent.wire.messages import CodeParams

WORDS: dict[str, OfficerWord] = {"s": "suspicious", "n": "not-suspicious", "r": "rescan", "f": "refer"}
_REASON_CODES = tuple(VERDICT_REASONS)
_SEQUENCES = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down", "\x1b": "escape", "\r": "enter", "\n": "enter"}
_LONGEST = 3


@dataclass(frozen=True, slots=True)
class Draft:
    """A verdict being made."""

    scan: ScanRow
    word: OfficerWord
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Which scan is chosen (None: the newest), the verdict being made, and what to tell the officer."""

    chosen: str | None = None
    draft: Draft | None = None
    message: str = ""


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
    if key == "q":
        return dialogue, Quit()
    if key == "t":
        return dialogue, Again()
    if key in ("up", "down", "k", "j"):
        return replace(dialogue, chosen=_moved(dialogue.chosen, rows, -1 if key in ("up", "k") else 1), message=""), None
    if key in WORDS:
        return _begun(dialogue, WORDS[key], rows, officer), None
    return dialogue, None


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
    if row is None or row.conclusion == "set-aside":
        return replace(dialogue, message="there is no assessment to decide about")
    return Dialogue(row.scan_id, Draft(row, word))


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
