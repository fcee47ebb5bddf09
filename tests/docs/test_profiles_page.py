"""The page of profile keys is made from the models: every key with meaning, default and example, and nothing else.

``python tests/docs/test_profiles_page.py`` writes it anew.
"""

import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edge_agent.formats.map_section import FieldsSection, GoodsSection
from edge_agent.formats.profiles import ProfileSection

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "profiles.md"
INTRODUCTION = """# Keys of a scanner profile

Made from the code by `tests/docs/test_profiles_page.py`; the [how-to](../how-to/write-a-profile.md) explains with examples. Unknown keys
are refused. In `[map]` a value is a path or a list of paths; where several are found, fields that can hold several take all, the others
the first.

## Paths

| path | leads to |
|---|---|
| `a/b` | every `b` in every `a`; names without XML prefix, upper and lower case count the same |
| `@id` | the attribute `id` of an XML element |
| `a[@name=Plate]`, `a[kind=1]` | each `a` whose attribute or child says exactly that |
| `.[done=1]/result` | `result`, if `done` beside it says 1 |
| `**/b`, `a/*/c` | `b` at any depth; `c` in anything in `a` |
| `row/weight` | in a CSV with a heading line, or a JSON list at the top: `weight` of each row |
"""


def sections(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Each table of the file with its model, the file itself first."""
    yield table, model
    for name, field in model.model_fields.items():
        inner = inner_model(field.annotation)
        if inner is not None:
            yield from sections(inner, f"{table}.{name}" if table else name)


def inner_model(kind: Any) -> type[BaseModel] | None:
    """The model behind an annotation, through optional, tuple and union."""
    if inspect.isclass(kind) and not get_args(kind):
        return kind if issubclass(kind, BaseModel) else None
    return next((found for part in get_args(kind) if (found := inner_model(part))), None)


def is_table(field: FieldInfo) -> bool:
    return inner_model(field.annotation) is not None and not field.description


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    if value is None or value in ((), {}, ""):
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def words_of(kind: Any) -> tuple[str, ...]:
    """The words that a key may have, when it is one of a few."""
    if isinstance(kind, str):  # of a Literal
        return (kind,)
    if inspect.isclass(kind) and not get_args(kind):
        return tuple(str(one.value) for one in kind) if issubclass(kind, Enum) else ()
    return tuple(dict.fromkeys(word for part in get_args(kind) for word in words_of(part)))


def row(name: str, field: FieldInfo) -> str:
    example = f"`{field.examples[0]}`" if field.examples else ""
    words = words_of(field.annotation)
    meaning = (field.description or "") + (f": {', '.join(f'`{word}`' for word in words)}" if words else "")
    return f"| `{name}` | {default_of(field)} | {meaning} | {example} |"


def render() -> str:
    parts = [INTRODUCTION]
    for table, model in sections(ProfileSection):
        heading = f"`[{table}]`" if table else "The head"
        if table == "member":
            heading = "`[[member]]`"
        rows = [row(name, field) for name, field in model.model_fields.items() if not is_table(field)]
        says = " ".join((model.__doc__ or "").replace("``", "`").split())
        parts.append(f"## {heading}\n\n{says}\n\n| key | default | meaning | example |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def test_the_page_is_what_the_models_say() -> None:
    assert render() == PAGE.read_text("utf-8"), "write it anew: python tests/docs/test_profiles_page.py"


@pytest.mark.parametrize(("table", "model"), list(sections(ProfileSection)), ids=lambda value: value if isinstance(value, str) else "")
def test_every_key_says_what_it_means(table: str, model: type[BaseModel]) -> None:
    assert model.__doc__
    assert [name for name, field in model.model_fields.items() if not field.description and not is_table(field)] == []


def test_the_words_of_a_key_are_listed_whether_they_are_an_enum_or_literals() -> None:
    page = PAGE.read_text("utf-8")
    for words in ("`bright-air`, `dark-air`, `detect`", "`little`, `big`", "`required`, `expected`, `optional`"):
        assert words in page


def test_every_field_that_customs_expect_can_be_mapped() -> None:
    expected = {"scan_id", "taken_at", "system", "pitch_x_mm", "containers", "gross_kg", "volume_m3", "origin", "destination", "carriers"}
    expected |= {"kind", "selection", "risk_flags", "analyst", "examination"}
    assert expected <= set(FieldsSection.model_fields)
    assert {"hs", "description", "gross_kg", "volume_m3"} <= set(GoodsSection.model_fields)


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
    sys.exit(0)
