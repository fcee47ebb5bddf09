"""Pictures and maps on disk, named by their own SHA-256. What is half written is never seen under such a name."""

import errno
import hashlib
import os
import re
import secrets
from pathlib import Path

from edge_agent.errors import BlobDamaged, BlobMissing, DiskLow
from edge_agent.ledger.connection import FILE_MODE, sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FOLDER_MODE = 0o700


class BlobStore:
    """Content-addressed files ``ab/<sha256>`` under a folder of our own."""

    def __init__(self, root: Path) -> None:
        """Use ``root``, made if absent."""
        self._root = root
        root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def put(self, content: bytes) -> tuple[str, int]:
        """Store ``content`` durably; give its SHA-256 (hex) and size in bytes. Storing it again mends a damaged copy.

        Raises:
            DiskLow: no space; nothing is left behind.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if not self._is_whole(path, digest):
            try:
                self._write(path, content)
            except OSError as problem:
                if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise DiskLow("no space for a blob", {"bytes": len(content)}) from problem
                raise
        return digest, len(content)

    def get(self, sha256: str) -> bytes:
        """Give the bytes of a blob.

        Raises:
            BlobMissing: no such blob.
            BlobDamaged: the stored bytes are not the ones that were put; they are never given out.
        """
        try:
            content = _read(self._path(sha256))
        except FileNotFoundError as problem:
            raise BlobMissing("there is no such blob", {"sha256": sha256}) from problem
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BlobDamaged("a blob was altered on the disk", {"sha256": sha256})
        return content

    def erase(self, sha256: str) -> bool:
        """Take a blob off the disk for good, as an erasure of personal data asks; say whether there was one."""
        path = self._path(sha256)
        if not path.is_file():
            return False
        path.unlink()
        sync_folder(path.parent)
        return True

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def _path(self, sha256: str) -> Path:
        # The name may come from a peer: nothing but a digest becomes a path.
        if _DIGEST.fullmatch(sha256) is None:
            raise BlobMissing("a blob is named by 64 hexadecimal digits")
        return self._root / sha256[:2] / sha256

    def _is_whole(self, path: Path, digest: str) -> bool:
        try:
            return hashlib.sha256(_read(path)).hexdigest() == digest
        except FileNotFoundError:
            return False

    def _write(self, path: Path, content: bytes) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            sync_folder(self._root)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read()
