"""Opening the ledger: one owner, the right site, sound settings, and no damaged file is ever used."""

import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from edge_agent.domain.ids import SiteId
from edge_agent.errors import LedgerBusy, LedgerDamaged, LedgerFailed, LedgerForeign
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_acceptance, an_arrival, an_assessment, an_audit

HOLD = """
import sys
from pathlib import Path
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE
ledger = Ledger.open(Path(sys.argv[1]), SITE, ManualClock())
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def open_ledger(path: Path, site: SiteId = SITE) -> Ledger:
    return Ledger.open(path, site, ManualClock())


def filled(path: Path, rows: int = 200) -> None:
    with closing(open_ledger(path)) as ledger:
        for number in range(rows):
            ledger.append(an_assessment(a_scan_id(f"scan-{number}")))


def test_the_file_is_readable_by_its_owner_alone(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        ledger.append(an_audit())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600, "ledger.db.lock": 0o600}


def test_a_file_left_open_to_others_is_closed_to_them(path: Path) -> None:
    filled(path, 1)
    path.chmod(0o644)
    with closing(open_ledger(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_epoch_is_made_once_and_kept(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        epoch = ledger.epoch
    with closing(open_ledger(path)) as ledger:
        assert ledger.epoch == epoch
    with closing(open_ledger(path.with_name("other.db"))) as other:
        assert other.epoch != epoch


def test_the_settings_that_durability_rests_on_are_in_force(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        settings = {
            name: ledger._db.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "secure_delete")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "secure_delete": 1}


def test_a_second_opener_in_this_process_is_refused_until_the_first_closes(path: Path) -> None:
    with closing(open_ledger(path)), pytest.raises(LedgerBusy):
        open_ledger(path)
    open_ledger(path).close()


def test_a_second_process_is_refused_until_the_first_has_died(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LedgerBusy):
            open_ledger(path)
        holder.kill()
    open_ledger(path).close()


def test_the_ledger_of_another_site_is_refused_and_set_free(path: Path) -> None:
    filled(path, 1)
    with pytest.raises(LedgerForeign):
        open_ledger(path, SiteId("airport"))
    open_ledger(path).close()


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    filled(path, 1)
    with closing(apsw.Connection(str(path))) as newer:
        newer.execute("PRAGMA user_version=99")
    with pytest.raises(LedgerForeign):
        open_ledger(path)


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as other:
        other.execute("CREATE TABLE notes (text)")
    with pytest.raises(LedgerDamaged):
        open_ledger(path)
    with closing(apsw.Connection(str(path))) as other:
        assert [row[0] for row in other.execute("SELECT name FROM sqlite_schema")] == ["notes"]


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(LedgerDamaged):
        open_ledger(path)
    assert path.read_bytes() == b"not a database " * 1000


def test_a_truncated_file_is_refused(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(LedgerDamaged):
        open_ledger(path)


def test_a_scrambled_page_is_refused(path: Path) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    content[40 * 4096 : 41 * 4096] = bytes(range(256)) * 16
    path.write_bytes(content)
    with pytest.raises(LedgerDamaged):
        open_ledger(path)


def test_an_altered_last_row_is_refused_at_the_start(path: Path) -> None:
    filled(path, 3)
    with closing(apsw.Connection(str(path))) as forger:
        forger.execute("DROP TRIGGER journal_is_never_rewritten")
        forger.execute("UPDATE journal SET hash = zeroblob(32) WHERE seq = 3")
    with pytest.raises(LedgerDamaged):
        open_ledger(path)


def test_a_folder_that_is_not_there_is_named_as_the_fault(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed):
        open_ledger(tmp_path / "missing" / "ledger.db")


def test_a_link_in_place_of_the_file_is_not_followed(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere.db"))
    with pytest.raises(LedgerFailed):
        open_ledger(path)
    assert not path.with_name("elsewhere.db").exists()


def test_an_interrupted_first_opening_is_completed(path: Path) -> None:
    path.touch()
    with closing(open_ledger(path)) as ledger:
        ledger.accept([an_acceptance(an_arrival("a"))])
        assert ledger.counts().accepted == 1
