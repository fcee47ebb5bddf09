"""`edge-agent users` and `edge-agent tokens`: what they keep, what they show, and what they refuse."""

import io
import json
from pathlib import Path

import pytest

from edge_agent.cli.main import main
from edge_agent.web.passwords import fits
from edge_agent.web.session import OfficerRole
from edge_agent.web.tokens import read_tokens
from edge_agent.web.users import read_users

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    """Give what standard input holds."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def users(folder: Path, *words: str) -> int:
    return main(["users", words[0], "--file", str(folder / "users.json"), *words[1:]])


def test_an_officer_is_added_shown_changed_and_locked(tmp_path: Path, typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed(PASSWORD + "\n")
    assert users(tmp_path, "add", "anna", "--role", "analyst", "--role", "supervisor", "--password-stdin") == 0
    assert (tmp_path / "users.json").stat().st_mode & 0o777 == 0o600
    anna = read_users(tmp_path / "users.json").find("anna")
    assert anna.roles == {OfficerRole.ANALYST, OfficerRole.SUPERVISOR}
    assert fits(anna.password, PASSWORD)
    assert anna.password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    typed("another one of mine\n")
    assert users(tmp_path, "passwd", "anna", "--password-stdin") == 0
    assert users(tmp_path, "roles", "anna", "--role", "auditor") == 0
    assert users(tmp_path, "lock", "anna") == 0
    capsys.readouterr()
    assert users(tmp_path, "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "anna", "roles": ["auditor"], "is_locked": True}]
    changed = read_users(tmp_path / "users.json").find("anna")
    assert not fits(changed.password, PASSWORD)
    assert fits(changed.password, "another one of mine")
    assert users(tmp_path, "unlock", "anna") == 0
    assert users(tmp_path, "list") == 0
    assert "LOCKED" not in capsys.readouterr().out


def test_no_command_prints_a_password_or_a_hash(tmp_path: Path, typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed(PASSWORD + "\n")
    users(tmp_path, "add", "anna", "--role", "analyst", "--password-stdin")
    users(tmp_path, "list", "--json")
    users(tmp_path, "list")
    shown = capsys.readouterr()
    assert PASSWORD not in shown.out + shown.err
    assert "argon2" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("name", "password", "word"),
    [
        ("Anna", PASSWORD, "lower-case"),
        ("../anna", PASSWORD, "lower-case"),
        ("a" * 65, PASSWORD, "lower-case"),
        ("anna", "short", "10 to 256"),
        ("anna", "x" * 257, "10 to 256"),
        ("anna", "Anna-is-my-name", "officer's name"),
    ],
)
def test_names_and_passwords_that_are_none_are_refused(
    tmp_path: Path, typed, capsys: pytest.CaptureFixture[str], name: str, password: str, word: str
) -> None:
    typed(password + "\n")
    assert users(tmp_path, "add", "--role", "analyst", "--password-stdin", "--", name) == 78
    assert not (tmp_path / "users.json").exists()
    assert word in capsys.readouterr().err


def test_a_password_that_is_none_is_answered_with_what_one_is_not_with_a_configuration_s_key(
    tmp_path: Path, typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("short\n")
    assert users(tmp_path, "add", "anna", "--role", "analyst", "--password-stdin") == 78
    told = capsys.readouterr().err
    assert "password-refused" in told
    assert "--password-stdin" in told
    assert "example files" not in told


@pytest.mark.parametrize("action", [["add", "anna", "--role", "analyst"], ["passwd", "anna"]], ids=["add", "passwd"])
def test_without_a_terminal_nobody_is_added_and_it_says_how_a_password_comes(
    tmp_path: Path, typed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: list[str]
) -> None:
    typed(PASSWORD + "\n")
    if action[0] == "passwd":
        users(tmp_path, "add", "anna", "--role", "analyst", "--password-stdin")

    def at_the_end(_: str) -> str:
        raise EOFError

    before = (tmp_path / "users.json").read_bytes() if action[0] == "passwd" else None
    monkeypatch.setattr("getpass.getpass", at_the_end)
    assert users(tmp_path, *action) == 78
    assert "--password-stdin" in capsys.readouterr().err
    assert before is not None or not (tmp_path / "users.json").exists()
    assert before is None or (tmp_path / "users.json").read_bytes() == before


def test_nothing_on_standard_input_is_no_password(tmp_path: Path, typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed("")
    assert users(tmp_path, "add", "anna", "--role", "analyst", "--password-stdin") == 78
    assert "10 to 256" in capsys.readouterr().err
    assert not (tmp_path / "users.json").exists()


@pytest.mark.parametrize(
    "command", [["evidence", "x", "--config", "x", "--out", "x"], ["scan", "export", "--format", "package", "--out", "x", "--full"]]
)
@pytest.mark.parametrize("reason", ["two words", "Mr-Smith", ""])
def test_a_reason_of_free_text_is_a_wrong_use_and_is_not_repeated(
    capsys: pytest.CaptureFixture[str], command: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, "--reason", reason])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert "such as court-order" in told
    assert "--reason" in told
    assert not reason or reason not in told.partition("error:")[2]


def test_a_report_without_an_archive_says_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = f'[[site]]\nid = "harbour"\nendpoint = "tcp://127.0.0.1:5571"\nserver_key = "{"x" * 40}"\n'
    (tmp_path / "collector.toml").write_text('archive = "none.db"\nsecret_key = "hq.key_secret"\nname = "hq"\ntimezone = "UTC"\n' + site)
    assert main(["report", "--config", str(tmp_path / "collector.toml")]) == 78
    told = capsys.readouterr().err
    assert "archive-missing" in told
    assert "edge-agent collect" in told


def test_nobody_is_added_twice_and_nobody_unknown_is_changed(tmp_path: Path, typed) -> None:
    typed(f"{PASSWORD}\n{PASSWORD}\n")
    assert users(tmp_path, "add", "anna", "--role", "analyst", "--password-stdin") == 0
    before = (tmp_path / "users.json").read_bytes()
    assert users(tmp_path, "add", "anna", "--role", "admin", "--password-stdin") == 78
    assert users(tmp_path, "lock", "ben") == 78
    assert (tmp_path / "users.json").read_bytes() == before


def test_two_passwords_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [PASSWORD, PASSWORD + "!"]
    monkeypatch.setattr("getpass.getpass", lambda _: answers.pop(0))
    assert users(tmp_path, "add", "anna", "--role", "analyst") == 78


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2, "users": []}', '{"users": [{"name": "a"}]}', '{"secret": "s3cret"}'])
def test_a_file_that_is_none_is_refused_without_telling_its_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "users.json").write_text(content)
    (tmp_path / "users.json").chmod(0o600)
    assert users(tmp_path, "list") == 78
    assert "s3cret" not in capsys.readouterr().err


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text('{"users": []}')
    (tmp_path / "users.json").chmod(0o644)
    assert users(tmp_path, "list") == 78


def tokens(folder: Path, *words: str) -> int:
    return main(["tokens", *words, "--file", str(folder / "tokens.json")])


def test_a_token_is_shown_once_listed_without_it_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tokens(tmp_path, "new", "dash", "--scope", "read", "--json") == 0
    text = json.loads(capsys.readouterr().out)["token"]
    assert text.startswith("eat_")
    assert len(text) > 40
    assert text not in (tmp_path / "tokens.json").read_text()
    assert tokens(tmp_path, "list", "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["scope"]) == ("dash", "read")
    assert tokens(tmp_path, "new", "dash", "--scope", "metrics") == 78
    assert tokens(tmp_path, "revoke", "dash") == 0
    assert read_tokens(tmp_path / "tokens.json") == ()
    assert tokens(tmp_path, "revoke", "dash") == 78


@pytest.mark.parametrize("days", ["0", "1096", "x"])
def test_a_token_has_an_end_that_is_not_far(tmp_path: Path, days: str) -> None:
    with pytest.raises(SystemExit):
        tokens(tmp_path, "new", "dash", "--scope", "read", "--days", days)


@pytest.mark.parametrize(
    "words",
    [["users", "list", "--file", "x"], ["api", "--config", "x"], ["console", "--config", "x"]],
    ids=lambda words: words[0],
)
def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(words) == 78
    assert 'pip install "edge-agent[console]"' in capsys.readouterr().err
