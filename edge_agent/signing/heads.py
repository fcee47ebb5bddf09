"""Heads of a journal, signed and checked; ``wire.heads`` says what the statement holds."""

from edge_agent.domain.ids import SiteId
from edge_agent.errors import SignerUnknown
from edge_agent.signing.keys import SigningKey, VerifyKey
from edge_agent.wire.chain import JournalHead
from edge_agent.wire.heads import SignedHead, statement

PURPOSE = "journal-head"


def sign_head(key: SigningKey, site: SiteId, head: JournalHead, at_us: int) -> SignedHead:
    """Give the site's statement about the last row of its journal, made ``at_us`` microseconds after 1970."""
    signature = key.sign(PURPOSE, statement(site, head.epoch, head.seq, head.hash, at_us))
    return SignedHead(site, head.epoch, head.seq, head.hash, at_us, key.public.raw, signature)


def check_head(head: SignedHead, believed: VerifyKey | None) -> None:
    """Check the signature, and that ``believed`` made it; with None, that the key which the head itself names did.

    Raises:
        SignatureInvalid: the statement was altered, or is one of another site or purpose.
        SignerUnknown: well signed, by another key.
    """
    key = VerifyKey(head.key)
    key.verify(PURPOSE, head.statement, head.signature)
    if believed is not None and key != believed:
        raise SignerUnknown(f"the journal is signed with key {key.fingerprint}, which is not the site's", {"fingerprint": key.fingerprint})
