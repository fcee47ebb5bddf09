from pathlib import Path

import pytest

from edge_agent.intake.grouping import UNKNOWN_ROLE, FileEntry, group, is_unknown
from edge_agent.intake.spool import spool_names
from edge_agent.testing.drops import SCANNER, cargo_profile, picture_profile


def files(*names):
    return [FileEntry(name, Path("/nowhere") / name, 1, 1) for name in names]


def test_files_of_one_scan_come_together_with_their_roles():
    (drop,) = group(SCANNER, files("7_low.tif", "7.json", "7_HIGH.TIF"), cargo_profile())
    assert drop.key == "7"
    assert [(m.name, m.role) for m in drop.members] == [("7.json", "sidecar"), ("7_HIGH.TIF", "high"), ("7_low.tif", "low")]


def test_equal_names_in_different_folders_are_different_scans():
    assert [drop.key for drop in group(SCANNER, files("a/7.json", "b/7.json"), cargo_profile())] == ["a/7", "b/7"]


def test_a_file_that_no_rule_knows_is_a_drop_of_its_own_and_never_joins_another():
    known, unknown = group(SCANNER, files("7.json", "7"), cargo_profile())[::-1]
    assert is_unknown(unknown)
    assert not is_unknown(known)
    assert [member.role for member in unknown.members] == [UNKNOWN_ROLE]


@pytest.mark.parametrize("name", ["x.jpg.tmp", "x.JPG.PART", "~x.jpg", ".x.jpg", "a/.x.jpg", "x.crdownload", "x_snap.jpg", "X_SNAP.JPG"])
def test_unfinished_and_ignored_names_are_nobodys(name):
    assert group(SCANNER, files(name), picture_profile()) == ()


def test_the_first_rule_that_fits_wins():
    (drop,) = group(SCANNER, files("7_stamp.jpg", "7.jpg", "7.xml"), picture_profile("dataform"))
    assert sorted(member.role for member in drop.members) == ["picture", "sidecar", "stamp"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/7.json", "b/7.json"], ("7.json", "2-7.json")),
        (["7.json", "7.JSON"], ("7.json", "2-7.JSON")),
        ([".hidden", "-rf"], ("hidden", "rf")),
        (["a\nb\x7f.jpg"], ("a_b_.jpg",)),
        (["..", "x/.."], ("member", "2-member")),
        (["\u00e9" * 200 + ".tif"], ("\u00e9" * 73 + ".tif",)),
    ],
)
def test_spool_names_are_harmless_and_unique(names, expected):
    assert expected == spool_names(names)
