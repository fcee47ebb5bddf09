"""A sample of the power cuts that ``make power-loss`` makes: with the ledger's own settings nothing that was promised is lost."""

import pytest

from tests.integration.power_loss import power_cut

SEEDS = 25


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_acknowledged_is_lost_or_damaged_when_the_power_fails(seed: int) -> None:
    outcome = power_cut(seed)
    assert (outcome.lost, outcome.is_damaged) == (0, False)


def test_the_cuts_come_early_and_late_in_the_ledgers_life() -> None:
    promised = [power_cut(seed).acknowledged for seed in range(100, 112)]
    assert min(promised) < 40
    assert max(promised) > 80


def test_a_ledger_that_syncs_less_does_lose_something_or_this_test_could_not_fail() -> None:
    assert sum(power_cut(seed, "NORMAL").lost for seed in range(8)) > 0
