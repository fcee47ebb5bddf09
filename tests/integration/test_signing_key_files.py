"""Signing key files: the secret half is the owner's alone, nothing is overwritten, and damage is named."""

import os
import stat
from pathlib import Path

import pytest

from edge_agent.errors import ConfigInvalid, SigningKeyUnusable
from edge_agent.signing.keys import SigningKey, VerifyKey


def saved(folder: Path, name: str = "hq") -> tuple[SigningKey, Path, Path]:
    key = SigningKey.new(name)
    return key, *key.save(folder)


def test_a_saved_key_is_read_back_and_its_secret_is_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        key, public, secret = saved(tmp_path / "keys")
    finally:
        os.umask(before)
    assert SigningKey.load(secret) == key
    assert VerifyKey.load(public) == VerifyKey.load(secret) == key.public
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert "secret" not in public.read_text()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    _, _, secret = saved(tmp_path)
    secret.chmod(mode)
    with pytest.raises(SigningKeyUnusable, match="open to others"):
        SigningKey.load(secret)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key, _, secret = saved(tmp_path)
    with pytest.raises(ConfigInvalid, match="never overwritten"):
        saved(tmp_path)
    assert SigningKey.load(secret) == key


@pytest.mark.parametrize("name", ["", "../hq", "HQ", "a b", "x" * 64])
def test_a_name_that_cannot_name_a_file_is_refused(name: str) -> None:
    with pytest.raises(ConfigInvalid):
        SigningKey.new(name)


def test_halves_of_two_keys_are_no_key(tmp_path: Path) -> None:
    _, _, one = saved(tmp_path, "one")
    other, _, _ = saved(tmp_path, "two")
    text = one.read_text()
    one.write_text("\n".join(f'public = "{other.public.text}"' if line.startswith("public") else line for line in text.splitlines()))
    with pytest.raises(SigningKeyUnusable, match="do not belong together"):
        SigningKey.load(one)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"name = 3", b'name = "a"\npublic = "ed25519:AAAA"\n', b"x" * 10_000])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    for load in (SigningKey.load, VerifyKey.load):
        with pytest.raises(SigningKeyUnusable, match="key"):
            load(path)


def test_a_public_file_cannot_sign(tmp_path: Path) -> None:
    _, public, _ = saved(tmp_path)
    public.chmod(0o600)
    with pytest.raises(SigningKeyUnusable, match="no secret key"):
        SigningKey.load(public)


def test_a_pipe_in_the_keys_place_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SigningKeyUnusable):
        SigningKey.load(tmp_path / "pipe")
