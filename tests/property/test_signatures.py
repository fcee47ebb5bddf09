"""A signature vouches for one document, one purpose and one key; anything else does not verify."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ConfigInvalid, SignatureInvalid, SignerUnknown
from edge_agent.signing.detached import WORKSHOP, Trust, check_document, sign_document
from edge_agent.signing.keys import SigningKey, VerifyKey

KEY, OTHER = SigningKey.new("hq"), SigningKey.new("other")
TRUST = Trust.of([KEY.public])


@given(st.binary(max_size=200))
def test_what_was_signed_verifies_and_names_its_signer(document: bytes) -> None:
    signer = check_document(sign_document(KEY, "bundle", document), "bundle", document, TRUST)
    assert (signer.name, signer.key) == ("hq", KEY.public)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_another_document_never_verifies(document: bytes, other: bytes) -> None:
    if document == other:
        return
    with pytest.raises(SignatureInvalid):
        check_document(sign_document(KEY, "bundle", document), "bundle", other, TRUST)


@given(st.binary(max_size=60), st.integers(0, 63), st.integers(1, 255))
def test_one_changed_byte_of_a_signature_never_verifies(message: bytes, place: int, change: int) -> None:
    signature = bytearray(KEY.sign("journal", message))
    signature[place] ^= change
    with pytest.raises(SignatureInvalid):
        KEY.public.verify("journal", message, bytes(signature))


def test_a_signature_for_one_purpose_is_none_for_another() -> None:
    with pytest.raises(SignatureInvalid):
        KEY.public.verify("journal", b"head", KEY.sign("bundle", b"head"))
    with pytest.raises(SignatureInvalid):
        check_document(sign_document(KEY, "certificate", b"card"), "bundle", b"card", TRUST)


def test_a_purpose_cannot_be_renamed_in_the_file() -> None:
    content = json.loads(sign_document(KEY, "certificate", b"card"))
    with pytest.raises(SignatureInvalid):
        check_document(json.dumps({**content, "purpose": "bundle"}).encode(), "bundle", b"card", TRUST)


def test_a_key_that_is_not_trusted_is_named_by_its_fingerprint() -> None:
    with pytest.raises(SignerUnknown, match=OTHER.public.fingerprint):
        check_document(sign_document(OTHER, "bundle", b"card"), "bundle", b"card", TRUST)


def test_a_trusted_key_cannot_be_claimed_by_another() -> None:
    content = json.loads(sign_document(OTHER, "bundle", b"card"))
    with pytest.raises(SignatureInvalid):
        check_document(json.dumps({**content, "key": KEY.public.text}).encode(), "bundle", b"card", TRUST)


def test_the_workshop_believes_any_key_but_no_wrong_signature() -> None:
    assert check_document(sign_document(OTHER, "bundle", b"card"), "bundle", b"card", WORKSHOP).key == OTHER.public
    with pytest.raises(SignatureInvalid):
        check_document(sign_document(OTHER, "bundle", b"card"), "bundle", b"cart", WORKSHOP)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_signature_file_or_refused_as_none(raw: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        check_document(raw, "bundle", b"card", TRUST)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with suppress(ConfigInvalid):
        assert VerifyKey.parse(text).text == text


def test_a_public_key_survives_its_text_form() -> None:
    assert VerifyKey.parse(KEY.public.text) == KEY.public
    assert len(KEY.public.fingerprint.split()) == 8


def test_a_secret_key_never_shows_itself() -> None:
    assert repr(KEY.secret) not in repr(KEY)
    assert "secret" not in repr(KEY)


def test_a_signature_without_our_purpose_is_none() -> None:
    """RFC 8032, 7.1, TEST 1: the empty message; our purpose prefix makes it another message, so it must not verify."""
    key = VerifyKey(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    with pytest.raises(SignatureInvalid):
        key.verify("", b"", signature)
