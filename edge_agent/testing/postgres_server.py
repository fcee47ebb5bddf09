"""A real PostgreSQL server in a folder of its own, reached by a Unix socket only: for tests and benchmarks of the archive.

PostgreSQL refuses to run as root, so root runs it as the user ``postgres`` that Debian's package makes.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

_DEBIAN = Path("/usr/lib/postgresql")
_SETTINGS = (
    *("-c", "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "max_connections=40", "-c", "max_wal_size=256MB"),
    *("-c", "autovacuum_max_workers=1", "-c", "max_worker_processes=2", "-c", "log_min_messages=fatal"),
)
_USER = "postgres"
_PATIENCE_S = 240
"""How long a server may take to start or stop, on a machine that does much else."""


class PostgresMissing(Exception):
    """No PostgreSQL 15 or later is installed here."""


def programs() -> Path:
    """Give the folder of the newest server's programs.

    Raises:
        PostgresMissing: there is none.
    """
    numbers = (int(folder.name) for folder in _DEBIAN.glob("*") if folder.name.isdecimal())
    newest = max((number for number in numbers if (_DEBIAN / str(number) / "bin" / "initdb").exists()), default=0)
    if newest < 15:
        raise PostgresMissing(f"no PostgreSQL 15 or later in {_DEBIAN}: apt-get install postgresql")
    return _DEBIAN / str(newest) / "bin"


class PostgresServer:
    """One server. Started by ``start`` or used by whoever knows its folder; ``stop`` ends it and removes the folder."""

    def __init__(self, folder: Path) -> None:
        """``folder``: absent yet, or that of a server that runs."""
        self.folder = folder

    @classmethod
    def start(cls) -> Self:
        """Make an empty server in a new temporary folder.

        Raises:
            PostgresMissing: it is not installed.
        """
        bin_folder = programs()
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if os.geteuid() == 0:
            shutil.chown(folder, _USER, _USER)
        server = cls(folder)
        try:
            _run(bin_folder / "initdb", "-D", server.data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
            server.restart()
        except BaseException:
            shutil.rmtree(folder)
            raise
        return server

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def restart(self) -> None:
        """Start it, again where it ran."""
        settings = " ".join([*_SETTINGS, "-k", str(self.folder)])
        _run(
            programs() / "pg_ctl",
            "-D",
            self.data,
            "-w",
            "-t",
            _PATIENCE_S,
            "-s",
            "-m",
            "immediate",
            "-l",
            self.folder / "log",
            "-o",
            settings,
            "restart",
        )

    def halt(self) -> None:
        """End it at once, as a crash would; ``restart`` brings it back."""
        _run(programs() / "pg_ctl", "-D", self.data, "-w", "-t", _PATIENCE_S, "-s", "-m", "immediate", "stop")

    def stop(self) -> None:
        """End it and remove everything."""
        self.halt()
        shutil.rmtree(self.folder)

    def address(self, schema: str = "public") -> str:
        """Give the address of an archive in ``schema``."""
        return f"postgresql://{_USER}@/postgres?host={quote(str(self.folder), safe='')}&options=-csearch_path%3D{schema}"

    @contextmanager
    def schema(self, name: str) -> Iterator[str]:
        """Give the address of a new, empty schema; it is dropped in the end."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        yield self.address(name)
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


@contextmanager
def shared_server(meeting: Path) -> Iterator[PostgresServer]:
    """Give the server that all test processes of one run use: the first starts it, the last ends it.

    ``meeting``: a folder that they share. Each holds a shared lock on a file in it, so one that dies is gone from the count.

    Raises:
        PostgresMissing: it is not installed.
    """
    note = meeting / "postgres"
    with (meeting / "postgres.users").open("a") as users:
        with _alone(meeting):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not note.exists():
                note.write_text(str(PostgresServer.start().folder))
        server = PostgresServer(Path(note.read_text()))
        try:
            yield server
        finally:
            with _alone(meeting):
                _stop_if_last(users.fileno(), server, note)


@contextmanager
def _alone(meeting: Path) -> Iterator[None]:
    with (meeting / "postgres.lock").open("a") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield


def _stop_if_last(users: int, server: PostgresServer, note: Path) -> None:
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    note.unlink()
    server.stop()


def _run(*command: object) -> None:
    """Run a program of the server as a user that may."""
    words: Sequence[str] = [str(word) for word in command]
    if os.geteuid() == 0:
        pwd.getpwnam(_USER)
        words = ["runuser", "-u", _USER, "--", *words]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", timeout=_PATIENCE_S + 60)  # noqa: S603 - our own words
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]}: {done.stdout}{done.stderr}")
