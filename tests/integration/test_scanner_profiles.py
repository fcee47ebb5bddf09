"""The profiles that we ship, and what the loader says about others."""

import re
from pathlib import Path

import pytest

from edge_agent.domain.profile import Limits, Need
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.formats.profiles import load_profile

SHIPPED = sorted((Path(__file__).parents[2] / "config" / "scanners").glob("*.toml"))
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-profile.md"
GOOD = """
name = "mine"
sidecar = "json"
clock = "Asia/Kolkata"
quiet_s = 1.0
unknown_after_s = 60.0
required_views = ["side"]

[limits]
max_pixels = 1000

[[member]]
role = "high"
pattern = '(?P<key>.+)_high\\.tif'
need = "required"
deadline_s = 30.0
plane = { view = "side", quantity = "transmission", energy = "high" }

[[member]]
role = "sidecar"
pattern = '(?P<key>.+)\\.json'
need = "expected"
deadline_s = 30.0
"""


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_the_named_profiles_are_shipped():
    ours = {"generic-csv", "generic-json", "generic-xml", "idr-folder", "manifest-xml", "plain-image", "sim-cargo", "sim-parcel"}
    assert ours | {"smiths-dataform"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_profile_loads_under_its_own_name(path):
    profile = load_profile(path)
    assert path.stem == profile.name
    assert any(rule.need is Need.REQUIRED and (rule.plane is not None or rule.package) for rule in profile.members)


def test_a_profile_arrives_with_its_defaults(tmp_path):
    profile = load_profile(written(tmp_path, GOOD))
    assert Limits(max_pixels=1000) == profile.limits
    assert ("Asia/Kolkata", "json", ("side",)) == (profile.clock, profile.sidecar, profile.required_views)
    assert ["high", "sidecar"] == [rule.role for rule in profile.members]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("202511120026910158S.jpg", ("picture", "202511120026910158")),
        ("202511120026910158.xml", ("sidecar", "202511120026910158")),
        ("202511120026910158S_stamp.jpg", ("stamp", "202511120026910158")),
        ("20251112002621006DS.jpg", ("picture", "20251112002621006D")),
        ("20251112002621006D.xml", ("sidecar", "20251112002621006D")),
        ("truck_07.jpeg", ("picture", "truck_07")),
        ("trucks.jpg", ("picture", "trucks")),
        ("2026/0102/7S.JPG", ("picture", "2026/0102/7")),
        ("202511120026910158_20423_Front_snap.jpg", ("snapshot", "202511120026910158")),
        ("202511120026910158_20425_Front_ocr.jpg", ("ocr", "202511120026910158")),
        ("202511120026910158_ocr.xml", None),
        ("202511120026910158S_rt.png", ("radiation", "202511120026910158")),
        ("202511120026910158S.Img", None),
        ("202511120026910158S_pix.DHE", None),
        ("readme.txt", None),
    ],
)
def test_names_that_a_dataform_scanner_writes(name, expected):
    match = load_profile(SHIPPED[0].with_name("smiths-dataform.toml")).match(name)
    assert expected == (match and (match[0].role, match[1]))


def test_the_profile_of_the_how_to_loads(tmp_path):
    """The page's TOML blocks, put together, are a profile."""
    blocks = re.findall(r"```toml\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    profile = load_profile(written(tmp_path, "".join(blocks)))
    assert profile.name == "harbour-gate"
    assert Limits() == profile.limits


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "mine"', 'name = "mine"\nnovelty = 1', "novelty"),
        ('name = "mine"', "", "name"),
        ('name = "mine"', 'name = "../mine"', "name"),
        ("quiet_s = 1.0", "quiet_s = 0", "quiet_s"),
        ("quiet_s = 1.0", "quiet_s = inf", "quiet_s"),
        ("max_pixels = 1000", "max_pixels = 0", "limits.max_pixels"),
        ("max_pixels = 1000", "max_pixel = 1000", "limits.max_pixel"),
        ('clock = "Asia/Kolkata"', 'clock = "Asia/Atlantis"', "clock"),
        ('clock = "Asia/Kolkata"', 'clock = "../../etc/passwd"', "clock"),
        ('sidecar = "json"', 'sidecar = "word"', "sidecar"),
        ('sidecar = "json"', 'sidecar = ""', "sidecar"),
        ('role = "sidecar"', 'role = "high"', "role"),
        ("(?P<key>.+)_high", ".+_high", "member.0.pattern"),
        ("(?P<key>.+)_high", "(?P<key>.+_high", "member.0.pattern"),
        ('need = "required"', 'need = "optional"', "member"),
        ('required_views = ["side"]', 'required_views = ["top"]', "required_views"),
        ('quantity = "transmission"', 'quantity = "colour"', "member.0.plane.quantity"),
    ],
)
def test_a_wrong_profile_is_refused_with_file_and_key(tmp_path, old, new, key):
    assert old in GOOD
    with pytest.raises(ConfigInvalid) as caught:
        load_profile(written(tmp_path, GOOD.replace(old, new, 1)))
    assert "mine.toml" in caught.value.detail
    assert key in caught.value.detail


def test_an_absent_or_broken_file_is_unreadable(tmp_path):
    with pytest.raises(ConfigUnreadable):
        load_profile(tmp_path / "nothing.toml")
    with pytest.raises(ConfigUnreadable):
        load_profile(written(tmp_path, "name = "))
