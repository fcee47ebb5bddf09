"""The workstation's file: strict, and its paths are its own."""

import pytest

from edge_agent.cli.watch import _words
from edge_agent.console.config import load_console, sites_of
from edge_agent.errors import ConfigInvalid, ConfigUnreadable, KeysMissing
from edge_agent.transport.keys import new_key_pair

SITE = '[[site]]\nname = "a"\nendpoint = "tcp://h:5571"\nserver_key = "site.key"\n'


def written(folder, text):
    path = folder / "console.toml"
    path.write_text(text)
    return path


def test_keys_are_found_beside_the_file(tmp_path):
    own, server = (new_key_pair(name, tmp_path) for name in ("console-1", "site"))
    second = SITE.replace('"a"', '"b"')
    path = written(tmp_path, f'key = "console-1.key_secret"\n{SITE}scanners = ["s1"]\n{second}')
    (name, site, only), (_, other, every) = sites_of(load_console(path), tmp_path)
    assert ("a", "tcp://h:5571", ("s1",)) == (name, site.endpoint, only.scanners)
    assert (own.public, server.public) == (site.security.keys.public, site.security.server_key)
    assert (other.endpoint, every.scanners) == (site.endpoint, ())


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        'key = "k"\n',
        f'key = "k"\nofficer = "O"\n{SITE}',
        f'key = "k"\n{SITE}{SITE}',
        f'key = "k"\n{SITE}'.replace("tcp://h:5571", "h"),
        f'key = "k"\n{SITE}scanners = ["S 1"]\n',
        f'key = "k"\n{SITE}'.replace('"site.key"', "7"),
        f'key = 3\n{SITE}',
    ],
    ids=["no TOML", "no site", "who decides", "a name twice", "no endpoint", "no scanner's name", "no key", "wrong type"],
)  # fmt: skip
def test_anything_wrong_is_refused_by_name(tmp_path, text):
    with pytest.raises(ConfigInvalid):
        load_console(written(tmp_path, text))


def test_a_file_or_a_key_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigUnreadable):
        load_console(tmp_path / "none.toml")
    with pytest.raises(KeysMissing):
        sites_of(load_console(written(tmp_path, f'key = "k"\n{SITE}')), tmp_path)


def test_words_to_show_are_checked_when_they_are_typed():
    assert ("alert", "unassessable") == _words("alert, unassessable")
    with pytest.raises(Exception, match="none of"):
        _words("alarm")
