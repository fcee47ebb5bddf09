"""What a simulated scanner writes: side-cars that the real readers read, the same bytes for the same seed."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.numbering import container_check_digit
from edge_agent.formats.dataform import read_dataform
from edge_agent.sim.habit import HABITS, MIXED, choose
from edge_agent.sim.scanner import PROFILES, Order, shoot

AT = datetime(2026, 3, 4, 5, 6, 7, 891000, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture(scope="module")
def shots():
    return {profile: shoot(Order(profile, 3, 1.0), 2, AT) for profile in PROFILES}


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_same_order_gives_the_same_bytes(shots, profile):
    again = shoot(Order(profile, 3, 1.0), 2, AT)
    assert again == shots[profile]


def test_another_number_is_another_scan(shots):
    other = shoot(Order("sim-parcel", 3, 1.0), 3, AT)
    assert other.key != shots["sim-parcel"].key
    assert other.pictures[0].data != shots["sim-parcel"].pictures[0].data


@pytest.mark.parametrize("profile", ["sim-cargo", "sim-parcel", "sim-parcel-colour", "sim-vehicle"])
def test_the_json_side_car_says_that_the_scan_is_simulated(shots, profile):
    shot = shots[profile]
    body = json.loads(shot.sidecar.data)
    assert body["schema"] == "sim-sidecar/1"
    assert body["kind"] == CaptureKind.SYNTHETIC
    assert body["resources"] == [file.name for file in shot.pictures]
    assert datetime.fromisoformat(body["taken_at"]) == AT
    if profile != "sim-vehicle":  # a car carries no goods
        assert body["declared"][0]["hs"].isdigit()


def test_a_container_and_a_parcel_are_named_as_what_they_are(shots):
    cargo, parcel = (json.loads(shots[name].sidecar.data) for name in ("sim-cargo", "sim-parcel"))
    assert int(cargo["container"][10]) == container_check_digit(cargo["container"])
    assert "parcel" not in cargo
    assert parcel["parcel"].startswith("SIM")
    assert "container" not in parcel


def test_the_dataform_is_read_by_the_real_reader_and_is_no_live_scan(shots):
    shot = shots["smiths-dataform"]
    form = read_dataform(shot.sidecar.data)
    assert form.is_training
    assert form.resources == (shot.pictures[0].name,)
    assert {(one.kind, one.value) for one in form.identities} == {
        (IdentityClass.CONTAINER, shot.truth["identifier"]),
        (IdentityClass.VENDOR_SCAN, shot.key),
    }
    assert datetime.fromisoformat(form.date) == AT.astimezone(UTC)


def test_the_picture_of_a_smiths_scan_is_named_as_the_vendor_does(shots):
    shot = shots["smiths-dataform"]
    assert shot.pictures[0].name == f"{shot.key}S.jpg"
    assert shot.sidecar.name == f"{shot.key}.xml"
    assert shot.key.isdigit()


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_rewritten_side_car_differs_in_what_the_station_adds_only(shots, profile):
    shot = shots[profile]
    assert shot.rewritten.name == shot.sidecar.name
    assert shot.rewritten.data != shot.sidecar.data
    if profile != "smiths-dataform":
        first, second = json.loads(shot.sidecar.data), json.loads(shot.rewritten.data)
        assert second.pop("remark")
        assert first == second


def test_every_scan_of_a_guilty_scanner_has_something_to_find():
    assert all(shoot(Order("sim-parcel", 5, 1.0), number, AT).truth["hidden"] for number in range(12))


def test_no_scan_of_an_innocent_scanner_has_anything_to_find():
    assert not any(shoot(Order("sim-parcel", 5, 0.0), number, AT).truth["hidden"] for number in range(4))


def test_an_unknown_profile_is_refused():
    with pytest.raises(KeyError):
        shoot(Order("other", 1), 1, AT)


def test_mixed_habits_are_drawn_and_stay_the_same_for_a_scan():
    drawn = [choose(MIXED, 4, number) for number in range(60)]
    assert set(drawn) == set(HABITS.values())
    assert drawn == [choose(MIXED, 4, number) for number in range(60)]


def test_a_named_habit_is_that_habit():
    assert all(choose(name, 1, 1) is HABITS[name] for name in HABITS)
    with pytest.raises(KeyError):
        choose("other", 1, 1)
