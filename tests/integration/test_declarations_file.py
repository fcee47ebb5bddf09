"""The customs system's file on disk: read again when it changes, and never the reason why a site stops."""

from pathlib import Path

import pytest

from edge_agent.agent.declarations import Declarations, read_declarations
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.errors import ConfigInvalid, ConfigUnreadable

HEADING = "container,hs,description\n"


def test_a_changed_file_counts_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text(HEADING + "MSKU1,0202,beef\n")
    declarations = Declarations(path)
    assert declarations.look_up(["msku 1"]) == (DeclaredItem("0202", "beef"),)
    assert declarations.look_up(["unheard-of"]) is None
    path.write_text(HEADING + "MSKU1,4011,tyres again\n")
    assert declarations.look_up(["MSKU1"]) == (DeclaredItem("4011", "tyres again"),)


@pytest.mark.parametrize("broken", ["nonsense", HEADING + "MSKU1,meat,x\n"])
def test_a_broken_file_keeps_the_last_good_content_and_says_so_until_it_is_mended(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "goods.csv"
    path.write_text(HEADING + "MSKU1,0202,beef\n")
    declarations = Declarations(path)
    declarations.refresh()
    path.write_text(broken)
    assert declarations.look_up(["MSKU1"]) == (DeclaredItem("0202", "beef"),)
    assert isinstance(declarations.problem, ConfigInvalid)
    path.write_text(HEADING + "MSKU1,0207,poultry, then\n")
    assert declarations.look_up(["MSKU1"]) == (DeclaredItem("0207", "poultry"),)
    assert declarations.problem is None


def test_a_missing_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    declarations = Declarations(tmp_path / "absent.csv")
    assert declarations.look_up(["MSKU1"]) is None
    assert isinstance(declarations.problem, ConfigUnreadable)


def test_the_check_command_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigUnreadable):
        read_declarations(path)
