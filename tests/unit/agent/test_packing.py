"""What a package that cannot be written does to the daemon."""

import asyncio
import errno
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.agent.packing import Packer
from edge_agent.errors import LedgerFailed


class Room:
    keeps_extras = True
    is_short = False

    def ran_out(self) -> None:
        self.is_short = True


def pack(code: int) -> Room:
    """Pack a scan on a disk that answers every write with ``code``."""

    async def refused(*_: object) -> None:
        raise OSError(code, "refused")

    room = Room()
    engine: Any = SimpleNamespace(cpu=SimpleNamespace(run=refused))
    storage: Any = SimpleNamespace(packages=Path("packages"), state_dir=Path(), room=room, ledger=None, spool=None)
    job: Any = SimpleNamespace(job_id=1, spool=".", scanner="s1", scan_id="a", revision=1, members=())
    scan: Any = SimpleNamespace(capture=SimpleNamespace(taken_at=SimpleNamespace(at=datetime(2026, 1, 1, tzinfo=UTC))))
    asyncio.run(Packer(engine, storage).pack(job, scan))
    return room


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS])
def test_a_disk_that_fails_ends_the_daemon_with_a_code(code: int) -> None:
    with pytest.raises(LedgerFailed) as ended:
        pack(code)
    assert ended.value.fields["errno"] == code


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_spool_copy_for_later(code: int) -> None:
    assert pack(code).is_short
