"""A bundle runs only when a trusted key vouches for every byte of it."""

from pathlib import Path

import pytest

from edge_agent.errors import BundleCorrupt, BundleUnsigned, BundleUntrusted
from edge_agent.inference.bundle import SIGNATURE, find_bundles, load_bundle, sign_bundle
from edge_agent.inference.installed import installed_bundles, release_key
from edge_agent.signing.detached import WORKSHOP, Trust
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.bundles import TEST_KEY, TEST_TRUST, write_detection_bundle

STRANGER = SigningKey.new("stranger")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_detection_bundle(tmp_path)


def test_a_signed_bundle_loads_and_says_who_vouches_for_it(folder: Path) -> None:
    signer = load_bundle(folder, TEST_TRUST).signer
    assert signer is not None
    assert (signer.name, signer.key) == ("test", TEST_KEY.public)


def test_without_a_signature_it_is_refused(folder: Path) -> None:
    (folder / SIGNATURE).unlink()
    with pytest.raises(BundleUnsigned):
        load_bundle(folder, TEST_TRUST)
    assert load_bundle(folder, WORKSHOP).signer is None


def test_a_strangers_signature_is_refused_with_its_fingerprint(folder: Path) -> None:
    sign_bundle(folder, STRANGER)
    with pytest.raises(BundleUntrusted, match=STRANGER.public.fingerprint):
        load_bundle(folder, TEST_TRUST)
    assert load_bundle(folder, Trust.of([STRANGER.public])).signer is not None


def test_nobody_is_trusted_where_no_key_is(folder: Path) -> None:
    with pytest.raises(BundleUntrusted):
        load_bundle(folder, Trust.of([]))


def test_a_card_that_was_edited_no_longer_fits_its_signature(folder: Path) -> None:
    card = folder / "card.toml"
    card.write_text(card.read_text().replace("bright = 0.6", "bright = 0.9"))
    with pytest.raises(BundleCorrupt, match="altered"):
        load_bundle(folder, TEST_TRUST)


@pytest.mark.parametrize("name", ["model.onnx", "labels.txt", "golden/one.npz"])
def test_an_altered_file_is_named_although_the_signature_fits(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(BundleCorrupt, match=name):
        load_bundle(folder, TEST_TRUST)


def test_a_file_that_the_card_does_not_list_is_refused(folder: Path) -> None:
    (folder / "more.txt").write_text("hidden")
    with pytest.raises(BundleCorrupt, match=r"more\.txt"):
        load_bundle(folder, TEST_TRUST)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 40, b'{"format": "signature/1"}'])
def test_a_damaged_signature_file_is_no_signature(folder: Path, content: bytes) -> None:
    (folder / SIGNATURE).write_bytes(content)
    with pytest.raises(BundleCorrupt):
        load_bundle(folder, TEST_TRUST)


def test_a_signature_of_another_bundle_is_refused(tmp_path: Path) -> None:
    one, other = write_detection_bundle(tmp_path / "a"), write_detection_bundle(tmp_path / "b", name="other")
    (one / SIGNATURE).write_bytes((other / SIGNATURE).read_bytes())
    with pytest.raises(BundleCorrupt, match="another document"):
        load_bundle(one, TEST_TRUST)


def test_what_is_not_whole_is_never_signed(folder: Path) -> None:
    (folder / SIGNATURE).unlink()
    (folder / "labels.txt").write_text("altered\n")
    with pytest.raises(BundleCorrupt):
        sign_bundle(folder, TEST_KEY)
    assert not (folder / SIGNATURE).exists()


@pytest.mark.parametrize("shipped", find_bundles(installed_bundles()), ids=lambda path: path.parent.name)
def test_the_bundles_that_ship_are_signed_with_the_release_key(shipped: Path) -> None:
    signer = load_bundle(shipped, Trust.of([release_key()])).signer
    assert signer is not None
    assert signer.name == "release"
