"""The frame of identities: what goes in comes out, anything else is refused by type, and no text form shows a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import Token
from edge_agent.errors import MalformedMessage, TooLarge
from edge_agent.wire.identities import MAX_FRAME_BYTES, Disclosed, decode_identities, encode_identities

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.lists(st.builds(Disclosed, st.text("0123456789abcdef", min_size=32, max_size=32).map(Token), st.just("container"), TEXT))


@given(VALUES)
def test_what_is_encoded_is_decoded(values):
    assert tuple(values) == decode_identities(encode_identities(values))


@given(
    st.binary(max_size=300)
    | st.sampled_from([b"{}", b"[]", b'{"identities":[{}]}', b'{"identities":[{"token":1,"kind":"a","value":"b"}]}'])
)
def test_any_other_bytes_are_refused_by_type_and_the_refusal_holds_nothing_of_them(frame):
    with pytest.raises(MalformedMessage) as refused:
        decode_identities(frame)
    assert (refused.value.detail, refused.value.fields, refused.value.__cause__) == ("not a frame of identities", {}, None)


def test_a_frame_that_is_cut_off_does_not_tell_its_values():
    frame = encode_identities([Disclosed(Token("t"), "trader", "Canary Ltd")])
    with pytest.raises(MalformedMessage) as refused:
        decode_identities(frame[:-3])
    assert "Canary" not in repr(refused.value)


def test_a_newer_site_may_add_fields_and_classes():
    frame = b'{"identities":[{"token":"t","kind":"passport","value":"x","read_by":"ocr"}],"more":1}'
    assert decode_identities(frame) == (Disclosed(Token("t"), "passport", "x"),)


def test_what_does_not_fit_is_refused_on_both_sides():
    values = [Disclosed(Token(f"{number:032x}"), "trader", "x" * 4000) for number in range(300)]
    with pytest.raises(TooLarge):
        encode_identities(values)
    with pytest.raises(TooLarge):
        decode_identities(b" " * (MAX_FRAME_BYTES + 1))


def test_a_disclosed_value_hides_in_every_text_form():
    shown = Disclosed(Token("t"), "trader", "Canary Ltd")
    assert "Canary" not in f"{shown} {shown!r} {[shown]}"
