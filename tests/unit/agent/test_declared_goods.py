"""The customs system's CSV: what it may look like, and what is refused by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.declarations import Declarations, DeclarationsFile, parse_declarations
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.numbering import normalised
from edge_agent.errors import ConfigInvalid

HEADING = "container,hs,description\n"


def by_number(text: str, where: str) -> dict[str, tuple[DeclaredItem, ...]]:
    return {record.numbers[0]: record.items for record in parse_declarations(text, where)}


def goods(declarations: Declarations, numbers: list[str]) -> tuple[DeclaredItem, ...] | None:
    declarations.refresh()
    match = declarations.find([IdentityValue(IdentityClass.CONTAINER, number) for number in numbers], None)
    return match.items if match is not None else None


def test_several_lines_of_a_container_stay_together_in_order() -> None:
    items = by_number(HEADING + "MSKU1,0202,frozen beef\nOTHER,4011,tyres\nMSKU1,030389,fish\n", "goods.csv")
    assert (DeclaredItem("0202", "frozen beef"), DeclaredItem("030389", "fish")) == items["MSKU1"]


def test_columns_may_stand_in_any_order_beside_others() -> None:
    items = by_number("trader,description,hs,container\nACME,tyres,4011,MSKU1\n", "goods.csv")
    assert {"MSKU1": (DeclaredItem("4011", "tyres"),)} == items


def test_a_description_with_commas_and_quotes_stays_verbatim() -> None:
    items = by_number(HEADING + 'MSKU1,0202,"beef, ""frozen"", 20 t"\n', "goods.csv")
    assert items["MSKU1"][0].description == 'beef, "frozen", 20 t'


@pytest.mark.parametrize("hs", ["", "20", "02 0", "abcd", "0202x", "12345678901", "\u0660\u0662\u0660\u0662"])
def test_a_heading_that_is_not_four_to_ten_digits_is_refused_with_its_line(hs: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"goods\.csv: line 3"):
        parse_declarations(HEADING + f"A,0202,beef\nB,{hs},something\n", "goods.csv")


@pytest.mark.parametrize("hs", ["8703.23", "8703 23", " 8703.23 "])
def test_dots_and_blanks_in_a_heading_do_not_count(hs: str) -> None:
    assert ["870323"] == [item.hs for item in by_number(HEADING + f"MSKU1,{hs},cars\n", "goods.csv")["MSKU1"]]


@pytest.mark.parametrize("text", ["", "container,hs\nA,0202\n", "hs;container;description\n"])
def test_a_missing_column_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="needs the columns container, hs, description"):
        parse_declarations(text, "goods.csv")


def test_a_short_line_is_refused_and_not_read_as_empty_goods() -> None:
    with pytest.raises(ConfigInvalid, match="line 2"):
        parse_declarations(HEADING + "MSKU1\n", "goods.csv")


def test_a_quote_that_is_never_closed_is_refused_and_is_no_crash() -> None:
    with pytest.raises(ConfigInvalid, match=r"goods\.csv: line \d+: field larger"):
        parse_declarations(HEADING + 'A,0202,"beef\n' + "B,4011,tyres\n" * 20_000, "goods.csv")


def test_the_last_good_content_counts_while_the_file_is_broken_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text(HEADING + "MSKU1,0202,beef\n")
    declarations = Declarations(DeclarationsFile(path))
    assert (DeclaredItem("0202", "beef"),) == goods(declarations, ["msku-1"])
    path.write_text("half a li")
    assert (DeclaredItem("0202", "beef"),) == goods(declarations, ["MSKU1"])
    assert declarations.problem is not None
    assert declarations.problem.code == "config-invalid"
    path.unlink()
    assert (DeclaredItem("0202", "beef"),) == goods(declarations, ["MSKU1"])
    assert declarations.problem.code == "config-unreadable"


def test_a_mended_file_counts_again_and_health_has_nothing_to_say(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    declarations = Declarations(DeclarationsFile(path))
    assert (None, "config-unreadable") == (goods(declarations, ["A"]), declarations.problem and declarations.problem.code)
    path.write_text(HEADING + "A,4011,tyres\nB,0202,beef\n")
    assert (DeclaredItem("4011", "tyres"),) == goods(declarations, ["A"])
    assert declarations.problem is None
    assert goods(declarations, ["none"]) is None


@given(st.text(alphabet="abcXYZ019 -\t"))
def test_a_number_is_the_same_however_it_is_spaced_or_cased(number: str) -> None:
    assert normalised(number) == normalised(number.lower()) == normalised(" " + "-".join(number))
    assert normalised(normalised(number)) == normalised(number)
