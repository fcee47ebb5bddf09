"""Detached signatures: a small JSON file beside the document it vouches for, and the list of keys that are believed."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.errors import ConfigInvalid, SignatureInvalid, SignerUnknown
from edge_agent.signing.keys import SigningKey, VerifyKey


class _SignatureFile(BaseModel):
    """The file. ``name``: what the signer calls the key, for people; only ``key`` is compared with what is trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["signature/1"] = "signature/1"
    purpose: str
    name: Annotated[str, Field(max_length=63)]
    key: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(max_length=128)]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures are believed. ``is_checked`` False is for the workshop only: bundles in the making have no signature yet."""

    keys: frozenset[VerifyKey]
    is_checked: bool = True

    @classmethod
    def of(cls, keys: Iterable[VerifyKey]) -> Self:
        """Believe exactly these keys."""
        return cls(frozenset(keys))


WORKSHOP = Trust(frozenset(), is_checked=False)
"""For training, benchmarks and tests, which run bundles that nobody signed; the daemon and the commands never use it."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who vouches for a document: the name the signer gave the key, and the key."""

    name: str
    key: VerifyKey


def sign_document(key: SigningKey, purpose: str, document: bytes) -> bytes:
    """Give the bytes of a signature file over the SHA-256 of ``document``."""
    digest = hashlib.sha256(document)
    signature = base64.b64encode(key.sign(purpose, digest.digest())).decode()
    content = _SignatureFile(purpose=purpose, name=key.name, key=key.public.text, sha256=digest.hexdigest(), signature=signature)
    return content.model_dump_json(indent=1).encode() + b"\n"


def check_document(raw: bytes, purpose: str, document: bytes, trust: Trust) -> Signer:
    """Give who vouches for ``document`` in the signature file ``raw``.

    Raises:
        SignatureInvalid: no signature file, made for another purpose, or the document is not the one that was signed.
        SignerUnknown: the signature fits, but its key is not trusted here.
    """
    try:
        content = _SignatureFile.model_validate_json(raw)
        key, signature = VerifyKey.parse(content.key), base64.b64decode(content.signature, validate=True)
    except (ValidationError, ConfigInvalid, binascii.Error) as problem:
        raise SignatureInvalid("this is no signature file") from problem
    digest = hashlib.sha256(document)
    if content.purpose != purpose or content.sha256 != digest.hexdigest():
        raise SignatureInvalid("the signature is one of another document", {"purpose": content.purpose[:40]})
    key.verify(purpose, digest.digest(), signature)
    if trust.is_checked and key not in trust.keys:
        raise SignerUnknown(f"signed with key {key.fingerprint}, which is not trusted here", {"fingerprint": key.fingerprint})
    return Signer(content.name, key)
