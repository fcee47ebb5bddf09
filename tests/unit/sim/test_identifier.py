"""Container numbers."""

import numpy as np
import pytest

from edge_agent.domain.numbering import container_check_digit
from edge_agent.sim.identifier import OWNER_CODES, container_number


@pytest.mark.parametrize("number", ["CSQU3054383", "MSKU6011672", "TEXU3070079", "HLXU2008419"])
def test_the_check_digit_of_published_examples_is_right(number):
    assert container_check_digit(number) == int(number[10])


def test_two_digits_swapped_are_noticed():
    assert container_check_digit("CSQU3054380") != container_check_digit("CSQU3045380")


def test_a_small_letter_is_refused():
    with pytest.raises(KeyError):
        container_check_digit("csqu305438")


def test_numbers_belong_to_nobody_and_check():
    numbers = [container_number(np.random.default_rng(seed)) for seed in range(200)]
    assert all(number[:4] in OWNER_CODES and int(number[10]) == container_check_digit(number) for number in numbers)
    assert len(set(numbers)) > 190
