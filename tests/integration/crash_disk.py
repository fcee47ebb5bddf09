"""A disk that loses what was not synced when the power fails, in 512-byte sectors chosen at random: main file, log, sizes and names.

The files lie on a real file system; before a sector is written the first time since its file's last sync, what it held is kept. A crash
copies every file elsewhere with each unsynced sector old or new. A new file's name is durable once the file was synced, as SQLite's own
disk layer sees to for its logs.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import apsw

SECTOR = 512
_BASE = "unix"


class Unsynced:
    """What of one file is not on the disk yet. ``size``: durable size in bytes, None while even the name is not durable."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.sectors: dict[int, bytes] = {}

    def image(self, path: Path, dice: random.Random) -> bytes | None:
        """The file as the crash leaves it, None when it is not there at all."""
        content = path.read_bytes()
        if self.size is None and dice.random() < 0.5:
            return None
        durable = self.size or 0
        size = dice.choice([durable, len(content)]) if durable != len(content) else durable
        image = bytearray(content[:size].ljust(size, b"\0"))
        for sector, before in self.sectors.items():
            start = sector * SECTOR
            if start < size and dice.random() < 0.5:
                end = min(start + SECTOR, size)
                image[start:end] = before[: end - start].ljust(end - start, b"\0")
        return bytes(image)


class CrashDisk(apsw.VFS):
    """The default disk layer of SQLite while open. ``countdown``: writes and syncs left until ``on_crash`` is called, once."""

    def __init__(self, countdown: int, on_crash: Callable[["CrashDisk"], None]) -> None:
        self.files: dict[str, Unsynced] = {}
        self._countdown = countdown
        self._on_crash = on_crash
        super().__init__("crash", _BASE, makedefault=True)

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return CrashFile(self, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(name, syncdir)
        self.files.pop(name, None)

    def tick(self) -> None:
        """One write or sync more is about to happen."""
        self._countdown -= 1
        if self._countdown == 0:
            self._on_crash(self)

    def crash_into(self, folder: Path, dice: random.Random) -> None:
        """Copy what the disk would hold into ``folder``."""
        for name, unsynced in self.files.items():
            image = unsynced.image(Path(name), dice)
            if image is not None:
                (folder / Path(name).name).write_bytes(image)


class CrashFile(apsw.VFSFile):
    """A file that remembers what is not synced."""

    def __init__(self, disk: CrashDisk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = str(name.filename() if isinstance(name, apsw.URIFilename) else name)
        was_there = os.path.exists(self._path)  # noqa: PTH110 - once for each opening, of a name SQLite gave
        super().__init__(_BASE, name, flags)
        self._unsynced = disk.files.setdefault(self._path, Unsynced(os.path.getsize(self._path) if was_there else None))  # noqa: PTH202

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.tick()
        self._remember(offset, offset + len(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.tick()
        self._remember(newsize, self.xFileSize())
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.tick()
        super().xSync(flags)
        self._unsynced.sectors.clear()
        self._unsynced.size = self.xFileSize()

    def _remember(self, start: int, end: int) -> None:
        with open(self._path, "rb") as file:  # noqa: PTH123 - a hot path of the simulation
            for sector in range(start // SECTOR, (end + SECTOR - 1) // SECTOR):
                if sector not in self._unsynced.sectors:
                    file.seek(sector * SECTOR)
                    self._unsynced.sectors[sector] = file.read(SECTOR)
