"""Where an archive lies: a file (SQLite) or the address of a PostgreSQL server."""

from pathlib import Path

from edge_agent.collector.archive.port import Database
from edge_agent.collector.archive.sqlite import SqliteDatabase
from edge_agent.errors import ConfigInvalid

_SCHEMES = ("postgresql://", "postgres://")


def is_server(place: Path | str) -> bool:
    """Tell whether ``place`` is the address of a PostgreSQL server."""
    return isinstance(place, str) and place.startswith(_SCHEMES)


def open_database(place: Path | str) -> Database:
    """Create or open for writing. Errors as of ``Archive.open``."""
    if not is_server(place):
        return SqliteDatabase.open(Path(place))
    _need_psycopg()
    from edge_agent.collector.archive.postgres import PostgresDatabase

    return PostgresDatabase.open(str(place))


def read_database(place: Path | str) -> Database:
    """Open for reading. Errors as of ``Archive.read``."""
    if not is_server(place):
        return SqliteDatabase.read(Path(place))
    _need_psycopg()
    from edge_agent.collector.archive.postgres import PostgresDatabase

    return PostgresDatabase.read(str(place))


def _need_psycopg() -> None:
    try:
        import psycopg  # noqa: F401 - asked for only
    except ImportError as problem:
        raise ConfigInvalid("archive: PostgreSQL needs `pip install edge-agent[postgres]`", {"key": "archive"}) from problem
