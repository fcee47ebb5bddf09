"""Signed heads: what a site states about its own journal, so that it can neither deny nor rewrite it later.

A head says "row ``seq`` of my journal has this chain hash", and with it every row before. The statement that is signed is fixed to the
byte: epoch (16), number (8, big-endian), hash (32), moment in microseconds since 1970 (8, big-endian), then the site's name in UTF-8.
"""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.domain.ids import Seq, SiteId

ROWS_BETWEEN = 100
SECONDS_BETWEEN = 60.0
"""A site signs after so many rows, or after so long when there was at least one."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """``hash``: chain hash of row ``seq`` (32 bytes); ``key``: public Ed25519 key (32 bytes); ``signature``: 64 bytes."""

    site: SiteId
    epoch: bytes
    seq: Seq
    hash: bytes
    at_us: int
    key: bytes
    signature: bytes

    @property
    def statement(self) -> bytes:
        """The bytes under the signature."""
        return statement(self.site, self.epoch, self.seq, self.hash, self.at_us)


def statement(site: SiteId, epoch: bytes, seq: Seq, digest: bytes, at_us: int) -> bytes:
    """Give the bytes to sign; only the last part has no fixed length, so no two statements share their bytes."""
    return epoch + seq.to_bytes(8, "big") + digest + at_us.to_bytes(8, "big") + site.encode()


class SignedHeadPart(BaseModel):
    """A signed head in JSON: bytes as lower-case hex. The site stands beside it, in the message or file that carries it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    epoch: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    seq: Annotated[int, Field(ge=1, lt=1 << 63)]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    at_us: Annotated[int, Field(ge=0, lt=1 << 63)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]

    @classmethod
    def of(cls, head: SignedHead) -> Self:
        """Give the JSON form of a head."""
        return cls(
            epoch=head.epoch.hex(),
            seq=head.seq,
            hash=head.hash.hex(),
            at_us=head.at_us,
            key=head.key.hex(),
            signature=head.signature.hex(),
        )

    def head(self, site: SiteId) -> SignedHead:
        """Give the head as one of ``site``; only the signature tells whether it is."""
        return SignedHead(
            site,
            bytes.fromhex(self.epoch),
            Seq(self.seq),
            bytes.fromhex(self.hash),
            self.at_us,
            bytes.fromhex(self.key),
            bytes.fromhex(self.signature),
        )
