"""Signed heads: what the site signed is kept beside its rows, and no row before a head can be rewritten unnoticed."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from edge_agent.cli.main import main
from edge_agent.domain.ids import Seq
from edge_agent.ledger.ledger import Ledger
from edge_agent.signing.heads import check_head
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_assessment, an_audit
from edge_agent.wire.chain import link

KEY, OTHER = SigningKey.new("harbour"), SigningKey.new("other")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of nine rows with heads at rows 3, 6 and 8."""
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as ledger:
        for number in range(1, 10):
            ledger.append(an_assessment(a_scan_id(f"scan-{number}")))
            if number in (3, 6, 8):
                signed = ledger.sign_head(KEY)
                assert signed is not None
                check_head(signed, KEY.public)
    return tmp_path / "ledger.db"


def forge(path: Path, *statements: str) -> None:
    """Change the file as somebody with an editor would."""
    with closing(apsw.Connection(str(path))) as connection:
        for (name,) in list(connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def rechain(path: Path, first: int) -> None:
    """Alter row ``first`` and make a chain that fits again, as only somebody who wants to hide it would."""
    forge(path, f"UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'random', 'scan-all') AS BLOB) WHERE seq = {first}")  # noqa: S608 - numbers of this test
    with closing(apsw.Connection(str(path))) as connection:
        before = next(connection.execute("SELECT before_first FROM meta"))[0]
        for seq, body in list(connection.execute("SELECT seq, body FROM journal ORDER BY seq")):
            before = link(before, Seq(seq), body)
            connection.execute("UPDATE journal SET hash = ? WHERE seq = ?", (before, seq))


def verified(capsys: pytest.CaptureFixture[str], path: Path, *more: str) -> tuple[int, dict[str, object]]:
    code = main(["journal", "verify", "--json", str(path), *more])
    return code, json.loads(capsys.readouterr().out)


def exported(path: Path) -> Path:
    out = path.with_name("journal.jsonl")
    assert main(["journal", "export", "--state-dir", str(path.parent), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("of", [lambda path: path, exported], ids=["ledger", "export"])
@pytest.mark.parametrize("more", [(), ("--key", KEY.public.text)], ids=["any key", "pinned key"])
def test_an_untouched_journal_says_up_to_where_it_is_signed_and_by_whom(path, capsys, of: Callable[[Path], Path], more) -> None:
    code, finding = verified(capsys, of(path), *more)
    assert (code, finding["bad_seq"], finding["last_seq"]) == (0, None, 9)
    assert (finding["heads"], finding["signed_seq"], finding["signers"]) == (3, 8, [KEY.public.fingerprint])


@pytest.mark.parametrize("of", [lambda path: path, exported], ids=["ledger", "export"])
@pytest.mark.parametrize(("altered", "named"), [(1, 3), (3, 3), (5, 6), (8, 8)])
def test_history_that_was_rewritten_chain_and_all_contradicts_the_next_head(path, capsys, of, altered: int, named: int) -> None:
    rechain(path, altered)
    code, finding = verified(capsys, of(path))
    assert (code, finding["bad_seq"], finding["why"]) == (1, named, "head")


def test_rows_behind_the_last_head_are_not_vouched_for(path, capsys) -> None:
    rechain(path, 9)
    code, finding = verified(capsys, path)
    assert (code, finding["signed_seq"]) == (0, 8)


def test_rows_cut_off_before_the_last_head_are_missed(path, capsys) -> None:
    forge(path, "DELETE FROM journal WHERE seq > 7", "UPDATE topic SET head = 7")
    code, finding = verified(capsys, path)
    assert (code, finding["bad_seq"], finding["why"]) == (1, 8, "head")


@pytest.mark.parametrize("of", [lambda path: path, exported], ids=["ledger", "export"])
def test_a_head_of_another_key_is_bad_when_the_key_is_pinned_and_named_when_not(path, capsys, of) -> None:
    source = of(path)
    assert verified(capsys, source, "--key", OTHER.public.text)[1]["bad_seq"] == 3
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        ledger.append(an_audit("new key"))
        ledger.sign_head(OTHER)
    assert verified(capsys, path)[1]["signers"] == [KEY.public.fingerprint, OTHER.public.fingerprint]


@pytest.mark.parametrize("column", ["signature", "hash", "key"])
def test_an_altered_head_is_named(path, capsys, column: str) -> None:
    size = {"signature": 64, "hash": 32, "key": 32}[column]
    forge(path, f"UPDATE head SET {column} = zeroblob({size}) WHERE seq = 6")  # noqa: S608 - words of this test
    code, finding = verified(capsys, path)
    assert (code, finding["bad_seq"], finding["why"], finding["heads"]) == (1, 6, "head", 1)


def test_an_altered_line_of_a_head_is_named(path, capsys) -> None:
    out = exported(path)
    lines = out.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith('{"head"') and json.loads(line)["head"]["seq"] == 6)
    content = json.loads(lines[place])
    content["head"]["at_us"] += 1
    lines[place] = json.dumps(content)
    out.write_text("\n".join(lines) + "\n")
    code, finding = verified(capsys, out)
    assert (code, finding["bad_seq"], finding["why"]) == (1, 6, "head")


def test_the_same_row_is_signed_once_and_an_empty_journal_never(path, tmp_path) -> None:
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        assert ledger.sign_head(KEY) is not None
        assert ledger.sign_head(KEY) is None
        kept = ledger.signed_head()
        assert kept is not None
        assert kept.seq == ledger.head().seq
    with closing(Ledger.open(tmp_path / "empty.db", SITE, ManualClock())) as empty:
        assert empty.sign_head(KEY) is None


def test_heads_go_with_the_rows_they_speak_of(path, capsys) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        (digest,) = next(connection.execute("SELECT hash FROM journal WHERE seq = 6"))
        connection.execute("UPDATE meta SET first_seq = 7, before_first = ?", (digest,))
        connection.execute("DELETE FROM journal WHERE seq < 7")
    code, finding = verified(capsys, path)
    assert (code, finding["heads"], finding["signed_seq"]) == (0, 2, 8)
    assert verified(capsys, exported(path))[1]["heads"] == 2
