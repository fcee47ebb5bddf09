"""What may enter a hash-chained body: tokens instead of identifiers, words of a catalogue instead of free text.

A body can never be changed afterwards, so a name typed into it could never be erased. Identifiers become tokens (their values
live in the site's erasable identity table); parameters of reasons are numbers or single catalogue words.
"""

import re
from collections.abc import Iterable, Mapping

from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.errors import FreeTextRefused, MalformedMessage
from edge_agent.wire.messages import CodeParams, FoundPart, Scalar

_WORD = re.compile(r"[a-z]+(-[a-z0-9]{1,12}){0,5}|[0-9]{1,6}")
_TARIFF = re.compile(r"([0-9]{2,12})?")
_QUANTITY = re.compile(r"([0-9]{1,9}(\.[0-9]{1,3})?( [a-z]{1,12})?)?")
_JOINERS = {0x200C: None, 0x200D: None}
"""No letters, so not called printable, but Hindi, Persian and other languages cannot be written without them."""
_MAX_WORD = 40
_MAX_OFFICER = 128


def officer_identity(reference: str) -> IdentityValue:
    """Give the identity behind an officer's reference, the same for every way of spacing it.

    Raises:
        MalformedMessage: the reference is empty, too long, or holds control characters.
    """
    value = " ".join(reference.split())
    if not value or len(value) > _MAX_OFFICER or not value.isprintable():
        raise MalformedMessage("an officer's reference has 1 to 128 printable characters", {"length": len(value)})
    return IdentityValue(IdentityClass.OFFICER, value)


def note_identity(text: str) -> IdentityValue:
    """Give the identity behind what an officer wrote beside a verdict: free text is personal data.

    Raises:
        MalformedMessage: it holds control characters other than line ends, or marks that turn the direction of writing.
    """
    value = "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
    if not all(line.isprintable() for line in value.translate(_JOINERS).split("\n")):
        raise MalformedMessage("a note has printable characters", {"length": len(value)})
    return IdentityValue(IdentityClass.NOTE, value)


def refuse_free_text(reasons: Iterable[CodeParams]) -> None:
    """Let only catalogue words and numbers pass.

    Raises:
        FreeTextRefused: a code, a parameter's name or its text is not a single lower-case word.
    """
    for reason in reasons:
        _word("code", reason.code)
        _params(reason.params)


def refuse_free_text_found(found: Iterable[FoundPart]) -> None:
    """Let only catalogue words, tariff headings and quantities pass.

    Raises:
        FreeTextRefused: anything else.
    """
    for part in found:
        for what, text in (("what", part.what), ("where", part.where), ("concealment", part.concealment), ("form", part.form)):
            if text or what == "what":
                _word(what, text)
        if _TARIFF.fullmatch(part.hs) is None or _QUANTITY.fullmatch(part.quantity) is None:
            raise FreeTextRefused("a tariff heading has digits only, a quantity is a number with one word", {"length": len(part.quantity)})


def _params(params: Mapping[str, Scalar]) -> None:
    for name, value in params.items():
        _word("parameter name", name.replace("_", "-"))
        if isinstance(value, str):
            _word(f"parameter {name}", value)


def _word(what: str, text: str) -> None:
    # The refused text itself stays out of the error: errors are logged, and logs carry no personal data.
    if len(text) > _MAX_WORD or _WORD.fullmatch(text) is None:
        raise FreeTextRefused(f"{what.split(' ', maxsplit=1)[0]} is not a word of the catalogue", {"length": len(text)})
