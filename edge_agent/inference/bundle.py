"""A bundle on disk, verified: model, card, labels, goods and golden cases, every file with the hash that the card gives.

``signature.json`` beside the card vouches for the card's bytes, and so for every file. The card's own hash stands in every
assessment.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.analysis.ports import DeclaredFamilies
from edge_agent.domain.assessment import BundleUse
from edge_agent.errors import (
    BundleCorrupt,
    BundleIncompatible,
    BundleNotAllowed,
    BundleUnsigned,
    BundleUntrusted,
    SignatureInvalid,
    SignerUnknown,
)
from edge_agent.inference.card import Card, read_card
from edge_agent.signing.detached import Signer, Trust, check_document, sign_document
from edge_agent.signing.keys import SigningKey

_MODEL = "model.onnx"
_GOODS = "goods.toml"
SIGNATURE = "signature.json"
_PURPOSE = "bundle"


class _Family(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    headings: tuple[Annotated[str, Field(pattern=r"^\d{4}$")], ...]
    words: str


class _GoodsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    families: Mapping[str, _Family]


@dataclass(frozen=True, slots=True)
class Goods:
    """Which goods family a declared heading belongs to."""

    family_of: Mapping[str, str]

    def headings(self, family: str) -> tuple[str, ...]:
        """Give the headings of a family, sorted."""
        return tuple(sorted(heading for heading, name in self.family_of.items() if name == family))

    def families(self, headings: Sequence[str]) -> DeclaredFamilies:
        """Map four-digit headings; the unlisted ones are named."""
        known = {self.family_of[heading] for heading in headings if heading in self.family_of}
        unlisted = tuple(sorted(heading for heading in set(headings) if heading not in self.family_of))
        return DeclaredFamilies(tuple(sorted(known)), unlisted)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle.

    ``model``: the very bytes that were hashed. ``use``: how it is named in assessments. ``signer``: None in the workshop only.
    """

    folder: Path
    card: Card
    use: BundleUse
    model: bytes
    goods: Goods | None
    signer: Signer | None = None

    @property
    def ref(self) -> str:
        """Give ``name/version``, as findings carry it."""
        return self.use.ref


def load_bundle(folder: Path, trust: Trust, *, allow_research: bool = False) -> Bundle:
    """Read and verify the bundle in ``folder``.

    Raises:
        BundleUnsigned, BundleUntrusted: nobody, or nobody whose key is in ``trust``, vouches for it.
        BundleCorrupt: a file is missing, extra, or altered, or cannot be read. BundleIncompatible: the card is not understood.
        BundleNotAllowed: research-only and not allowed.
    """
    card, raw = read_card(folder)
    signer = _vouched(folder, card, raw, trust)
    if card.research_only and not allow_research:
        raise BundleNotAllowed(f"bundle {card.name}/{card.version} is for research only")
    files = _verified(folder, card)
    if _MODEL not in files:
        raise BundleCorrupt(f"bundle {card.name}/{card.version} lists no {_MODEL}")
    goods = _goods(files.get(_GOODS), card)
    use = BundleUse(card.name, card.version, hashlib.sha256(raw).hexdigest(), card.state)
    return Bundle(folder, card, use, files[_MODEL], goods, signer)


def sign_bundle(folder: Path, key: SigningKey) -> Signer:
    """Write ``signature.json`` of a whole bundle, over an earlier one if there is one.

    Raises:
        BundleCorrupt, BundleIncompatible: it is not whole; a signature would vouch for something that cannot run.
    """
    card, raw = read_card(folder)
    _verified(folder, card)
    (folder / SIGNATURE).write_bytes(sign_document(key, _PURPOSE, raw))
    return Signer(key.name, key.public)


def _vouched(folder: Path, card: Card, raw: bytes, trust: Trust) -> Signer | None:
    """Check the signature over the card; in the workshop, where nothing is checked, a missing or stale one is passed over."""
    if not trust.is_checked:
        return None
    where = f"bundle {card.name}/{card.version}"
    try:
        signature = (folder / SIGNATURE).read_bytes()
    except OSError as problem:
        raise BundleUnsigned(f"{where} has no {SIGNATURE}") from problem
    try:
        return check_document(signature, _PURPOSE, raw, trust)
    except SignatureInvalid as problem:
        raise BundleCorrupt(f"{where}: {problem.detail}; its card or its signature was altered") from problem
    except SignerUnknown as problem:
        raise BundleUntrusted(f"{where}: {problem.detail}", problem.fields) from problem


def find_bundles(root: Path) -> list[Path]:
    """Give the folders ``root/<name>/<version>`` that hold a card, sorted; ``root`` itself where it is a bundle.

    Raises:
        BundleCorrupt: the folder cannot be read.
    """
    with _readable(root):
        if (root / "card.toml").is_file():
            return [root]
        return sorted(path.parent for path in root.glob("*/*/card.toml"))


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses, rights or sectors, into a bundle that cannot run: others may."""
    try:
        yield
    except OSError as problem:
        raise BundleCorrupt(f"{problem.filename or folder} cannot be read: {problem.strerror}") from problem


def _verified(folder: Path, card: Card) -> dict[str, bytes]:
    """Read every file of the bundle once, and compare it with the card."""
    with _readable(folder):
        present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"card.toml", SIGNATURE}
    if present != set(card.files):
        missing, extra = sorted(set(card.files) - present), sorted(present - set(card.files))
        raise BundleCorrupt(f"bundle {card.name}/{card.version}: missing files {missing}, unlisted files {extra}")
    files = {}
    for name, expected in card.files.items():
        with _readable(folder / name):
            data = (folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != expected:
            raise BundleCorrupt(f"bundle {card.name}/{card.version}: {name} was altered")
        files[name] = data
    return files


def _goods(raw: bytes | None, card: Card) -> Goods | None:
    if raw is None:
        if card.purpose == "contents":
            raise BundleIncompatible(f"contents bundle {card.name}/{card.version} lists no {_GOODS}")
        return None
    try:
        content = _GoodsFile.model_validate(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValidationError) as problem:
        raise BundleIncompatible(f"{_GOODS} of {card.name}/{card.version}: {problem}") from problem
    strangers = sorted(set(content.families) - set(card.labels.names))
    if strangers:
        raise BundleIncompatible(f"{_GOODS} of {card.name}/{card.version} has families without a class: {strangers}")
    return Goods({heading: name for name, family in content.families.items() for heading in family.headings})
