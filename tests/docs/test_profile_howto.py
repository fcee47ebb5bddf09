"""The how-to's own example works: the profile put together from its blocks reads the files and the side-car that the page shows."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.agent.declarations import DeclarationFile, GoodsLine, parse_declaration
from edge_agent.domain.assessment import ControlOutcome
from edge_agent.domain.attachment import AttachmentKind
from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.profile import Profile
from edge_agent.errors import UnreadableScan
from edge_agent.formats.profiles import load_profile
from edge_agent.formats.sidecar import read_sidecar
from edge_agent.intake.grouping import FileEntry, group

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
PROFILE_PAGE = (HOW_TO / "write-a-profile.md").read_text("utf-8")
DECLARATIONS_PAGE = (HOW_TO / "hand-over-declarations.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    path = tmp_path / "harbour-gate.toml"
    path.write_text("\n".join(blocks(PROFILE_PAGE, "toml")))
    return load_profile(path)


def test_the_files_of_the_page_are_one_scan_and_none_is_unknown(profile: Profile) -> None:
    names = [line.split()[0] for line in blocks(PROFILE_PAGE, "text")[0].splitlines()]
    assert len(names) == 6
    (drop,) = group(ScannerId("g"), [FileEntry(name, Path(name), 1, 1) for name in names], profile)
    assert sorted(member.role for member in drop.members) == ["camera", "done", "high", "low", "sidecar"]


def test_the_side_car_of_the_page_is_read_to_the_last_field(profile: Profile) -> None:
    (document,) = blocks(PROFILE_PAGE, "xml")
    sidecar = read_sidecar(document.encode("utf-16"), profile)
    assert sidecar is not None
    assert sidecar.taken_at is not None
    assert (datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC), True) == (sidecar.taken_at.at, sidecar.taken_at.tz_assumed)
    assert (CaptureKind.LIVE, ControlOutcome.NOTHING_FOUND, (5.0, 4.0)) == (sidecar.kind, sidecar.examination, sidecar.pitch_mm)
    found = {(one.kind, one.value, one.confidence) for one in sidecar.identities}
    assert {
        (IdentityClass.CONTAINER, "ZZZU6304941", 0.98),
        (IdentityClass.CONTAINER, "ZZZU3307660", 0.71),
        (IdentityClass.PLATE, "TST0039", None),
        (IdentityClass.DECLARATION, "26-118", None),
        (IdentityClass.TRADER, "Blue and Sons", None),
        (IdentityClass.VENDOR_SCAN, "T0417", None),
    } == found
    assert (DeclaredItem("020230", "frozen beef, boneless", 21000.0, 800),) == sidecar.items
    about = sidecar.consignment
    assert ("BR", "INNSA", 21500.0, ["R-12"]) == (
        about.route.origin,
        about.route.destination,
        about.gross_kg,
        [flag.code for flag in about.risk_flags],
    )


def test_the_page_inverts_the_picture_and_keeps_the_photo(profile: Profile) -> None:
    assert profile.normalise.polarity == "dark-air"
    camera = profile.rule("camera")
    assert camera is not None
    assert (AttachmentKind.OPTICAL, None) == (camera.attachment, camera.plane)


def test_one_pitch_is_enough_for_square_pixels_as_the_page_says(profile: Profile) -> None:
    (document,) = blocks(PROFILE_PAGE, "xml")
    sidecar = read_sidecar(document.replace(' dy="4.0"', "").encode(), profile)
    assert sidecar is not None
    assert sidecar.pitch_mm == (5.0, 5.0)


def test_an_unknown_word_of_kind_can_be_taken_as_a_test_as_the_page_says(tmp_path: Path) -> None:
    (offered,) = re.findall(r"`(kind = \{[^}]*\})`", PROFILE_PAGE)
    path = tmp_path / "harbour-gate.toml"
    path.write_text(re.sub(r"^kind = \{.*\}$", offered, "\n".join(blocks(PROFILE_PAGE, "toml")), flags=re.MULTILINE))
    (document,) = blocks(PROFILE_PAGE, "xml")
    for word, kind in (("NORMAL", CaptureKind.LIVE), ("REHEARSAL", CaptureKind.TEST)):
        sidecar = read_sidecar(document.replace("NORMAL", word).encode(), load_profile(path))
        assert sidecar is not None
        assert sidecar.kind is kind


def test_no_path_of_the_page_maps_to_nothing(profile: Profile) -> None:
    (document,) = blocks(PROFILE_PAGE, "xml")
    sidecar = read_sidecar(document.encode(), profile)
    assert sidecar is not None
    assert profile.map is not None
    assert set(profile.map.paths) == set(sidecar.matched)


@pytest.mark.parametrize(("old", "new"), [("NORMAL", "REHEARSAL"), ("02/03/2026", "2026-03-02"), ('weight="21500"', 'weight="heavy"')])
def test_what_makes_no_sense_is_refused_as_the_page_says(profile: Profile, old: str, new: str) -> None:
    (document,) = blocks(PROFILE_PAGE, "xml")
    with pytest.raises(UnreadableScan):
        read_sidecar(document.replace(old, new).encode(), profile)


def test_every_shipped_profile_is_offered_as_a_start() -> None:
    shipped = {path.stem for path in (HOW_TO.parents[1] / "config" / "scanners").glob("*.toml")}
    started = sorted(name for name in shipped - {"dicos-single"} if not name.startswith("sim-"))
    assert [name for name in started if f"`{name}`" not in PROFILE_PAGE] == []


def test_the_declaration_of_the_page_is_read() -> None:
    record = parse_declaration(blocks(DECLARATIONS_PAGE, "json")[0].encode(), "page")
    assert (("ZZZU6304941",), (DeclaredItem("020230", "frozen beef", 21000.0, 800),)) == (record.numbers, record.items)
    assert record.expected_at == datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
    assert [flag.code for flag in record.consignment.risk_flags] == ["R-12"]


def test_every_field_of_a_declaration_is_on_the_page() -> None:
    names = {*DeclarationFile.model_fields, *GoodsLine.model_fields} - {"declaration_schema"}
    assert [name for name in sorted(names) if f"`{name}`" not in DECLARATIONS_PAGE and f'"{name}"' not in DECLARATIONS_PAGE] == []
