"""Key files: nobody but the owner can read a secret, and nothing is ever overwritten."""

import json
import os
import stat

import pytest
import zmq

from edge_agent.cli.main import main
from edge_agent.errors import ConfigInvalid, KeysMissing
from edge_agent.transport.keys import fingerprint, load_public, load_secret, new_key_pair


def test_a_new_pair_is_read_back_and_its_secret_is_for_the_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        pair = new_key_pair("console-1", tmp_path / "keys")
    finally:
        os.umask(before)
    secret = tmp_path / "keys" / "console-1.key_secret"
    assert load_secret(secret) == pair
    assert load_public(str(tmp_path / "keys" / "console-1.key")) == pair.public
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert pair.secret not in (tmp_path / "keys" / "console-1.key").read_text()


def test_a_public_key_never_begins_with_a_dash_which_a_command_line_would_take_for_an_option(tmp_path, monkeypatch):
    dashed, plain = (b"-" + b"a" * 39, b"b" * 40), zmq.curve_keypair()
    drawn = iter([dashed, plain])
    monkeypatch.setattr(zmq, "curve_keypair", lambda: next(drawn))
    assert new_key_pair("a", tmp_path).public == plain[0].decode()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_that_others_can_read_is_refused(tmp_path, mode):
    new_key_pair("a", tmp_path)
    (tmp_path / "a.key_secret").chmod(mode)
    with pytest.raises(KeysMissing, match="open to others"):
        load_secret(tmp_path / "a.key_secret")


def test_a_key_is_never_overwritten(tmp_path):
    first = new_key_pair("a", tmp_path)
    with pytest.raises(ConfigInvalid, match="never overwritten"):
        new_key_pair("a", tmp_path)
    assert load_secret(tmp_path / "a.key_secret") == first


def test_a_link_in_the_place_of_a_new_secret_is_not_followed(tmp_path):
    (tmp_path / "a.key_secret").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigInvalid):
        new_key_pair("a", tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "../a", "A", "a b", "a/b", ".hidden", "x" * 64])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigInvalid):
        new_key_pair(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_halves_that_do_not_belong_together_are_refused(tmp_path):
    one, other = new_key_pair("a", tmp_path), new_key_pair("b", tmp_path)
    path = tmp_path / "a.key_secret"
    path.write_text(path.read_text().replace(one.public, other.public))
    with pytest.raises(KeysMissing, match="belong together"):
        load_secret(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"secret = 3\n", b'public = "short"\n', b"x" * 100_000])
def test_a_file_that_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "a.key_secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeysMissing):
        load_secret(path)
    with pytest.raises(KeysMissing):
        load_public(str(path))


def test_a_public_file_given_as_secret_is_refused(tmp_path):
    new_key_pair("a", tmp_path)
    (tmp_path / "a.key").chmod(0o600)
    with pytest.raises(KeysMissing, match="belong together"):
        load_secret(tmp_path / "a.key")


def test_an_absent_file_a_folder_and_a_pipe_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("absent", "folder", "pipe"):
        with pytest.raises(KeysMissing):
            load_secret(tmp_path / name)


def test_keys_new_list_and_fingerprint_agree(tmp_path, capsys):
    folder = ["--dir", str(tmp_path)]
    assert main(["keys", "new", "console-1", "--json", *folder]) == 0
    made = json.loads(capsys.readouterr().out)
    assert main(["keys", "list", "--json", *folder]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert main(["keys", "fingerprint", "console-1", *folder]) == 0
    shown = capsys.readouterr().out.strip()
    assert listed == {"name": "console-1", "public": made["public"], "fingerprint": shown, "has_secret": True}
    assert shown == fingerprint(made["public"])
    secret = load_secret(tmp_path / "console-1.key_secret").secret
    assert main(["keys", "list", *folder]) == 0
    assert secret not in capsys.readouterr().out


def test_an_unknown_key_ends_with_the_exit_code_of_configuration(tmp_path, capsys):
    assert main(["keys", "fingerprint", "nobody", "--dir", str(tmp_path)]) == 78
    assert "keys-missing" in capsys.readouterr().err
