"""Signed heads in the ledger: what this site stated about its journal, kept beside the rows they speak of."""

from collections.abc import Iterator

import apsw

from edge_agent.domain.ids import Seq, SiteId
from edge_agent.signing.heads import sign_head
from edge_agent.signing.keys import SigningKey
from edge_agent.wire.chain import JournalHead
from edge_agent.wire.heads import SignedHead

_COLUMNS = "SELECT epoch, seq, hash, at_us, key, signature FROM head "


class Heads:
    """Reads and adds signed heads; its caller holds the transaction.

    A restored ledger goes on with the chain of the one it was copied from, so heads of earlier epochs still speak of its rows.
    """

    def __init__(self, connection: apsw.Connection, site: SiteId) -> None:
        self._db = connection
        self._site = site

    def sign(self, head: JournalHead, key: SigningKey, at_us: int) -> SignedHead | None:
        """State the last row of the journal; None when there is no row, or it was stated before by the same key."""
        known = self.newest(head.epoch)
        if head.seq < 1 or (known is not None and (known.seq, known.key) == (head.seq, key.public.raw)):
            return None
        signed = sign_head(key, self._site, head, at_us)
        self._db.execute(
            "INSERT OR REPLACE INTO head (epoch, seq, hash, at_us, key, signature) VALUES (?,?,?,?,?,?)",
            (signed.epoch, signed.seq, signed.hash, signed.at_us, signed.key, signed.signature),
        )
        return signed

    def newest(self, epoch: bytes) -> SignedHead | None:
        """Give the last head of an epoch."""
        return next(self._found("WHERE epoch = ? ORDER BY seq DESC LIMIT 1", (epoch,)), None)

    def page(self, after: tuple[Seq, bytes], limit: int) -> list[SignedHead]:
        """Give the next heads of all epochs in the order of their rows; ``after``: number and epoch of the last one given."""
        return list(self._found("WHERE (seq, epoch) > (?, ?) ORDER BY seq, epoch LIMIT ?", (*after, limit)))

    def _found(self, where: str, values: tuple[bytes | int, ...]) -> Iterator[SignedHead]:
        for epoch, seq, digest, at_us, key, signature in self._db.execute(_COLUMNS + where, values):
            yield SignedHead(self._site, epoch, Seq(seq), digest, at_us, key, signature)
