"""Files that lie in a package as they came: every plane can be made again from the finished package alone, and attachments bit for bit."""

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from edge_agent.agent.assemble import with_attachments
from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.cli.main import main
from edge_agent.domain.attachment import AttachmentKind
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.profile import Limits
from edge_agent.domain.scan import Scan, ScannerRef
from edge_agent.errors import LimitExceeded, UnreadableScan
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.formats.members import MemberFile
from edge_agent.formats.package import open_package, read_entries, read_package, write_entries, write_package
from edge_agent.formats.package_replay import replay_originals
from edge_agent.formats.package_rewrite import anonymise_package
from edge_agent.formats.profiles import load_profile
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import NOON

SHIPPED = Path(__file__).parents[2] / "config" / "scanners"
HIGH, LOW, GREY = load_picture(120, 200), load_picture(120, 200, seed=1), load_picture(60, 90, bits=8)
DEAD = HIGH.copy()
DEAD[:, 100] = 0
PAGES = io.BytesIO()
tifffile.imwrite(PAGES, np.stack([HIGH, LOW]), photometric="minisblack")

ONE = 'plane = { view = "side", quantity = "transmission", energy = "high" }'
TWO = (
    'planes = [{ view = "side", quantity = "transmission", energy = "high" }, { view = "side", quantity = "transmission", energy = "low" }]'
)
RAW = TWO + '\nlayout = { width = 200, height = 120, byte_order = "big", header_bytes = 7, interleave = "line" }'
RAW_FILE = b"header:" + np.stack([HIGH, LOW], axis=1).astype(">u2").tobytes()

CHANGED = {
    "air": ("a.tif", tiff_bytes(HIGH), ONE, "air_columns = [0, 4]"),
    "scale": ("a.png", png_bytes(HIGH), ONE, "black = 500\nwhite = 60000"),
    "repair": ("a.tif", tiff_bytes(DEAD, "deflate"), ONE, "repair = true"),
    "crop": ("a.tif", tiff_bytes(HIGH, "zstd"), ONE, "crop = true\ncrop_margin_px = 2"),
    "everything": ("a.tif", tiff_bytes(np.invert(DEAD)), ONE, 'polarity = "dark-air"\nair_columns = [0, 4]\nrepair = true\ncrop = true'),
    "pages": ("a.tif", PAGES.getvalue(), TWO, "air_columns = [0, 4]"),
    "raw": ("a.tif", RAW_FILE, RAW, "air_columns = [0, 4]"),
}
"""File, its bytes, what the profile says of its planes, and how they are normalised: after none of it the file could be told."""

KEPT_ANYHOW = {
    "plain": ("a.tif", tiff_bytes(HIGH), ONE, ""),
    "inverted": ("a.png", png_bytes(HIGH), ONE, 'polarity = "dark-air"'),
    "raw": ("a.tif", RAW_FILE, RAW, ""),
}


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as started:
        started.sandbox()
        yield started


def profile_of(folder, planes, normalise):
    path = folder / "p.toml"
    usual = 'plane = { view = "side", quantity = "display", energy = "single" }'
    path.write_text((SHIPPED / "plain-image.toml").read_text().replace(usual, planes) + f"\n[normalise]\n{normalise}\n")
    return load_profile(path)


def digest_of(path, role, *, is_pixels):
    data = path.read_bytes()
    return MemberDigest(path.name, role, len(data), hashlib.sha256(data).hexdigest(), is_pixels)


def packed(child, folder, profile, files, **options):
    """The package of a drop as the daemon makes it, and the scan that went in."""
    members = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        members.append(MemberFile(name, profile.match(name)[0].role, folder / name))
    decoded = child.decode(members, profile)
    digests = tuple(digest_of(m.path, m.role, is_pixels=profile.rule(m.role).has_pixels) for m in members)
    capture = Capture(Stamp(NOON, "noon", tz_assumed=False), CaptureKind.SYNTHETIC, Selection.RANDOM)
    scan = Scan(
        ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"),
        1,
        ScannerRef(ScannerId("gate-1"), profile.name),
        capture,
        Subject(SubjectKind.CARGO),
        decoded.views,
        None,
        digests,
    )
    section = ScannerSection(id="gate-1", profile=profile.name, watch=folder, timezone="UTC", subject=SubjectKind.CARGO)
    scan = with_attachments(scan, decoded.media_types, Scanner(section, profile))
    originals = [(digest, member.path) for digest, member in zip(digests, members, strict=True)]
    return scan, write_package(scan, originals, folder / "a.scan.zip", **options).path


def replayed(package, limits=None):
    """How many planes of a package are what their originals in it give; the package alone is looked at."""
    return replay_originals(package, read_package(package), limits or Limits())


def sources(package):
    return {name: data for name, data in read_entries(package)[1].items() if name.startswith("source/")}


@pytest.mark.parametrize("case", CHANGED)
@pytest.mark.parametrize("codec", ["zstd", "deflate", "jxl"])
def test_a_plane_that_cannot_be_traced_back_is_made_again_from_the_package_alone(child, tmp_path, case, codec):
    name, data, planes, normalise = CHANGED[case]
    scan, package = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data}, codec=codec)
    (tmp_path / name).unlink()
    assert [data] == list(sources(package).values())
    assert len(scan.views[0].planes) == replayed(package)
    for mine, theirs in zip(scan.views[0].planes, read_package(package).views[0].planes, strict=True):
        assert (mine.operations, mine.origin) == (theirs.operations, theirs.origin)
        np.testing.assert_array_equal(mine.pixels, theirs.pixels)


@pytest.mark.parametrize("case", KEPT_ANYHOW)
def test_an_original_that_can_be_told_from_its_planes_is_kept_only_where_the_site_says_so(child, tmp_path, case):
    name, data, planes, normalise = KEPT_ANYHOW[case]
    profile = profile_of(tmp_path, planes, normalise)
    scan, package = packed(child, tmp_path, profile, {name: data})
    assert ({}, 0) == (sources(package), replayed(package))
    assert [hashlib.sha256(data).hexdigest()] == [source.sha256 for source in read_entries(package)[0].sources]
    scan, package = packed(child, tmp_path, profile, {name: data}, keeps_originals=True)
    assert ([data], len(scan.views[0].planes)) == (list(sources(package).values()), replayed(package))


def test_what_the_test_calls_changed_was_changed(child, tmp_path):
    for name, data, planes, normalise in CHANGED.values():
        scan, _ = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
        assert not np.array_equal(HIGH, scan.views[0].planes[0].pixels)


def test_each_picture_of_a_scan_of_several_jpegs_is_kept_as_it_came(child, tmp_path):
    text = (SHIPPED / "plain-image.toml").read_text()
    pattern = next(line for line in text.splitlines() if line.startswith("pattern"))
    side = text[text.index("[[member]]") :]
    top = side.replace('"side"', '"top"').replace('"picture"', '"top"').replace(pattern, "pattern = '(?P<key>.+)_top\\.jpg'")
    path = tmp_path / "two.toml"
    path.write_text(text.replace(side, top + side.replace(pattern, "pattern = '(?P<key>.+)\\.jpg'")))
    files = {"a_top.jpg": jpeg_bytes(GREY[::-1]), "a.jpg": jpeg_bytes(GREY)}
    scan, package = packed(child, tmp_path, load_profile(path), files)
    assert sorted(files.values()) == sorted(sources(package).values())
    assert [] == [name for name in read_entries(package)[1] if name.startswith("images/")]
    for mine, theirs in zip(scan.views, read_package(package).views, strict=True):
        np.testing.assert_array_equal(mine.planes[0].pixels, theirs.planes[0].pixels)


def forged(package, out, change):
    """The package with one entry changed and every digest in order."""
    document, entries = read_entries(package)
    return write_entries(document, change(entries), out).path


def test_an_original_that_gives_another_plane_is_noticed(child, tmp_path, capsys):
    name, data, planes, normalise = CHANGED["air"]
    _, package = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
    other = HIGH.copy()
    other[30, 45] ^= 0x4000
    (source,) = sources(package)
    bad = forged(package, tmp_path / "bad.scan.zip", lambda entries: {**entries, source: tiff_bytes(other)})
    assert 1 == len(read_package(bad).views)
    with pytest.raises(UnreadableScan, match="original"):
        replayed(bad)
    assert (0, 1) == (main(["scan", "validate", str(package)]), main(["scan", "validate", str(bad)]))
    assert "original" in capsys.readouterr().out


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_an_original_that_is_cut_off_is_noticed(child, tmp_path, cut):
    name, data, planes, normalise = CHANGED["air"]
    _, package = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
    (source,) = sources(package)
    bad = forged(package, tmp_path / "bad.scan.zip", lambda entries: {**entries, source: data[:cut]})
    with pytest.raises(UnreadableScan):
        replayed(bad)


def test_an_original_over_the_limits_is_refused_by_its_header(child, tmp_path):
    name, data, planes, normalise = CHANGED["crop"]
    _, package = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
    scan = read_package(package)
    assert scan.views[0].size.height * scan.views[0].size.width < HIGH.size - 1
    with pytest.raises(LimitExceeded):
        replay_originals(package, scan, Limits(max_pixels=HIGH.size - 1))


def test_a_named_original_that_is_not_there_is_refused(child, tmp_path):
    name, data, planes, normalise = CHANGED["air"]
    _, package = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
    (source,) = sources(package)
    bad = forged(package, tmp_path / "bad.scan.zip", lambda entries: {n: d for n, d in entries.items() if n != source})
    with pytest.raises(UnreadableScan):
        read_package(bad)


def test_a_package_put_into_a_folder_keeps_the_first_one_for_planes_that_cannot_be_traced_back(child, tmp_path):
    name, data, planes, normalise = CHANGED["raw"]
    _, first = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
    again = tmp_path / "again"
    again.mkdir()
    scan, second = packed(child, again, load_profile(SHIPPED / "scan-package.toml"), {"b.scan.zip": first.read_bytes()})
    assert {"source/package.zip": first.read_bytes()} == sources(second)
    assert 2 == replayed(second)
    for mine, theirs in zip(read_package(first).views[0].planes, scan.views[0].planes, strict=True):
        np.testing.assert_array_equal(mine.pixels, theirs.pixels)


def test_a_package_of_planes_that_can_be_traced_back_holds_no_other_package(child, tmp_path):
    name, data, planes, normalise = KEPT_ANYHOW["plain"]
    _, first = packed(child, tmp_path, profile_of(tmp_path, planes, normalise), {name: data})
    again = tmp_path / "again"
    again.mkdir()
    _, second = packed(child, again, load_profile(SHIPPED / "scan-package.toml"), {"b.scan.zip": first.read_bytes()})
    assert {} == sources(second)


# ----------------------------------------------------------------------------------------------------------------- attachments

RADIATION = b"\x00\x01neutron counts\xff" * 40
SNAPSHOT = jpeg_bytes(load_picture(40, 50, bits=8, seed=7))


@pytest.fixture
def with_radiation(child, tmp_path):
    profile = load_profile(SHIPPED / "smiths-dataform.toml")
    return packed(child, tmp_path, profile, {"7S.jpg": jpeg_bytes(GREY), "7S.rad": RADIATION, "7_1_Front_snap.jpg": SNAPSHOT})


def test_radiation_lies_in_the_package_bit_for_bit_and_snapshots_do_not(with_radiation):
    scan, package = with_radiation
    document, entries = read_entries(package)
    assert {"attachments/radiation.bin": RADIATION} == {n: d for n, d in entries.items() if n.startswith("attachments/")}
    assert {"radiation": "attachments/radiation.bin", "optical": None} == {one.kind.value: one.entry for one in document.attachments}
    assert hashlib.sha256(SNAPSHOT).hexdigest() in [one.sha256 for one in document.attachments]
    assert not any(SNAPSHOT in data for data in entries.values())
    assert scan.attachments == open_package(package, Limits())[1].attachments


def test_an_anonymised_copy_keeps_radiation_and_drops_what_shows_people(with_radiation, tmp_path):
    _, package = with_radiation
    document, entries = read_entries(anonymise_package(package, tmp_path / "clean.scan.zip").path)
    assert RADIATION == entries["attachments/radiation.bin"]
    assert [AttachmentKind.RADIATION] == [one.kind for one in document.attachments]
    assert not any(SNAPSHOT in data for data in entries.values())


def test_an_anonymised_copy_drops_a_snapshot_that_somebody_else_put_into_a_package(with_radiation, tmp_path):
    _, package = with_radiation
    document, entries = read_entries(package)
    told = tuple(
        one if one.entry is not None else one.model_copy(update={"entry": "attachments/optical.jpg"}) for one in document.attachments
    )
    document = document.model_copy(update={"attachments": told})
    foreign = write_entries(document, {**entries, "attachments/optical.jpg": SNAPSHOT}, tmp_path / "foreign.scan.zip").path
    clean = anonymise_package(foreign, tmp_path / "clean.scan.zip").path
    assert ["attachments/radiation.bin"] == [name for name in zipfile.ZipFile(clean).namelist() if name.startswith("attachments/")]


def test_an_anonymised_copy_drops_originals_whose_headers_may_name_somebody(child, tmp_path):
    out = io.BytesIO()
    tifffile.imwrite(out, HIGH, photometric="minisblack", description="by jane.placeholder")
    _, package = packed(child, tmp_path, profile_of(tmp_path, ONE, "air_columns = [0, 4]"), {"a.tif": out.getvalue()})
    assert b"jane.placeholder" in package.read_bytes()
    clean = anonymise_package(package, tmp_path / "clean.scan.zip").path
    assert b"jane.placeholder" not in clean.read_bytes()
    assert ({}, 0) == (sources(clean), replayed(clean))


def test_two_attachments_of_one_role_have_two_names_and_a_file_that_is_gone_has_none(child, tmp_path):
    profile = load_profile(SHIPPED / "smiths-dataform.toml")
    scan, _ = packed(child, tmp_path, profile, {"7S.jpg": jpeg_bytes(GREY), "7S.rad": RADIATION})
    (one,) = scan.attachments
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        path.write_bytes(path.name.encode())
    digests = [digest_of(path, "radiation", is_pixels=False) for path in paths]
    found = tuple(replace(one, sha256=digest.sha256, size=digest.size) for digest in digests)
    scan = replace(scan, attachments=(*found, replace(one, sha256="ab" * 32)))
    document, entries = read_entries(write_package(scan, list(zip(digests, paths, strict=True)), tmp_path / "b.scan.zip").path)
    names = ["attachments/radiation.bin", "attachments/radiation-2.bin"]
    assert [*names, None] == [one.entry for one in document.attachments]
    assert [b"one", b"two"] == [entries[name] for name in names]
