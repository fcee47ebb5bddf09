"""The published schema is the one of the code, and every field of it says unit, meaning and privacy class."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from edge_agent.errors import UnsupportedFormat
from edge_agent.formats.package_model import Privacy
from edge_agent.formats.package_schema import fields, schema_text, shipped_schema, table
from edge_agent.formats.uff import UffCodec

ROOT = Path(__file__).resolve().parents[3]
MAPPING = tomllib.loads((ROOT / "config/mappings/uff-3.0.toml").read_text("utf-8"))
UFF = re.compile(r"\bUFF\b|Unified File Format")
CLAIM = re.compile(r"conform|complian|compatible|certified|\bsupport|\b(reads|writes|imports|exports)\b", re.IGNORECASE)
DENIAL = re.compile(r"\b(no|not|nothing|never|neither|until|slot|empty)\b", re.IGNORECASE)


def claims(text):
    """Sentences that say that UFF is spoken here."""
    sentences = re.split(r"(?<=[.:;|])\s+|\n\n", text)
    return [one for one in sentences if UFF.search(one) and CLAIM.search(one) and not DENIAL.search(one)]


def test_the_shipped_schema_is_the_one_of_the_code():
    assert schema_text() == shipped_schema(), (
        "write it anew: python -c 'from edge_agent.formats.package_schema import *; print(schema_text())'"
    )
    assert json.loads(shipped_schema())["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.path)
def test_every_field_has_unit_meaning_and_privacy_class(field):
    assert field.unit
    assert len(field.meaning) > 3
    assert field.privacy in set(Privacy)


def test_the_page_holds_the_table_of_fields():
    assert table() in (ROOT / "docs/reference/scan-package.md").read_text("utf-8")


def test_the_mapping_to_uff_covers_every_field_and_no_other():
    assert [field.path for field in fields()] == [entry["our_path"] for entry in MAPPING["field"]]


def test_a_mapped_field_says_where_its_name_stands_and_who_compared_it():
    half = [e["our_path"] for e in MAPPING["field"] if len({bool(e["uff_path"]), bool(e["verified_by"]), bool(e["spec_page"])}) > 1]
    assert half == []


def test_nothing_claims_uff_conformity_while_the_mapping_is_empty():
    if all(entry["verified_by"] for entry in MAPPING["field"]):
        pytest.skip("the mapping is filled")
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert [(page.name, claims(page.read_text("utf-8"))) for page in pages if claims(page.read_text("utf-8"))] == []


@pytest.mark.parametrize("claim", ["We support UFF 3.0.", "UFF 3.0 conformant packages", "compatible with UFF"])
def test_the_guard_against_claims_knows_one(claim):
    assert claims(claim) == [claim]


def test_the_slot_of_uff_reads_nothing_and_says_why():
    slot = UffCodec()
    assert not slot.sniff(b"UFF" + bytes(129))
    assert "not public" in slot.unavailable
    with pytest.raises(UnsupportedFormat, match="not public"):
        slot.header(None, 0)
