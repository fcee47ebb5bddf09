"""Errors of what is kept and of where it is kept: try later, or call for help."""

from edge_agent.errors.root import EdgeAgentError


class TryLater(EdgeAgentError):
    """Nothing is wrong with the input: release, back off, try again."""

    code = "try-later"
    hint = "The agent tries again by itself."


class DropUnavailable(TryLater):
    """The scanner's folder or a member cannot be reached now (share unmounted, file locked)."""

    code = "drop-unavailable"
    hint = "Check that the scanner's share is mounted."


class MemberChanged(TryLater):
    """A member changed while it was copied."""

    code = "member-changed"
    hint = "The scanner is still writing; the agent waits."


class DecoderUnavailable(TryLater):
    """The decode child does not start: nothing is known against the file in hand."""

    code = "decoder-unavailable"
    hint = "Look for the decode child's own words in the journal; the installation may be incomplete or the memory too small."


class LedgerBusy(TryLater):
    """Another process holds the ledger."""

    code = "ledger-busy"
    hint = "Only one agent may use a state_dir; stop the other one."


class DiskLow(TryLater):
    """There is not enough free space to accept a scan."""

    code = "disk-low"
    hint = "Free space on the state_dir's file system; scans stay with the scanner until then."


class LedgerDamaged(EdgeAgentError):
    """The ledger failed its integrity check, or its chain does not verify."""

    code = "ledger-damaged"
    hint = "Stop the agent, keep the file, restore the last backup (it starts a new epoch)."


class StatesUnreadable(TryLater):
    """The file in which headquarters' collector says how its sites stand is absent, or not one of this version's."""

    code = "states-unreadable"
    hint = "Start the collector: it writes the file beside its archive. Check that this user may read there."


class ArchiveBusy(TryLater):
    """Another process holds headquarters' archive."""

    code = "archive-busy"
    hint = "Only one collector may write an archive; stop the other one. Reports may be read beside it."


class ArchiveAway(TryLater):
    """The PostgreSQL server that holds headquarters' archive does not answer, or ended the connection."""

    code = "archive-away"
    hint = "Start the server, or mend the address and password in `archive`; the collector goes on by itself when it answers."


class ArchiveDamaged(EdgeAgentError):
    """Headquarters' archive is not a database of ours, or failed its integrity check."""

    code = "archive-damaged"
    hint = "Stop the collector, keep the file, restore a backup; the sites send again what is missing."


class LedgerFailed(EdgeAgentError):
    """The file system refused to read, write or sync the ledger: end the process, nothing unsynced counts."""

    code = "ledger-failed"
    hint = "Look at the kernel's log and the disk under state_dir; the ledger must lie on a local file system."


class LedgerAbsent(LedgerFailed):
    """There is no ledger where one is to be read."""

    code = "ledger-absent"
    hint = "Check the path; --state-dir is state_dir of agent.toml. The daemon makes a site's ledger at its first start."


class BlobMissing(EdgeAgentError):
    """No blob has this SHA-256."""

    code = "blob-missing"
    hint = "Retention may have removed the picture; the assessment that names it remains."


class BlobDamaged(EdgeAgentError):
    """The bytes of a blob do not have the SHA-256 that names it."""

    code = "blob-damaged"
    hint = "The disk altered a stored picture; it is not shown. Check the disk."
