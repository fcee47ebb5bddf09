"""CONTROL, the result of an examination: its request, and the way from the answers of the control form to it and back. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from edge_agent.domain.control_form import FIXED, FORM, MAX_FINDS, details, problems
from edge_agent.errors import FormRefused, Scalar
from edge_agent.wire.verbs import MAX_NOTE, Officer, Request, Revision, ShortText, Uuid

_SAME = ("conclusion", "office", "irregularity", "disposal", "why_not", "remarks")
_MOST_NAMED = 32


class FoundItem(Request):
    """One thing that an examination found: words of a catalogue and numbers, never free text.

    ``details``: what the form asks of this kind of thing besides, such as ``purity_percent`` of drugs.
    """

    what: Annotated[str, Field(min_length=1, max_length=40)]
    where: Annotated[str, Field(max_length=40)] = ""
    hs: Annotated[str, Field(max_length=12)] = ""
    quantity: Annotated[str, Field(max_length=24)] = ""
    concealment: Annotated[str, Field(max_length=40)] = ""
    form: Annotated[str, Field(max_length=40)] = ""
    details: dict[str, Scalar] = Field({}, max_length=16)


class ReferencePart(Request):
    """A number that stands for a scan whose identity the sender does not know. It is plain here, and found in the site's own table.

    ``kind``: what it is a number of.
    """

    kind: Literal["container", "parcel", "plate", "declaration", "vendor-scan"]
    value: Annotated[str, Field(min_length=1, max_length=64)] = Field(repr=False)


class ControlRequest(Request):
    """The result of an examination. ``control_id`` makes a resend a no-op; ``office``: who examined, a word.

    It is about ``scan_id`` (without ``revision``: of its newest one), or about the newest live scan that bears ``reference`` and was
    taken before the examination. ``form``: version of the form that was filled in; with it every answer must be one that the form takes.
    ``officer``: who entered it, plain here, a token at the site; a console must say so. ``remarks``: free text, kept in the site's
    erasable table.
    """

    control_id: Uuid
    scan_id: Uuid | None = None
    revision: Revision | None = None
    reference: ReferencePart | None = None
    office: Annotated[str, Field(min_length=1, max_length=40)]
    conclusion: Literal["found", "nothing-found", "not-examined"]
    found: list[FoundItem] = Field([], max_length=MAX_FINDS)
    at: Annotated[AwareDatetime, Field(strict=False)]
    form: Annotated[str, Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$")] | None = None
    methods: list[ShortText] = Field([], max_length=16)
    irregularity: ShortText | None = None
    disposal: ShortText | None = None
    why_not: ShortText | None = None
    officer: Officer | None = Field(None, repr=False)
    remarks: Annotated[str, Field(min_length=1, max_length=MAX_NOTE)] | None = Field(None, repr=False)


def control_request(
    control_id: str,
    about: str | ReferencePart,
    result: Mapping[str, Any],
    found: Sequence[Mapping[str, Any]],
    officer: str | None = None,
) -> ControlRequest:
    """Give the request of a filled-in form. ``about``: the scan's identity, or a number that it bears at the site.

    ``result`` and each of ``found`` hold answers by the names of the form's fields; an absent one is None, an empty text, or not there.
    ``officer``: who enters it, plain.

    Raises:
        FormRefused: its ``fields`` name every answer that is wrong, with the problem's code.
        ValueError: control_id or scan are no UUIDs, or the officer's reference is too long (pydantic's).
    """
    wrong = problems(result, found)
    if wrong:
        raise FormRefused(f"wrong answers: {len(wrong)}", {name: fault.value for name, fault in list(wrong.items())[:_MOST_NAMED]})
    named = {"reference": about} if isinstance(about, ReferencePart) else {"scan_id": about}
    answers = {name: result.get(name) or None for name in _SAME}
    return ControlRequest.model_validate(
        {
            **named,
            **answers,
            "control_id": control_id,
            "methods": list(result.get("methods") or ()),
            "found": [_item(find) for find in found],
            "at": _moment(result["examined_at"]),
            "form": FORM.version,
            "officer": officer,
        }
    )


def answers_of(asked: ControlRequest) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give the answers that a request carries, by the names of the form's fields: those of the result, and those of each find."""
    result = {name: getattr(asked, name) for name in _SAME} | {"methods": asked.methods, "examined_at": asked.at}
    found = [{**{name: getattr(item, name) for name in FIXED}, **item.details} for item in asked.found]
    return result, found


def _item(find: Mapping[str, Any]) -> FoundItem:
    fixed = {name: find[name] for name in FIXED if find.get(name)}
    return FoundItem(**fixed, details=details(find))


def _moment(answer: str | datetime) -> datetime:
    return datetime.fromisoformat(answer) if isinstance(answer, str) else answer
