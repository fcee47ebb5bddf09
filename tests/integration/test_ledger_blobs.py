"""Blobs: what was put comes back exactly, or an error; never other bytes."""

import hashlib
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.errors import BlobDamaged, BlobMissing, DiskLow
from edge_agent.ledger.blobs import BlobStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_an_erased_blob_is_gone_and_says_so_when_asked_for(store: BlobStore) -> None:
    digest, _ = store.put(b"a face")
    kept, _ = store.put(b"a load")
    assert store.erase(digest)
    assert not store.erase(digest)
    assert not store.has(digest)
    with pytest.raises(BlobMissing):
        store.get(digest)
    assert store.get(kept) == b"a load"
    with pytest.raises(BlobMissing):
        store.erase("../escape")


@pytest.mark.parametrize("content", [b"", b"picture", bytes(range(256)) * 4096])
def test_what_was_put_comes_back_by_its_hash(store: BlobStore, content: bytes) -> None:
    digest, size = store.put(content)
    assert (digest, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert store.has(digest)
    assert store.get(digest) == content


def test_a_blob_lies_under_its_hash_for_its_owner_alone(store: BlobStore, tmp_path: Path) -> None:
    digest, _ = store.put(b"picture")
    (file,) = files(tmp_path)
    assert file == tmp_path / "blobs" / digest[:2] / digest
    assert [stat.S_IMODE(place.stat().st_mode) for place in (file, file.parent, file.parent.parent)] == [0o600, 0o700, 0o700]


def test_the_same_content_is_stored_once(store: BlobStore, tmp_path: Path) -> None:
    assert store.put(b"picture") == store.put(b"picture")
    assert len(files(tmp_path)) == 1


def test_what_was_never_put_is_missing(store: BlobStore) -> None:
    digest = hashlib.sha256(b"never").hexdigest()
    assert not store.has(digest)
    with pytest.raises(BlobMissing):
        store.get(digest)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "/" + "a" * 63])
def test_a_name_that_is_no_hash_never_becomes_a_path(store: BlobStore, name: str) -> None:
    with pytest.raises(BlobMissing):
        store.get(name)
    with pytest.raises(BlobMissing):
        store.has(name)


@pytest.mark.parametrize("altered", [b"", b"pictur", b"pictures", b"Picture"])
def test_altered_bytes_are_never_given_out_and_mended_when_put_again(store: BlobStore, tmp_path: Path, altered: bytes) -> None:
    digest, _ = store.put(b"picture")
    (file,) = files(tmp_path)
    file.write_bytes(altered)
    with pytest.raises(BlobDamaged):
        store.get(digest)
    store.put(b"picture")
    assert store.get(digest) == b"picture"


def test_a_full_disk_is_said_cleanly_and_leaves_nothing_behind(store: BlobStore, tmp_path: Path) -> None:
    content = bytes(200_000)
    with files_limited_to(50_000), pytest.raises(DiskLow):
        store.put(content)
    assert files(tmp_path) == []
    digest, _ = store.put(content)
    assert store.get(digest) == content


def test_blobs_outlive_their_store(tmp_path: Path) -> None:
    digest, _ = BlobStore(tmp_path / "blobs").put(b"picture")
    assert BlobStore(tmp_path / "blobs").get(digest) == b"picture"
