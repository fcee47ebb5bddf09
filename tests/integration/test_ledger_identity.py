"""Identifiers: one token a value, and nothing left of it once erased."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import Token
from edge_agent.errors import LedgerBusy
from edge_agent.ledger.connection import open_reader, reading
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, an_audit

CONTAINER = IdentityValue(IdentityClass.CONTAINER, "MSCU1234566")
PLATE = IdentityValue(IdentityClass.PLATE, "XY 99 ZZZ")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as opened:
        yield opened


def files_with(folder: Path, text: str) -> list[str]:
    return [path.name for path in sorted(folder.iterdir()) if text.encode() in path.read_bytes()]


def test_a_value_keeps_its_token(ledger: Ledger) -> None:
    first = ledger.tokenise([CONTAINER, PLATE])
    assert ledger.tokenise([PLATE, CONTAINER, PLATE]) == (first[1], first[0], first[1])


def test_the_same_text_in_another_class_is_another_identifier(ledger: Ledger) -> None:
    container, seal = ledger.tokenise([CONTAINER, IdentityValue(IdentityClass.SEAL, CONTAINER.value)])
    assert container.token != seal.token
    assert container.commitment != seal.commitment


def test_tokens_and_commitments_differ_between_sites(tmp_path: Path, ledger: Ledger) -> None:
    with closing(Ledger.open(tmp_path / "other.db", SITE, ManualClock())) as other:
        (here,), (there,) = ledger.tokenise([CONTAINER]), other.tokenise([CONTAINER])
    assert here.token != there.token
    assert here.commitment != there.commitment


def test_a_token_tells_its_value_until_erased(ledger: Ledger) -> None:
    container, plate = ledger.tokenise([CONTAINER, PLATE])
    assert ledger.identities([plate.token, Token("unknown"), container.token]) == (plate, container)
    assert ledger.erase([container.token]) == 1
    (erased,) = ledger.identities([container.token])
    assert (erased.value, erased.kind, erased.commitment) == (None, IdentityClass.CONTAINER, container.commitment)
    assert ledger.identities([plate.token]) == (plate,)


def test_erasing_again_or_what_never_was_is_harmless(ledger: Ledger) -> None:
    (row,) = ledger.tokenise([CONTAINER])
    assert [ledger.erase([row.token, Token("unknown")]) for _ in range(2)] == [1, 0]


def test_a_value_that_comes_back_after_erasure_gets_a_new_token(ledger: Ledger) -> None:
    (before,) = ledger.tokenise([CONTAINER])
    ledger.erase([before.token])
    (after,) = ledger.tokenise([CONTAINER])
    assert before.token != after.token
    assert before.commitment != after.commitment


def test_an_erased_value_is_nowhere_in_the_files_and_the_chain_still_verifies(ledger: Ledger, tmp_path: Path) -> None:
    rows = ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, f"MSCU{number:07}") for number in range(300)])
    ledger.append(an_audit())
    assert files_with(tmp_path, "MSCU0000007")
    assert ledger.erase([row.token for row in rows]) == 300
    assert files_with(tmp_path, "MSCU") == []
    assert ledger.verify() is None


def test_an_erasure_that_a_reader_holds_up_says_so_and_succeeds_when_asked_again(ledger: Ledger, tmp_path: Path) -> None:
    (row,) = ledger.tokenise([CONTAINER])
    with closing(open_reader(tmp_path / "ledger.db")) as reader, reading(reader):
        reader.execute("SELECT count(*) FROM identity").fetchall()
        with pytest.raises(LedgerBusy):
            ledger.erase([row.token])
    assert ledger.identities([row.token])[0].value is None
    assert ledger.erase([row.token]) == 0
    assert files_with(tmp_path, CONTAINER.value) == []


def test_a_value_that_was_given_out_since_it_was_looked_at_is_not_forgotten_even_if_the_clock_stands_still(ledger: Ledger) -> None:
    used = {row.token: ManualClock().now() for row in ledger.tokenise([CONTAINER, PLATE])}
    ledger.tokenise([CONTAINER])
    assert ledger.forget(used) == 1
    assert [row.value for row in ledger.identities(list(used))] == [CONTAINER.value, None]


def test_identifiers_are_hidden_in_text(ledger: Ledger) -> None:
    assert CONTAINER.value not in repr(ledger.tokenise([CONTAINER]))
