"""Where the archive lies, as the configuration names it."""

from pathlib import Path

import pytest

from edge_agent.collector.archive.place import is_server
from edge_agent.collector.config import CollectorConfig

SITE = {"id": "north", "endpoint": "tcp://127.0.0.1:1", "insecure_loopback_only": True}


def archive_of(place):
    return CollectorConfig.model_validate({"archive": place, "timezone": "UTC", "site": [SITE]}).archive


@pytest.mark.parametrize("address", ["postgresql://hq@db/hq", "postgres://hq@/hq?host=/run", "postgresql://"])
def test_the_address_of_a_server_stays_as_it_is_written(address):
    assert address == archive_of(address)
    assert is_server(archive_of(address))


@pytest.mark.parametrize("path", ["/var/lib/archive.db", "archive.db", "postgresql.db", "./postgresql:/x"])
def test_everything_else_is_a_file(path):
    assert Path(path) == archive_of(path)
    assert not is_server(archive_of(path))
