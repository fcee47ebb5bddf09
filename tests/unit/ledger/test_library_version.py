"""SQLite versions with the log-reset fault are refused, the mended ones of older lines are not."""

import pytest

from edge_agent.errors import LibraryTooOld
from edge_agent.ledger.connection import check_library


@pytest.mark.parametrize("version", ["3.51.3", "3.51.10", "3.54.1", "4.0.0", "3.50.7", "3.44.6"])
def test_a_sound_version_is_taken(version: str) -> None:
    check_library(version)


@pytest.mark.parametrize("version", ["3.51.2", "3.50.8", "3.50.6", "3.40.1", "3.7.0"])
def test_a_faulty_version_is_refused_and_named(version: str) -> None:
    with pytest.raises(LibraryTooOld) as refusal:
        check_library(version)
    assert refusal.value.fields["sqlite"] == version
