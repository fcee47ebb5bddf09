from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.geometry import Orientation
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.profile import Limits
from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats.sidecar import read_sidecar, stamp
from edge_agent.testing.drops import cargo_profile, limited, picture_profile, sim_sidecar


def test_every_field_of_a_json_side_car_arrives():
    sidecar = read_sidecar(sim_sidecar({"resources": ["a.tif"]}), cargo_profile())
    assert sidecar is not None
    assert datetime(2026, 3, 2, 12, tzinfo=UTC) == sidecar.taken_at.at
    assert not sidecar.taken_at.tz_assumed
    assert (sidecar.kind, sidecar.selection) == (CaptureKind.SYNTHETIC, Selection.RANDOM)
    assert (IdentityValue(IdentityClass.CONTAINER, "ZZZU6304941"),) == sidecar.identities
    assert (DeclaredItem("0202", "frozen beef", 21000.0, 800),) == sidecar.items
    assert sidecar.resources == ("a.tif",)
    assert sidecar.pitch_mm == (5.0, 4.0)
    assert sidecar.beam == "6/4 MV"


def test_what_a_side_car_does_not_say_is_none():
    sidecar = read_sidecar(b'{"schema":"sim-sidecar/1","taken_at":"2026-03-02T12:00:00Z","novelty":[1]}', cargo_profile())
    assert (sidecar.kind, sidecar.selection, sidecar.pitch_mm, sidecar.identities, sidecar.items) == (None, None, None, (), ())


def test_pitch_follows_the_picture_into_the_canonical_frame():
    turned = replace(cargo_profile(), orientation=Orientation(transposed=True))
    assert read_sidecar(sim_sidecar(), turned).pitch_mm == (4.0, 5.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "sim-sidecar/2"},
        {"taken_at": "yesterday"},
        {"taken_at": "0001-01-01T00:00:00+14:00"},
        {"kind": "real"},
        {"pitch_mm": [0, 5]},
        {"pitch_mm": [float("nan"), 5]},
        {"pitch_mm": [5]},
        {"declared": [{"hs": "02"}]},
        {"declared": [{"hs": "0202", "gross_kg": -1}]},
        {"declared": [{"hs": "0202", "gross_kg": 1e400}]},
        {"declared": [{"hs": "0202"}] * 1001},
        {"resources": "a.tif"},
        {"container": "Z" * 5000},
    ],
)
def test_a_side_car_that_makes_no_sense_is_refused(changes):
    with pytest.raises(UnreadableScan):
        read_sidecar(sim_sidecar(changes), cargo_profile())


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_side_car_without_its_last_brace_may_still_be_being_written(length):
    whole = sim_sidecar()
    assert read_sidecar(whole[:length], cargo_profile()) is None


def test_a_file_of_zeros_is_reserved_space_not_a_side_car():
    assert read_sidecar(bytes(4096), cargo_profile()) is None


def test_a_deeply_nested_document_is_refused_not_followed():
    with pytest.raises(UnreadableScan):
        read_sidecar(b'{"schema":' + b"[" * 100_000 + b"]" * 100_000 + b"}", cargo_profile())


def test_a_side_car_over_its_cap_is_refused_unread():
    with pytest.raises(LimitExceeded):
        read_sidecar(sim_sidecar(), limited(cargo_profile(), Limits(max_sidecar_bytes=10)))


def test_a_profile_without_a_reader_refuses():
    with pytest.raises(UnsupportedFormat):
        read_sidecar(sim_sidecar(), picture_profile())


def test_a_time_without_an_offset_is_taken_in_the_scanners_zone_and_marked():
    assert datetime(2026, 3, 2, 6, 30, tzinfo=UTC) == stamp("2026-03-02T12:00:00", "Asia/Kolkata").at
    assert stamp("2026-03-02T12:00:00", "Asia/Kolkata").tz_assumed
    assert stamp("2026-03-02T12:00:00", "UTC").as_written == "2026-03-02T12:00:00"
