"""Identifiers in clear leave no trace in text; commitments say nothing without their salt."""

import hashlib

from edge_agent.domain.identity import IdentityClass, IdentityValue

VALUE = IdentityValue(IdentityClass.CONTAINER, "MSCU1234566")


def test_an_identifier_is_hidden_in_every_text_form() -> None:
    assert "MSCU" not in repr(VALUE)
    assert "MSCU" not in f"{VALUE}"
    assert "MSCU" not in str([VALUE])


def test_a_commitment_is_the_salted_hash_of_class_and_value() -> None:
    expected = hashlib.sha256(b"salt" + b"\0container\0MSCU1234566").hexdigest()
    assert expected == VALUE.commitment(b"salt")


def test_a_commitment_differs_by_salt_and_by_class() -> None:
    other = IdentityValue(IdentityClass.SEAL, "MSCU1234566")
    assert len({VALUE.commitment(b"a"), VALUE.commitment(b"b"), other.commitment(b"a")}) == 3
