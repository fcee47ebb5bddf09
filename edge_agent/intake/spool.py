"""Our own copy of accepted members: ``spool/<scan_id>/r<revision>/``, whole or not there at all, on the disk before the ledger knows.

Every step can be cut by a crash. What a cut leaves behind is either in ``.incoming`` (cleared at the next start), or a folder under
its final name that the ledger does not know (replaced when its drop is taken again, else removed after a while), never half a copy
under its final name.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from edge_agent.analysis.ports import Fan, one_by_one
from edge_agent.domain.drop import Drop
from edge_agent.domain.ids import ScanId
from edge_agent.domain.member import DropMember, MemberDigest
from edge_agent.domain.profile import Profile
from edge_agent.errors import DiskLow, DropUnavailable, MemberChanged

_INCOMING: Final = ".incoming"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_CHUNK_BYTES = 1 << 20
_MAX_NAME = 150
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
_REVISION = re.compile(r"r([0-9]+)")


@dataclass(frozen=True, slots=True)
class Spooled:
    """A finished copy that has no place yet. ``digests``: in the order of the drop's members; their names are those in ``folder``."""

    folder: Path
    digests: tuple[MemberDigest, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Which scan and revision a copy is."""

    spooled: Spooled
    scan_id: ScanId
    revision: int


class Spool:
    """The spool below ``root``, of one process at a time (the ledger's lock sees to it).

    Copies may be made by several threads at once, and revisions placed, removed and set aside by several; one revision is touched by one
    thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / _INCOMING
        self._naming = threading.Lock()
        """Held while a scan's folder must be there: another revision that leaves it takes it away when it was the last."""
        root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        _sync_folder(root)
        _sync_folder(root.parent)

    def copy(self, drop: Drop, profile: Profile) -> Spooled:
        """Copy all members of a settled drop, hashing them on the way; the scanner's files are only read.

        Raises:
            MemberChanged: a member is not what it was when the drop settled, or changed meanwhile.
            DropUnavailable: a member cannot be read now.
            DiskLow: our disk is full. Nothing of the copy is left after any of these.
        """
        names = spool_names([member.name for member in drop.members])
        with _disk_low():
            folder = Path(tempfile.mkdtemp(dir=self._incoming))
            try:
                digests = tuple(_copy_member(member, folder / name, profile) for member, name in zip(drop.members, names, strict=True))
                _sync_folder(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return Spooled(folder, digests)

    def place(self, placements: Sequence[Placement], fan: Fan = one_by_one) -> list[Path]:
        """Give copies their final names, then bring all names to the disk; an orphan under a name (from before a crash) is replaced.

        ``fan``: threads that wait for the disk side by side; it then confirms many names with one flush of its cache.

        Raises:
            DiskLow: our disk is full; some copies may have their names already, which a later call replaces.
        """
        with _disk_low():
            targets = [self._folder(one.scan_id, one.revision) for one in placements]
            for one, target in zip(placements, targets, strict=True):
                self._clear(target)
                with self._naming:
                    target.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
                    one.spooled.folder.rename(target)
            fan(_sync_folder, list(dict.fromkeys((*(target.parent for target in targets), self._root, self._incoming))))
        return targets

    def discard(self, spooled: Spooled) -> None:
        """Remove a copy that turned out to hold nothing new."""
        shutil.rmtree(spooled.folder, ignore_errors=True)

    def set_aside(self, scan_id: ScanId, revision: int, quarantine: Path) -> Path:
        """Rename a revision's folder into ``quarantine`` (on the same file system). Doing it again after a crash changes nothing.

        Raises:
            DropUnavailable: the copy is in neither place.
        """
        source = self._folder(scan_id, revision)
        target = quarantine / scan_id / source.name
        if source.exists():
            self._move(source, target)
            self._drop_if_empty(source.parent)
        elif not target.exists():
            raise DropUnavailable("the spool copy is gone", {"scan_id": scan_id, "revision": revision})
        return target

    def remove(self, scan_id: ScanId, revision: int) -> None:
        """Remove a revision's folder; nothing happens when it is not there."""
        self._clear(self._folder(scan_id, revision))
        self._drop_if_empty(self._root / scan_id)

    def revisions(self, before: datetime) -> list[tuple[ScanId, int]]:
        """Give the scans and revisions that lie here and were copied before a moment, sorted."""
        found = []
        for folder in self._root.glob("*/r*"):
            match = _REVISION.fullmatch(folder.name)
            try:
                is_old = folder.stat().st_mtime < before.timestamp()
            except FileNotFoundError:  # packed and removed just now, on another lane
                continue
            if match is not None and is_old:
                found.append((ScanId(folder.parent.name), int(match[1])))
        return sorted(found)

    def _folder(self, scan_id: ScanId, revision: int) -> Path:
        if not _SAFE_ID.fullmatch(scan_id) or revision < 1:
            raise ValueError(f"no scan can have this identity: {scan_id!r} r{revision}")
        return self._root / scan_id / f"r{revision}"

    def _move(self, source: Path, target: Path) -> Path:
        """Rename a folder to ``target``, clearing what lies there, and bring the new names to the disk."""
        for parent in (target.parent.parent, target.parent):
            parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._clear(target)
        source.rename(target)
        for changed in (target.parent, target.parent.parent, target.parent.parent.parent, source.parent):
            _sync_folder(changed)
        return target

    def _clear(self, folder: Path) -> None:
        """Remove a folder so that a crash meanwhile leaves nothing half under its name: it gets another name first."""
        if not folder.exists():
            return
        grave = Path(tempfile.mkdtemp(dir=self._incoming)) / "old"
        folder.rename(grave)
        _sync_folder(folder.parent)
        shutil.rmtree(grave.parent)

    def _drop_if_empty(self, folder: Path) -> None:
        with self._naming:
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                    raise


def spool_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give each member a file name of its own in the spool: its base name, made harmless, with a number where two would be equal."""
    given: list[str] = []
    for name in names:
        base = _harmless(name.rpartition("/")[2])
        candidate, number = base, 1
        while candidate.lower() in {taken.lower() for taken in given}:
            number += 1
            candidate = f"{number}-{base}"
        given.append(candidate)
    return tuple(given)


def _harmless(base: str) -> str:
    """Replace control characters and separators; no leading dot or dash; at most 150 bytes, keeping the end with the suffix."""
    clean = _UNSAFE.sub("_", base).lstrip(".-") or "member"
    return clean.encode("utf-8", "replace")[-_MAX_NAME:].decode("utf-8", "ignore")


def _copy_member(member: DropMember, target: Path, profile: Profile) -> MemberDigest:
    """Copy one member and compare the source's stat before and after."""
    try:
        source = os.open(member.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DropUnavailable("a member cannot be read", {"role": member.role, "errno": error.errno or 0}) from error
    try:
        before = _identity(os.fstat(source))
        if before[:2] != (member.size, member.mtime_ns) or not stat.S_ISREG(os.fstat(source).st_mode):
            raise MemberChanged("a member is not what it was when the drop settled", {"role": member.role})
        sha256 = _copy_bytes(source, target, member)
        if not _is_still(member.path, source, before):
            raise MemberChanged("a member changed while it was copied", {"role": member.role})
    finally:
        os.close(source)
    rule = profile.rule(member.role)
    return MemberDigest(target.name, member.role, member.size, sha256, is_pixels=rule is not None and rule.has_pixels)


def _copy_bytes(source: int, target: Path, member: DropMember) -> str:
    """Copy at most the member's size and one byte more (so that growth shows), sync, and give the SHA-256 (hex)."""
    digest = hashlib.sha256()
    left = member.size + 1
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        while left > 0 and (chunk := _read(source, min(left, _CHUNK_BYTES), member)):
            digest.update(chunk)
            left -= len(chunk)
            _write_all(file.fileno(), chunk)
        os.fsync(file.fileno())
    if left != 1:
        raise MemberChanged("a member has another size than when the drop settled", {"role": member.role})
    return digest.hexdigest()


def _read(source: int, count: int, member: DropMember) -> bytes:
    try:
        return os.read(source, count)
    except OSError as error:
        raise DropUnavailable("a member cannot be read", {"role": member.role, "errno": error.errno or 0}) from error


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _disk_low() -> Iterator[None]:
    """Turn a full disk into DiskLow; any other trouble with our own disk stays what it is and ends the process."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskLow("the spool's disk is full", {"errno": error.errno}) from error
        raise


def _is_still(path: Path, source: int, before: tuple[int, int, int]) -> bool:
    """Say whether the open file and the file under its name are both the one of ``before``, unchanged."""
    try:
        by_name = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return _identity(os.fstat(source)) == before == _identity(by_name)


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ino


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
