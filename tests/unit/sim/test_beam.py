"""Spectra and Beer-Lambert."""

import numpy as np
import pytest

from edge_agent.sim.beam import isotope, linac, mono, transmission, tube_high, tube_low
from edge_agent.sim.material import BASIS, index


def slab(**areal):
    stack = np.zeros((len(BASIS), 1, 1), dtype=np.float32)
    for name, amount in areal.items():
        stack[index(name)] = amount
    return stack


def through(beam, **areal):
    return float(transmission(slab(**areal), beam)[0, 0])


def test_nothing_in_the_beam_leaves_all_of_it():
    assert through(linac(6.0)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("steel_cm", "expected"), [(10, 3.6e-2), (20, 2.1e-3), (30, 1.3e-4), (35, 3.5e-5)])
def test_steel_at_6_mv_is_as_opaque_as_published(steel_cm, expected):
    assert through(linac(6.0), iron=7.87 * steel_cm) == pytest.approx(expected, rel=0.1)


def test_one_energy_follows_beer_and_lambert_exactly():
    assert through(mono(1000.0), iron=20.0) == pytest.approx(np.exp(-0.05995 * 20.0), rel=1e-3)


def test_a_wide_spectrum_hardens():
    """The second half of a slab takes less than the first: soft photons are gone by then."""
    half, whole = through(linac(6.0), iron=40.0), through(linac(6.0), iron=80.0)
    assert whole > half**2 * 1.02


def test_a_softer_beam_is_stopped_more():
    assert through(linac(4.0), water=60.0) < through(linac(6.0), water=60.0)


@pytest.mark.parametrize("metal", ["iron", "lead", "tungsten"])
def test_two_energies_tell_metal_from_food(metal):
    """At the same high-energy transmission the low beam comes through heavy metal better than through food: pair production."""
    beams = linac(6.0), linac(4.0)
    amounts = np.linspace(1, 120, 400)
    food = [through(beams[0], water=float(amount)) for amount in amounts]
    target = through(beams[0], **{metal: 30.0})
    equal = float(np.interp(-target, -np.array(food), amounts))
    assert through(beams[1], **{metal: 30.0}) > through(beams[1], water=equal) * 1.01


def test_the_front_layer_of_a_parcel_scanner_sees_softer_photons_than_the_rear_one():
    assert through(tube_low(160.0), iron=0.8) < 0.6 * through(tube_high(160.0), iron=0.8)


def test_weights_of_a_beam_add_up_to_one():
    for beam in (linac(9.0), linac(6.0), linac(4.0), isotope("Co-60"), isotope("Cs-137"), tube_high(160.0), tube_low(160.0), mono(662.0)):
        assert float(beam.weights.sum()) == pytest.approx(1.0, abs=1e-5)
        assert beam.attenuation.shape == (beam.weights.size, len(BASIS))


@pytest.mark.parametrize(("name", "expected"), [("Co-60", 1.5e-2), ("Cs-137", 3.1e-3)])
def test_ten_centimetres_of_steel_leave_what_the_lines_of_an_isotope_leave(name, expected):
    assert through(isotope(name), iron=78.7) == pytest.approx(expected, rel=0.1)


def test_an_unknown_isotope_is_refused():
    with pytest.raises(KeyError):
        isotope("Am-241")


def test_the_harder_the_beam_the_more_comes_through_thick_steel():
    left = [through(beam, iron=160.0) for beam in (isotope("Cs-137"), isotope("Co-60"), linac(4.0), linac(6.0), linac(9.0))]
    assert left == sorted(left)


@pytest.mark.parametrize(
    ("beam", "metal", "areal"), [(linac(6.0), "iron", 200.0), (linac(4.0), "water", 150.0), (tube_high(160.0), "water", 30.0)]
)
def test_few_bins_are_as_good_as_many(beam, metal, areal, monkeypatch):
    """Every bin more makes little difference down to a transmission of a thousandth."""
    fine = beam_of_many_bins(monkeypatch, beam)
    for amount in np.linspace(0.0, areal, 9):
        few, many = (through(one, **{metal: float(amount)}) for one in (beam, fine))
        assert many > 1e-4
        assert few == pytest.approx(many, rel=0.05, abs=0.0)


def beam_of_many_bins(monkeypatch, beam):
    """The same kind of beam, cut much finer."""
    monkeypatch.setattr("edge_agent.sim.beam._BINS", 96)
    makers = {id(linac(6.0)): (linac, 6.0), id(linac(4.0)): (linac, 4.0), id(tube_high(160.0)): (tube_high, 160.0)}
    maker, peak = makers[id(beam)]
    return maker.__wrapped__(peak)
