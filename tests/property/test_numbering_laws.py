"""Check digits catch what they promise to catch, and what a misread number may have been is among its candidates."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.domain.numbering import (
    _ALIKE,
    NumberCheck,
    candidates,
    check,
    container_check_digit,
    container_remainder,
    is_container_number,
    is_postal_item,
    normalised,
    postal_check_digit,
)

owners = st.text(string.ascii_uppercase, min_size=3, max_size=3)
serials = st.text(string.digits, min_size=6, max_size=6)
starts = st.builds(lambda owner, kind, serial: f"{owner}{kind}{serial}", owners, st.sampled_from("UJZ"), serials)
containers = starts.map(lambda start: f"{start}{container_check_digit(start)}")
items = st.builds(
    lambda service, serial, country: f"{service}{serial}{postal_check_digit(serial)}{country}",
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(string.digits, min_size=8, max_size=8),
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
)


@pytest.mark.parametrize("number", ["CSQU3054383", "ZZZU6304941", "ZZZU3307660", "ZZZU6193452"])
def test_published_and_seen_container_numbers_pass(number):
    assert is_container_number(number)


@pytest.mark.parametrize("number", ["RA473124829GB", "RR473124829GB"])
def test_published_postal_numbers_pass(number):
    assert is_postal_item(number)


@given(containers, st.integers(4, 9), st.sampled_from(string.digits))
def test_every_single_digit_error_is_detected_unless_remainders_0_and_10_meet(number, place, digit):
    assume(digit != number[place])
    wrong = f"{number[:place]}{digit}{number[place + 1 :]}"
    is_ambiguous = {container_remainder(number), container_remainder(wrong)} == {0, 10}
    assert is_container_number(wrong) == is_ambiguous


@given(containers, st.sampled_from(string.digits))
def test_a_wrong_check_digit_is_detected(number, digit):
    assert is_container_number(number[:10] + digit) == (digit == number[10])


@given(items, st.integers(2, 10), st.sampled_from(string.digits))
def test_every_single_digit_error_of_a_postal_number_is_detected_but_where_two_remainders_share_a_digit(number, place, digit):
    assume(digit != number[place])
    wrong = f"{number[:place]}{digit}{number[place + 1 :]}"
    shared = {"0", "5"}  # remainders 1 and 6 give 0 and 5, as two others do
    assert not is_postal_item(wrong) or number[10] in shared


@given(containers, st.integers(0, 10), st.data())
def test_the_candidates_of_a_misread_number_hold_the_truth(number, place, data):
    alike = sorted({sign for group in _ALIKE if number[place] in group for sign in group} - {number[place]})
    assume(alike)
    misread = f"{number[:place]}{data.draw(st.sampled_from(alike))}{number[place + 1 :]}"
    assert number in candidates(misread) or is_container_number(misread)


@given(st.one_of(containers, items), st.data())
def test_the_candidates_of_a_number_with_one_sign_unread_hold_the_truth(number, data):
    place = data.draw(st.integers(0, len(number) - 1))
    unread = f"{number[:place]}?{number[place + 1 :]}"
    found = candidates(unread)
    assert number in found
    assert check(unread) is NumberCheck.REPAIRABLE
    assert all(is_container_number(one) or is_postal_item(one) for one in found)


@given(st.one_of(containers, items))
def test_a_valid_number_has_no_candidate_but_itself_however_it_is_spaced(number):
    assert (number,) == candidates(f" {number[:4].lower()}-{number[4:]} ")
    assert check(number) is NumberCheck.VALID


@given(st.text(max_size=20))
def test_any_text_is_judged_and_never_a_crash(text):
    assert check(text) in NumberCheck
    assert all(check(one) is NumberCheck.VALID for one in candidates(text))
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize("text", ["", "TRUCK 7", "MSKU1", "ABCD1234", "12345678901234567890"])
def test_numbers_of_other_kinds_are_not_judged(text):
    assert check(text) is NumberCheck.UNCHECKED


def test_two_unread_signs_are_too_many():
    assert candidates("CS?U305438?") == ()
