"""Key files, of CURVE and of signing keys alike: a few lines of TOML, read without trusting the path, written once and never again."""

import os
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.errors import ConfigInvalid

_MAX_FILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What stands in a key file, as text; ``secret`` is empty in a public one. ``mode``: permission bits.

    ``before``: in a public file, the key that this one follows; empty where there is none.
    """

    name: str
    public: str
    secret: str = field(repr=False)
    mode: int
    before: str = ""

    @property
    def is_open_to_others(self) -> bool:
        return bool(self.mode & 0o077)


def read_key_file(path: Path) -> KeyFile:
    """Read a key file of either kind.

    Raises:
        ValueError: absent, not a regular file, or not a key file; the words name the path and hold nothing of the content.
    """
    raw, mode = _read(path)
    try:
        table = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ValueError(f"{path} is not a key file") from problem
    fields = {key: table.get(key, "") for key in ("name", "public", "secret", "before")}
    if not all(isinstance(value, str) for value in fields.values()):
        raise ValueError(f"{path} is not a key file")
    return KeyFile(fields["name"], fields["public"], fields["secret"], mode, fields["before"])


def _read(path: Path) -> tuple[bytes, int]:
    try:
        # Non-blocking, so that a pipe in the key's place cannot stop the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(file.fileno())
            raw = file.read(_MAX_FILE_BYTES) if stat.S_ISREG(state.st_mode) else b""
    except (OSError, ValueError) as problem:
        raise ValueError(f"cannot read the key file {str(path)[:200]}") from problem
    return raw, stat.S_IMODE(state.st_mode)


def write_key_file(path: Path, text: str, mode: int) -> None:
    """Write a new key file; with ``mode`` from its first moment.

    Raises:
        ConfigInvalid: it exists (a key is never overwritten), or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the name too: a key that others were told of must not vanish
        finally:
            os.close(folder)
    except FileExistsError as problem:
        raise ConfigInvalid(f"{path} exists; a key is never overwritten") from problem
    except OSError as problem:
        raise ConfigInvalid(f"cannot make the key file {path}: {problem.strerror}") from problem
