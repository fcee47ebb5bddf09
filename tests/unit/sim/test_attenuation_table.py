"""The vendored table against values printed in NISTIR 5632."""

import hashlib

import numpy as np
import pytest

from edge_agent.sim.material import BASIS, TABLE, TABLE_SHA256, mass_attenuation

NIST = [
    ("iron", 100.0, 0.3717),
    ("iron", 1000.0, 0.05995),
    ("water", 100.0, 0.1707),
    ("water", 1000.0, 0.07072),
    ("lead", 6000.0, 0.04391),
    ("lead", 1000.0, 0.07102),
    ("aluminium", 1000.0, 0.06146),
    ("copper", 100.0, 0.4584),
    ("tungsten", 1000.0, 0.06618),
    ("iron", 6000.0, 0.03057),
    ("copper", 1000.0, 0.05901),
    ("aluminium", 100.0, 0.1704),
    ("lead", 100.0, 5.549),
    ("tungsten", 100.0, 4.438),
    ("polyethylene", 1000.0, 0.07262),
]


@pytest.mark.parametrize(("material", "energy_kev", "expected"), NIST)
def test_the_table_gives_nist_s_own_numbers(material, energy_kev, expected):
    assert float(mass_attenuation(material, np.array(energy_kev))) == pytest.approx(expected, rel=1e-3)


def test_between_two_rows_the_curve_runs_straight_on_logarithmic_axes():
    between = float(mass_attenuation("iron", np.array(np.sqrt(1000.0 * 1250.0))))
    ends = mass_attenuation("iron", np.array([1000.0, 1250.0]))
    assert between == pytest.approx(float(np.sqrt(ends[0] * ends[1])), rel=1e-6)


def test_an_absorption_edge_is_a_step_and_not_a_slope():
    below, above = mass_attenuation("lead", np.array([87.99, 88.02]))
    assert above / below > 3.0


@pytest.mark.parametrize("energy_kev", [1.0, 5e4])
def test_nothing_is_extrapolated(energy_kev):
    with pytest.raises(ValueError, match="outside the attenuation table"):
        mass_attenuation("iron", np.array([energy_kev]))


def test_every_material_of_a_scene_is_in_the_table():
    assert all(float(mass_attenuation(name, np.array(500.0))) > 0.05 for name in BASIS)


def test_the_table_is_the_one_that_was_vendored():
    assert hashlib.sha256(TABLE.read_bytes()).hexdigest() == TABLE_SHA256


def test_the_table_names_its_source():
    assert "NISTIR 5632" in TABLE.read_text().splitlines()[1]
