"""The page of the wire names everything that travels on it."""

from pathlib import Path

import pytest

from edge_agent.domain.assessment import FactKind
from edge_agent.wire import control, pictures, schema, verbs
from edge_agent.wire.heartbeat import Heartbeat
from edge_agent.wire.verbs import Verb

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "wire.md").read_text()
MODELS = (*schema.REQUESTS.values(), *schema.REPLIES.values(), verbs.LimitsPart, verbs.YouPart, control.FoundItem, pictures.StoredPlane)


@pytest.mark.parametrize("verb", Verb)
def test_every_verb_is_named(verb):
    assert verb.value in PAGE


@pytest.mark.parametrize("code", sorted(verbs.REFUSALS))
def test_every_refusal_is_named(code):
    assert f"`{code}`" in PAGE


@pytest.mark.parametrize("kind", FactKind)
def test_every_kind_of_fact_is_named(kind):
    assert f"`{kind.value}`" in PAGE


@pytest.mark.parametrize("field", sorted({name for model in MODELS for name in model.model_fields} | set(Heartbeat.model_fields)))
def test_every_field_is_named(field):
    assert f"`{field}`" in PAGE


def test_the_limits_are_those_of_the_code():
    assert f"1 to {verbs.MAX_ROWS}" in PAGE
    assert f"to {verbs.MAX_WAIT_MS:,}" in PAGE
    assert verbs.MAX_BATCH_BYTES == 1 << 20
