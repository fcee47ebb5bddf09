"""Between the answers to the control form and the request that carries them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from edge_agent.domain.control_form import FIXED, FORM, details, problems
from edge_agent.errors import FormRefused
from edge_agent.wire.verbs import ControlRequest, FoundItem, ReferencePart

_SAME = ("conclusion", "office", "irregularity", "disposal", "why_not", "remarks")
_MOST_NAMED = 32


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
        raise FormRefused(f"{len(wrong)} answers are wrong", {name: fault.value for name, fault in list(wrong.items())[:_MOST_NAMED]})
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
