"""Looks into the write-ahead log before SQLite does: SQLite ends its log at the first frame that does not fit, without a word.

After a power cut that is right for the last transaction, which nobody was told of. But every transaction was synced before the next
began, so a misfit with a whole later transaction behind it is no torn end: it is damage, and commits that were promised would go.
The layout is SQLite's (file format, section 4: the write-ahead log).
"""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import LedgerDamaged

_HEADER, _FRAME_HEADER = struct.Struct(">8I"), struct.Struct(">6I")
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Frame:
    fits: bool
    is_commit: bool


def check_log(ledger: Path) -> None:
    """Refuse a log that lost commits in its middle; nothing happens where there is no log. Some 0.3 s for a thousand pages.

    Raises:
        LedgerDamaged.
    """
    try:
        content = ledger.with_name(f"{ledger.name}-wal").read_bytes()
    except FileNotFoundError:
        return
    is_behind = is_closed = False
    for number, frame in enumerate(_frames(content)):
        is_behind = is_behind or not frame.fits
        if is_behind and frame.is_commit:
            if is_closed and frame.fits:
                raise LedgerDamaged("the write-ahead log is damaged before its end: commits would be lost", {"frame": number})
            is_closed = True


def _frames(content: bytes) -> Iterator[_Frame]:
    """Give the frames of the log's present generation; each is held against the checksum that the one before it carries."""
    if len(content) < _HEADER.size:
        return
    magic, _, page, _, *salts, first, second = _HEADER.unpack_from(content)
    if magic not in (_LITTLE, _BIG) or page < 512:
        return
    size = _FRAME_HEADER.size + page
    for start in range(_HEADER.size, len(content) - size + 1, size):
        _, pages_after, *own, stored_first, stored_second = _FRAME_HEADER.unpack_from(content, start)
        if own != salts:
            return
        covered = content[start : start + 8] + content[start + _FRAME_HEADER.size : start + size]
        found = _checksum(covered, first, second, is_big=magic == _BIG)
        yield _Frame(found == (stored_first, stored_second), pages_after != 0)
        first, second = stored_first, stored_second


def _checksum(content: bytes, first: int, second: int, *, is_big: bool) -> tuple[int, int]:
    words = array("I", content)
    if is_big != (struct.pack("=H", 1) == b"\0\1"):
        words.byteswap()
    for number in range(0, len(words), 2):
        first = (first + words[number] + second) & _WORD
        second = (second + words[number + 1] + first) & _WORD
    return first, second
