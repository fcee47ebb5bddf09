"""``edge-agent scan`` on files: what it shows, refuses and writes."""

import json
import shutil

import cv2
import numpy as np
import pytest

from edge_agent.cli.main import main
from edge_agent.domain.profile import Limits
from edge_agent.errors import LimitExceeded, UnreadableScan
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import tiff_bytes
from edge_agent.formats.package import read_package
from edge_agent.formats.package_schema import shipped_schema, table
from edge_agent.testing.drops import load_picture

SIDECAR = {"schema": "sim-sidecar/1", "taken_at": "2026-03-02T12:00:00Z", "kind": "staged", "container": "MSKU1234565"}


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drop")
    (folder / "a_high.tif").write_bytes(tiff_bytes(load_picture(600, 900)))
    (folder / "a_low.tif").write_bytes(tiff_bytes(load_picture(600, 900, seed=1)))
    (folder / "a.json").write_text(json.dumps(SIDECAR))
    return folder


@pytest.fixture(scope="module")
def package(drop, tmp_path_factory):
    out = tmp_path_factory.mktemp("packages")
    assert 0 == main(["scan", "convert", str(drop), "--profile", "sim-cargo", "--out", str(out)])
    (found,) = out.iterdir()
    return found


def test_a_converted_scan_holds_the_scanner_s_pixels_and_no_identifier(package):
    scan = read_package(package)
    np.testing.assert_array_equal(load_picture(600, 900), scan.views[0].planes[0].pixels)
    assert ((), "staged") == (scan.subject.identifiers, scan.capture.kind)
    assert b"MSKU" not in package.read_bytes()


def test_show_says_what_it_is_and_that_it_is_not_real(package, capsys):
    assert 0 == main(["scan", "show", str(package), "--picture"])
    said = capsys.readouterr().out
    assert "NOT REAL TRAFFIC" in said
    assert "900 x 600" in said
    assert "@" in said, "the picture of a terminal without colours"


def test_validate_tells_whole_from_altered(package, tmp_path, capsys):
    altered = tmp_path / "altered.scan.zip"
    data = bytearray(package.read_bytes())
    data[len(data) // 2] ^= 1
    altered.write_bytes(data)
    assert 0 == main(["scan", "validate", str(package), "--json"])
    assert 1 == main(["scan", "validate", str(package), str(altered), "--json"])
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [True, True, False] == [report["valid"] for report in reports]
    assert "unreadable-scan" == reports[-1]["code"]


def test_extracted_planes_are_the_pixels_bit_by_bit(package, tmp_path):
    for form in ("png", "tiff"):
        assert 0 == main(["scan", "extract", str(package), "--out", str(tmp_path), "--format", form])
    pictures = sorted(tmp_path.glob("*high*"))
    assert 2 == len(pictures)
    for picture in pictures:
        np.testing.assert_array_equal(load_picture(600, 900), cv2.imread(str(picture), cv2.IMREAD_UNCHANGED))


def test_a_package_is_not_anonymised_onto_itself(package, tmp_path):
    copy = tmp_path / package.name
    shutil.copy(package, copy)
    before = copy.read_bytes()
    assert 1 == main(["scan", "anonymise", str(copy), "--out", str(tmp_path)])
    assert before == copy.read_bytes()


def test_a_cut_picture_is_not_converted(tmp_path, capsys):
    from edge_agent.formats.encode import jpeg_bytes

    whole = jpeg_bytes(load_picture(400, 600, bits=8))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(whole[: len(whole) // 2])
    assert 3 == main(["scan", "convert", str(tmp_path / "in"), "--profile", "plain-image", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
    assert "unreadable-scan" in capsys.readouterr().err


def test_what_is_no_file_is_named(tmp_path, capsys):
    assert 78 == main(["scan", "show", str(tmp_path / "nothing.zip")])
    assert "nothing.zip" in capsys.readouterr().err


def test_the_schema_is_printed_as_it_is_shipped(capsys):
    assert 0 == main(["scan", "schema"])
    assert shipped_schema() == capsys.readouterr().out
    assert 0 == main(["scan", "schema", "--markdown"])
    assert table() == capsys.readouterr().out


def test_a_package_is_opened_in_the_child_as_it_is_here(package, tmp_path):
    with DecodeChild() as child:
        document, scan = child.open_package(package)
        here = read_package(package)
        assert (here.scan_id, here.capture, here.subject) == (scan.scan_id, scan.capture, scan.subject)
        for mine, theirs in zip(here.views[0].planes, scan.views[0].planes, strict=True):
            assert mine.operations == theirs.operations
            np.testing.assert_array_equal(mine.pixels, theirs.pixels)
        assert document.scan.id == scan.scan_id
        (tmp_path / "junk.zip").write_bytes(package.read_bytes()[:5000])
        with pytest.raises(UnreadableScan):
            child.open_package(tmp_path / "junk.zip")
        with pytest.raises(LimitExceeded):
            child.open_package(package, Limits(max_pixels=100))
