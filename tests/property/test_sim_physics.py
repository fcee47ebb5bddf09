"""Laws of attenuation that hold for any scene."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sim.beam import linac, mono, transmission, tube_high, tube_low
from edge_agent.sim.material import BASIS

BEAMS = [linac(6.0), linac(4.0), tube_high(160.0), tube_low(160.0), mono(1000.0)]
amounts = st.lists(st.floats(0.0, 80.0, width=32), min_size=len(BASIS), max_size=len(BASIS))


def through(beam, amount):
    return float(transmission(np.array(amount, dtype=np.float32).reshape(-1, 1, 1), beam)[0, 0])


@given(amounts, st.integers(0, len(BASIS) - 1), st.floats(0.5, 50.0), st.sampled_from(BEAMS))
def test_more_matter_never_lets_more_through(amount, place, more, beam):
    thicker = list(amount)
    thicker[place] += more
    assert through(beam, thicker) <= through(beam, amount) * (1 + 1e-5)


@given(amounts, amounts, st.floats(200.0, 6000.0))
@settings(max_examples=60)
def test_at_one_energy_transmissions_multiply(first, second, energy_kev):
    beam = mono(energy_kev)
    first, second = ([value / 10 for value in one] for one in (first, second))
    both = [a + b for a, b in zip(first, second, strict=True)]
    assert np.isclose(through(beam, both), through(beam, first) * through(beam, second), rtol=1e-3, atol=1e-30)


@given(amounts, st.sampled_from(BEAMS))
def test_a_share_of_the_signal_is_left(amount, beam):
    assert 0.0 <= through(beam, amount) <= 1.0 + 1e-6
