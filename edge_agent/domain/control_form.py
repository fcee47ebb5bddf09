"""The form on which an examination's result is written: what is asked, when, and which answers it takes. Pure.

Codes and numbers only; words for people are the console's. A field is *asked* when nothing stands in its ``when``, or when another answer
is one of those named there: so a find of drugs asks form, packaging and purity, one of firearms calibre and pieces. The form's version
travels with each result. A minor version adds fields and choices and never takes one away, so an older result stays valid.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from edge_agent.errors import Scalar

MAX_TEXT = 2000
"""Characters of a remark."""
MAX_FINDS = 32
_WORD = re.compile(r"[a-z]+(-[a-z0-9]{1,12}){0,5}|[0-9]{1,6}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TARIFF = re.compile(r"[0-9]{2,12}")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")


class Kind(StrEnum):
    """What an answer is."""

    CHOICE = "choice"
    """One of ``choices``."""
    CHOICES = "choices"
    """A list of one or more of ``choices``, each once."""
    NUMBER = "number"
    """From ``low`` to ``high``."""
    COUNT = "count"
    """A whole number from ``low`` to ``high``."""
    QUANTITY = "quantity"
    """An amount and one of ``choices`` as its unit, such as ``12.5 kg``."""
    TARIFF = "tariff"
    """A heading of the Harmonised System: 2 to 12 digits."""
    WORD = "word"
    """One lower-case word, such as an office's code."""
    MOMENT = "moment"
    """A date and time with its zone, ISO 8601."""
    TEXT = "text"
    """Free text. It is personal data: it never enters a journal's body, only the site's erasable identity table."""


class Problem(StrEnum):
    """What can be wrong with an answer."""

    MISSING = "missing"
    NOT_ASKED = "not-asked"
    UNKNOWN_FIELD = "unknown-field"
    NOT_A_CHOICE = "not-a-choice"
    NOT_A_NUMBER = "not-a-number"
    OUT_OF_RANGE = "out-of-range"
    NOT_A_QUANTITY = "not-a-quantity"
    NOT_A_HEADING = "not-a-heading"
    NOT_A_WORD = "not-a-word"
    NOT_A_MOMENT = "not-a-moment"
    NOT_A_TEXT = "not-a-text"
    UNKNOWN_VERSION = "unknown-version"
    TOO_MANY = "too-many"


@dataclass(frozen=True, slots=True)
class When:
    """A field is asked when the answer to ``field``, of the same find or of the result, is one of ``values``."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One question. ``low`` and ``high`` bound numbers, both ends included; ``is_required`` counts where the field is asked."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    is_required: bool = False
    when: When | None = None
    low: float = 0.0
    high: float = 1e9


@dataclass(frozen=True, slots=True)
class Form:
    """``result``: asked once; ``find``: asked of each thing found. ``groups``: the choices of the find's field ``what`` by family."""

    version: str
    result: tuple[Field, ...]
    find: tuple[Field, ...]
    groups: Mapping[str, tuple[str, ...]]


_WHAT: Mapping[str, tuple[str, ...]] = {
    "drugs": (
        *("cannabis-herb", "cannabis-resin", "cocaine", "heroin", "opium", "methamphetamine", "amphetamine", "mdma", "ketamine"),
        *("synthetic-opioid", "new-psychoactive", "khat", "drug-precursor", "drug-other"),
    ),
    "medicines": ("medicine", "doping-substance"),
    "cigarettes": ("cigarettes", "cigars", "e-cigarettes"),
    "tobacco": ("raw-tobacco", "water-pipe-tobacco", "chewing-tobacco"),
    "firearms": ("handgun", "rifle", "shotgun", "machine-gun", "air-gun", "firearm-part"),
    "ammunition": ("ammunition",),
    "explosives": ("explosive", "detonator", "grenade", "firework", "explosive-precursor"),
    "weapons": ("knife", "electric-shock-device", "irritant-spray", "weapon-other"),
    "currency": ("banknotes", "coins", "bearer-instrument"),
    "precious": ("gold", "silver", "platinum", "jewellery", "gemstones"),
    "wildlife": ("ivory", "rhino-horn", "pangolin-scales", "live-animal", "animal-part", "protected-timber", "protected-plant"),
    "counterfeit": ("counterfeit-goods",),
    "alcohol": ("spirits", "wine-or-beer"),
    "persons": ("hidden-person",),
    "hazardous": ("waste", "radioactive-material", "chemical", "ozone-depleting-substance", "mercury"),
    "strategic": ("dual-use-goods", "military-goods", "drone"),
    "culture": ("cultural-object",),
    "goods": ("undeclared-goods", "misdeclared-goods", "excess-goods", "vehicle", "fuel", "foodstuff", "textiles", "electronics", "other"),
}
_EXAMINED = When("conclusion", ("found", "nothing-found"))
_FOUND = When("conclusion", ("found",))


def _of(*families: str) -> When:
    return When("what", tuple(code for family in families for code in _WHAT[family]))


_RESULT = (
    Field("conclusion", Kind.CHOICE, ("found", "nothing-found", "not-examined"), is_required=True),
    Field("office", Kind.WORD, is_required=True),
    Field("examined_at", Kind.MOMENT, is_required=True),
    Field(
        "methods",
        Kind.CHOICES,
        (
            *("doors-opened", "partial-unloading", "full-unloading", "vehicle-search", "second-scan", "endoscope", "drilling", "weighing"),
            *("dog", "trace-detection", "field-test", "laboratory-test", "documents-check", "other"),
        ),
        when=_EXAMINED,
    ),
    Field(
        "irregularity",
        Kind.CHOICE,
        (
            *("smuggling", "undeclared", "misdeclared-kind", "misdeclared-quantity", "misdeclared-value", "misdeclared-origin"),
            *("prohibited-goods", "licence-missing", "counterfeit", "seal-broken", "documents-false", "other"),
        ),
        is_required=True,
        when=_FOUND,
    ),
    Field(
        "disposal",
        Kind.CHOICE,
        ("released", "released-on-payment", "detained", "seized", "handed-over", "sent-back", "destroyed"),
        when=_EXAMINED,
    ),
    Field(
        "why_not",
        Kind.CHOICE,
        ("released-before", "left-the-site", "no-staff", "no-space", "documents-sufficed", "other-authority", "other"),
        when=When("conclusion", ("not-examined",)),
    ),
    Field("remarks", Kind.TEXT),
)

_FIND = (
    Field("what", Kind.CHOICE, tuple(code for codes in _WHAT.values() for code in codes), is_required=True),
    Field(
        "where",
        Kind.CHOICE,
        (
            *(
                "front",
                "middle",
                "rear",
                "whole-load",
                "floor",
                "roof",
                "walls",
                "doors",
                "refrigeration-unit",
                "cab",
                "fuel-tank",
                "wheels",
            ),
            *("chassis", "engine", "luggage", "parcel", "on-person", "elsewhere"),
        ),
    ),
    Field("hs", Kind.TARIFF),
    Field("quantity", Kind.QUANTITY, ("kg", "g", "l", "ml", "pieces", "packages", "m")),
    Field(
        "concealment",
        Kind.CHOICE,
        (
            *("none", "among-goods", "inside-goods", "false-floor", "false-wall", "false-roof", "hollow-structure", "in-machinery"),
            *("in-liquid", "rip-off", "in-vehicle-structure", "in-packaging", "impregnated", "shielded", "on-body", "other"),
        ),
    ),
    Field(
        "form",
        Kind.CHOICE,
        (
            *("powder", "crystals", "tablets", "capsules", "resin", "herbal", "liquid", "paste", "plants", "seeds", "impregnated-material"),
            *("bars", "sheet", "wire", "granules", "raw", "worked"),
        ),
        when=_of("drugs", "medicines", "explosives", "precious", "tobacco", "hazardous"),
    ),
    Field(
        "packaging",
        Kind.CHOICE,
        (
            *("bricks", "bags", "vacuum-packs", "bottles", "ampoules", "blisters", "pellets", "cans", "drums", "original-packaging"),
            *("cartons", "loose"),
        ),
        when=_of("drugs", "medicines", "cigarettes", "tobacco", "alcohol", "hazardous"),
    ),
    Field("purity_percent", Kind.NUMBER, when=_of("drugs"), high=100.0),
    Field("doses", Kind.COUNT, when=_of("medicines")),
    Field("sticks", Kind.COUNT, when=_of("cigarettes")),
    Field("calibre_mm", Kind.NUMBER, when=_of("firearms", "ammunition"), low=1.0, high=400.0),
    Field("pieces", Kind.COUNT, when=_of("firearms", "weapons", "explosives", "counterfeit", "culture"), low=1.0),
    Field("rounds", Kind.COUNT, when=_of("ammunition"), low=1.0),
    Field("condition", Kind.CHOICE, ("complete", "in-parts", "deactivated", "converted", "replica"), when=_of("firearms")),
    Field("currency", Kind.WORD, when=_of("currency")),
    Field("face_value", Kind.NUMBER, when=_of("currency"), high=1e12),
    Field("fineness_permille", Kind.NUMBER, when=_of("precious"), high=1000.0),
    Field("specimens", Kind.COUNT, when=_of("wildlife"), low=1.0),
    Field("state", Kind.CHOICE, ("alive", "dead", "part", "processed"), when=_of("wildlife")),
    Field("alcohol_percent", Kind.NUMBER, when=_of("alcohol"), high=100.0),
    Field("persons", Kind.COUNT, when=_of("persons"), low=1.0),
)

FORM = Form("1.0", _RESULT, _FIND, _WHAT)
"""The form in force."""
FIXED = frozenset({"what", "where", "hs", "quantity", "concealment", "form"})
"""Answers about a find that have a place of their own on the wire; the others travel as its details."""


def problems(result: Mapping[str, Any], found: Sequence[Mapping[str, Any]], form: Form = FORM) -> dict[str, Problem]:
    """Give what is wrong, by field; of a find ``found.0.what``. Empty when every asked question is answered as it takes it.

    An absent answer is None, an empty text, or not there.
    """
    faults = dict(_faults(form.result, result, ""))
    if len(found) > MAX_FINDS:
        faults["found"] = Problem.TOO_MANY
    if bool(found) != (result.get("conclusion") == "found"):
        faults["found"] = Problem.NOT_ASKED if found else Problem.MISSING
    for number, find in enumerate(found[:MAX_FINDS]):
        faults |= dict(_faults(form.find, find, f"found.{number}."))
    return faults


def check_here(version: str, result: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> dict[str, Problem]:
    """Give what is wrong by the form that this side knows, with answers to the form of ``version``, ``major.minor``.

    A newer minor version may ask and take what is unknown here, so nothing can be said of its answers; another major one is refused.
    """
    asked, own = ([int(part) for part in text.split(".")] for text in (version, FORM.version))
    if asked[0] != own[0]:
        return {"form": Problem.UNKNOWN_VERSION}
    return {} if asked > own else problems(result, found)


def details(find: Mapping[str, Any]) -> dict[str, Scalar]:
    """Give the answers about a find that have no place of their own."""
    return {name: value for name, value in find.items() if name not in FIXED and not _is_absent(value)}


def document(form: Form = FORM) -> dict[str, Any]:
    """Give the form as JSON for whoever draws it: fields in the order of asking, each with ``when`` it is asked."""
    return {
        "version": form.version,
        "result": [_field_document(one) for one in form.result],
        "find": [_field_document(one) for one in form.find],
        "groups": {family: list(codes) for family, codes in form.groups.items()},
    }


def _field_document(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": field.name, "kind": field.kind.value, "required": field.is_required}
    if field.choices:
        shown["choices"] = list(field.choices)
    if field.kind in (Kind.NUMBER, Kind.COUNT):
        shown |= {"low": field.low, "high": field.high}
    if field.kind is Kind.TEXT:
        shown["max_length"] = MAX_TEXT
    if field.when is not None:
        shown["when"] = {"field": field.when.field, "values": list(field.when.values)}
    return shown


def codes(form: Form = FORM) -> frozenset[str]:
    """Give every name of a field, every choice and every family, for whoever has words for them."""
    fields = (*form.result, *form.find)
    return frozenset({one.name for one in fields} | {code for one in fields for code in one.choices} | set(form.groups))


def _faults(fields: Sequence[Field], answers: Mapping[str, Any], place: str) -> Iterator[tuple[str, Problem]]:
    known = {field.name for field in fields}
    for name in answers:
        if name not in known:  # what is no name of a field may be anything that somebody typed: it is not repeated
            yield place + (name if _NAME.fullmatch(str(name)) else "unknown"), Problem.UNKNOWN_FIELD
    for field in fields:
        fault = _fault(field, answers.get(field.name), is_asked=_is_asked(field, answers))
        if fault is not None:
            yield place + field.name, fault


def _is_asked(field: Field, answers: Mapping[str, Any]) -> bool:
    return field.when is None or answers.get(field.when.field) in field.when.values


def _is_absent(answer: object) -> bool:
    return answer is None or answer in ("", [], ())


def _fault(field: Field, answer: object, *, is_asked: bool) -> Problem | None:
    if _is_absent(answer):
        return Problem.MISSING if field.is_required and is_asked else None
    return _CHECKS[field.kind](field, answer) if is_asked else Problem.NOT_ASKED


def _choice(field: Field, answer: object) -> Problem | None:
    return None if answer in field.choices else Problem.NOT_A_CHOICE


def _choices(field: Field, answer: object) -> Problem | None:
    if not isinstance(answer, list | tuple) or not all(isinstance(one, str) and one in field.choices for one in answer):
        return Problem.NOT_A_CHOICE
    return None if len(set(answer)) == len(answer) else Problem.NOT_A_CHOICE


def _number(field: Field, answer: object) -> Problem | None:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return Problem.NOT_A_NUMBER
    return None if field.low <= answer <= field.high else Problem.OUT_OF_RANGE  # false of a NaN


def _count(field: Field, answer: object) -> Problem | None:
    return _number(field, answer) if isinstance(answer, int) else Problem.NOT_A_NUMBER


def _quantity(field: Field, answer: object) -> Problem | None:
    amount, _, unit = answer.partition(" ") if isinstance(answer, str) else ("", "", "")
    return None if _AMOUNT.fullmatch(amount) and unit in field.choices else Problem.NOT_A_QUANTITY


def _tariff(_field: Field, answer: object) -> Problem | None:
    return None if isinstance(answer, str) and _TARIFF.fullmatch(answer) else Problem.NOT_A_HEADING


def _word(_field: Field, answer: object) -> Problem | None:
    return None if isinstance(answer, str) and len(answer) <= 40 and _WORD.fullmatch(answer) else Problem.NOT_A_WORD


def _moment(_field: Field, answer: object) -> Problem | None:
    try:
        moment = datetime.fromisoformat(answer) if isinstance(answer, str) else answer
    except ValueError:
        return Problem.NOT_A_MOMENT
    return None if isinstance(moment, datetime) and moment.tzinfo is not None else Problem.NOT_A_MOMENT


def _text(_field: Field, answer: object) -> Problem | None:
    return None if isinstance(answer, str) and len(answer) <= MAX_TEXT and answer.strip() else Problem.NOT_A_TEXT


_CHECKS = {
    Kind.CHOICE: _choice,
    Kind.CHOICES: _choices,
    Kind.NUMBER: _number,
    Kind.COUNT: _count,
    Kind.QUANTITY: _quantity,
    Kind.TARIFF: _tariff,
    Kind.WORD: _word,
    Kind.MOMENT: _moment,
    Kind.TEXT: _text,
}
