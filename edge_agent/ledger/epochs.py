"""Epochs: when the numbers of a journal might be told a second time with another content, they are told under a new epoch.

That is so after a restore, and when the file turns out to be a copy of the one that was written last: a state directory that was
cloned to a second machine, put back by hand, or moved. The rows and their hashes stay; consumers that followed the old epoch begin
the new one from its first row, and count each fact once.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import apsw

from edge_agent.domain.ids import SiteId
from edge_agent.ledger.audit import audit_entry
from edge_agent.ledger.connection import one
from edge_agent.ledger.journal import Journal
from edge_agent.wire.chain import EPOCH_BYTES
from edge_agent.wire.messages import CodeParams

MOVED = "ledger-moved"
RESTORED = "ledger-restored"
"""Codes of the audit facts that say why an epoch began."""

_MACHINE_ID = Path("/etc/machine-id")
_MOST = (1 << 63) - 1
"""The largest number that SQLite holds; some file systems number their files with 64 bits."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger's file lies. ``machine``: digest of the machine's identity, empty where it has none; ``inode``: the file's number.

    A copy has another inode, on the same disk always, elsewhere nearly always. An image of the whole disk has the same; it is told by
    the machine, unless that identity was copied too. Then only the consumers notice: both copies number rows that differ.
    """

    machine: str
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look at an existing file."""
        try:
            machine = _MACHINE_ID.read_text().strip()
        except OSError:
            machine = ""
        # The identity itself is not to be published; a digest made for this one purpose tells as much as is needed (machine-id(5)).
        digest = hashlib.sha256(b"edge-agent ledger\0" + machine.encode()).hexdigest() if machine else ""
        return cls(digest, path.stat().st_ino & _MOST)

    def may_be(self, before: "Place") -> bool:
        """Say whether this can be the very file that was written last."""
        return self.inode == before.inode and (not self.machine or not before.machine or self.machine == before.machine)


def settle(connection: apsw.Connection, site: SiteId, place: Place, at: datetime) -> bool:
    """Note where the file is written from now on; when it is a copy, begin an epoch and say True. The caller holds the transaction."""
    machine, inode = one(connection, "SELECT machine, inode FROM meta")
    known = None if inode is None else Place(machine or "", inode)
    is_copy = known is not None and not place.may_be(known)
    if known != place:
        connection.execute("UPDATE meta SET machine = ?, inode = ?", (place.machine, place.inode))
    if is_copy:
        begin(connection, site, MOVED, at)
    return is_copy


def forget_place(connection: apsw.Connection) -> None:
    """Let the next opening take the file as it finds it; the caller holds the transaction and has begun an epoch."""
    connection.execute("UPDATE meta SET machine = NULL, inode = NULL")


def begin(connection: apsw.Connection, site: SiteId, why: str, at: datetime) -> bytes:
    """Begin an epoch, journal why, and give it; the caller holds the transaction.

    What consumers acknowledged was said of the old epoch: they must say it again before any row counts as theirs.
    """
    (before,) = one(connection, "SELECT epoch FROM meta")
    epoch = secrets.token_bytes(EPOCH_BYTES)
    connection.execute("UPDATE meta SET epoch = ?", (epoch,))
    connection.execute("DELETE FROM consumer")
    journal = Journal(connection, site, epoch)
    params = {"from_epoch": before.hex(), "rows": journal.head().seq}
    journal.append(audit_entry(site, CodeParams(code=why, params=params), f"epoch {epoch.hex()}", at), at)
    return epoch
