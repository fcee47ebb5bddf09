"""The JSON Schemas of the wire are those of the code. When this fails: ``python tests/docs/test_wire_schemas.py``, and read the change."""

import json
from pathlib import Path

import pytest

from edge_agent.wire import schema
from edge_agent.wire.verbs import Verb

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"
FILES = {"ei1-bodies.schema.json": schema.bodies_schema, "ei1-messages.schema.json": schema.messages_schema}


@pytest.mark.parametrize("name", FILES)
def test_a_published_schema_is_that_of_the_code(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == FILES[name]()


def test_every_verb_has_its_schema():
    assert set(schema.REQUESTS) | set(schema.REPLIES) == set(Verb)
    messages = json.loads(schema.messages_schema())
    for group in ("requests", "replies"):
        for place in messages[group].values():
            assert place.rpartition("/")[2] in messages["$defs"]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
