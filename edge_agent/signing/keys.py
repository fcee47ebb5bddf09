"""Ed25519 keys (RFC 8032): pairs in files, signatures over bytes, fingerprints for people to compare.

A key pair is two small TOML files: ``<name>.sign`` (public, may be published) and ``<name>.sign_secret`` (mode 0600, both halves).
A public key is written ``ed25519:`` and 44 characters of base64. Every signature is bound to a purpose, so that one made for a
bundle can never pass for one of a journal.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AfterValidator

from edge_agent.errors import ConfigInvalid, SignatureInvalid, SigningKeyUnusable
from edge_agent.signing.key_file import read_key_file, write_key_file

PUBLIC_SUFFIX = ".sign"
SECRET_SUFFIX = ".sign_secret"  # noqa: S105 - the end of a file's name
_SCHEME = "ed25519:"
_KEY_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """The public half: 32 bytes."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ed25519:<base64>``.

        Raises:
            ConfigInvalid: it is not a public key of that form.
        """
        try:
            raw = base64.b64decode(text.removeprefix(_SCHEME).encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raw = b""
        if not text.startswith(_SCHEME) or len(raw) != _KEY_BYTES:
            raise ConfigInvalid("not a public signing key: `ed25519:` and 44 characters of base64 are expected", {"length": len(text)})
        return cls(raw)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the public half from a key file of either kind.

        Raises:
            SigningKeyUnusable: absent, or no key file.
        """
        return cls(_load(path).public.raw)

    @property
    def text(self) -> str:
        """The form that configuration files and signatures carry."""
        return _SCHEME + base64.b64encode(self.raw).decode()

    @property
    def fingerprint(self) -> str:
        """Eight groups of four hex digits (SHA-256 of the key) for people to compare over the telephone."""
        digest = hashlib.sha256(self.raw).hexdigest()
        return " ".join(digest[i : i + 4] for i in range(0, 32, 4))

    def verify(self, purpose: str, message: bytes, signature: bytes) -> None:
        """Check a signature that ``SigningKey.sign`` made for the same purpose.

        Raises:
            SignatureInvalid: another key, another purpose or other bytes.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, _bound(purpose, message))
        except InvalidSignature as problem:
            raise SignatureInvalid("the signature does not fit the content", {"purpose": purpose}) from problem


def _public(text: str) -> str:
    try:
        VerifyKey.parse(text)
    except ConfigInvalid as problem:
        raise ValueError(problem.detail) from problem
    return text


PublicKeyText = Annotated[str, AfterValidator(_public)]
"""A public signing key as configuration files give it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Both halves. The secret one never shows in a text form of this object."""

    name: str
    public: VerifyKey
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls, name: str) -> Self:
        """Make a key pair from the system's randomness.

        Raises:
            ConfigInvalid: the name cannot be a file's name.
        """
        if _NAME.fullmatch(name) is None:
            raise ConfigInvalid(f"a key's name has lower-case letters, digits, dot, dash, underscore: {name[:64]!r}")
        return cls._of(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a secret key file.

        Raises:
            SigningKeyUnusable: absent, not a regular file, open to group or others, or its halves do not belong together.
        """
        found = _load(path)
        if found.is_open_to_others:
            raise SigningKeyUnusable(f"the secret key {path} is open to others: its mode must be 0600")
        if len(found.secret) != _KEY_BYTES:
            raise SigningKeyUnusable(f"{path} holds no secret key")
        pair = cls._of(found.name, Ed25519PrivateKey.from_private_bytes(found.secret))
        if pair.public != found.public:
            raise SigningKeyUnusable(f"the halves of the key in {path} do not belong together")
        return pair

    @classmethod
    def _of(cls, name: str, key: Ed25519PrivateKey) -> Self:
        return cls(name, VerifyKey(key.public_key().public_bytes_raw()), key.private_bytes_raw())

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write the public and the secret file and give their paths; the secret one is never readable by others, not for a moment.

        Raises:
            ConfigInvalid: a key of that name exists (it is never overwritten), or the folder cannot be written.
        """
        public, secret = folder / (self.name + PUBLIC_SUFFIX), folder / (self.name + SECRET_SUFFIX)
        shown = f'name = "{self.name}"\npublic = "{self.public.text}"\n'
        write_key_file(secret, shown + f'secret = "{base64.b64encode(self.secret).decode()}"\n', 0o600)
        write_key_file(public, f"# fingerprint {self.public.fingerprint}\n" + shown, 0o644)
        return public, secret

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Give the 64 bytes of a signature over ``message`` for ``purpose`` (a short word, such as ``bundle``)."""
        return Ed25519PrivateKey.from_private_bytes(self.secret).sign(_bound(purpose, message))


def _bound(purpose: str, message: bytes) -> bytes:
    """Give what is really signed: the purpose cannot run into the message, for a purpose has no zero byte."""
    return b"edge-agent/" + purpose.encode() + b"\0" + message


@dataclass(frozen=True, slots=True)
class _Content:
    name: str
    public: VerifyKey
    secret: bytes = field(repr=False)
    is_open_to_others: bool


def _load(path: Path) -> _Content:
    try:
        found = read_key_file(path)
        secret = base64.b64decode(found.secret, validate=True)
        return _Content(found.name, VerifyKey.parse(found.public), secret, found.is_open_to_others)
    except (ValueError, ConfigInvalid) as problem:  # of base64 too, whose error is a ValueError
        raise SigningKeyUnusable(f"{path} cannot be read as a signing key") from problem
