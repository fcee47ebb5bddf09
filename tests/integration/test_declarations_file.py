"""The customs system's file on disk: read again when it changes, and never the reason why a site stops."""

import json
from pathlib import Path

import pytest

from edge_agent.agent.declarations import Declarations, DeclarationsFile, DeclarationsFolder, read_declarations
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.errors import ConfigInvalid, ConfigUnreadable

HEADING = "container,hs,description\n"


def goods(declarations: Declarations, numbers: list[str]) -> tuple[DeclaredItem, ...] | None:
    declarations.refresh()
    match = declarations.find([IdentityValue(IdentityClass.CONTAINER, number) for number in numbers], None)
    return match.items if match is not None else None


def test_a_changed_file_counts_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text(HEADING + "MSKU1,0202,beef\n")
    declarations = Declarations(DeclarationsFile(path))
    assert goods(declarations, ["msku 1"]) == (DeclaredItem("0202", "beef"),)
    assert goods(declarations, ["unheard-of"]) is None
    path.write_text(HEADING + "MSKU1,4011,tyres again\n")
    assert goods(declarations, ["MSKU1"]) == (DeclaredItem("4011", "tyres again"),)


@pytest.mark.parametrize("broken", ["nonsense", HEADING + "MSKU1,meat,x\n"])
def test_a_broken_file_keeps_the_last_good_content_and_says_so_until_it_is_mended(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "goods.csv"
    path.write_text(HEADING + "MSKU1,0202,beef\n")
    declarations = Declarations(DeclarationsFile(path))
    declarations.refresh()
    path.write_text(broken)
    assert goods(declarations, ["MSKU1"]) == (DeclaredItem("0202", "beef"),)
    assert isinstance(declarations.problem, ConfigInvalid)
    path.write_text(HEADING + "MSKU1,0207,poultry, then\n")
    assert goods(declarations, ["MSKU1"]) == (DeclaredItem("0207", "poultry"),)
    assert declarations.problem is None


def test_a_missing_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    declarations = Declarations(DeclarationsFile(tmp_path / "absent.csv"))
    assert goods(declarations, ["MSKU1"]) is None
    assert isinstance(declarations.problem, ConfigUnreadable)


def test_the_check_command_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigUnreadable):
        read_declarations(path)


def one(number: str, heading: str, **more: object) -> str:
    return json.dumps({"schema": "declaration/1", "numbers": [number], "goods": [{"hs": heading}], **more})


def test_a_folder_of_declarations_is_followed_file_by_file(tmp_path: Path) -> None:
    declarations = Declarations(DeclarationsFolder(tmp_path))
    assert goods(declarations, ["A"]) is None
    (tmp_path / "1.json").write_text(one("a", "0202"))
    (tmp_path / "2.JSON").write_text(one("b", "4011", empty=True))
    (tmp_path / ".3.json").write_text("half")
    (tmp_path / "4.json.tmp").write_text("half")
    assert goods(declarations, ["A"]) == (DeclaredItem("0202"),)
    assert goods(declarations, ["B"]) == (DeclaredItem("0000"),)
    edition = declarations.edition
    declarations.refresh()
    assert edition == declarations.edition
    (tmp_path / "1.json").unlink()
    assert goods(declarations, ["A"]) is None
    assert edition < declarations.edition


def test_a_broken_file_of_a_folder_keeps_its_last_good_content_and_spoils_no_other(tmp_path: Path) -> None:
    declarations = Declarations(DeclarationsFolder(tmp_path))
    (tmp_path / "1.json").write_text(one("a", "0202"))
    declarations.refresh()
    (tmp_path / "1.json").write_text(one("a", "0202")[:-3])
    (tmp_path / "2.json").write_text(one("b", "4011"))
    assert goods(declarations, ["B"]) == (DeclaredItem("4011"),)
    assert goods(declarations, ["A"]) == (DeclaredItem("0202"),)
    declarations.refresh()
    assert isinstance(declarations.problem, ConfigInvalid)
    assert "1.json" in declarations.problem.detail
    (tmp_path / "1.json").write_text(one("a", "0303"))
    assert goods(declarations, ["A"]) == (DeclaredItem("0303"),)
    assert declarations.problem is None


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"schema": "declaration/2"}', "schema"),
        (one("a", "beef"), "goods.0.hs"),
        (one("a", "0202", expected_at="2026-03-02T12:00:00"), "expected_at"),
        (one("a", "0202", gross_kg=-1), "gross_kg"),
        (one("a", "0202", numbers=["SECRET" * 1000]), "numbers.0"),
    ],
)
def test_a_wrong_declaration_is_named_by_file_and_field_never_by_value(tmp_path: Path, text: str, field: str) -> None:
    (tmp_path / "1.json").write_text(text)
    problem = DeclarationsFolder(tmp_path).look().problem
    assert isinstance(problem, ConfigInvalid)
    assert f"1.json: {field}" in problem.detail
    assert "SECRET" not in problem.detail


def test_a_folder_that_is_away_is_a_problem_and_the_last_good_content_counts(tmp_path: Path) -> None:
    folder = tmp_path / "goods"
    folder.mkdir()
    (folder / "1.json").write_text(one("a", "0202"))
    declarations = Declarations(DeclarationsFolder(folder))
    declarations.refresh()
    folder.rename(tmp_path / "away")
    assert goods(declarations, ["A"]) == (DeclaredItem("0202"),)
    assert isinstance(declarations.problem, ConfigUnreadable)
