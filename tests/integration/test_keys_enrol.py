"""``keys enrol, revoke, list, rotate`` as an administrator uses them: on the file alone, and beside a running site."""

import asyncio
import json
import os
import stat
import threading
import tomllib

import pytest

from edge_agent.agent.enrolment import edit_config
from edge_agent.cli.main import main
from edge_agent.errors import NotAllowed, PeerSilent
from edge_agent.testing.gated_site import gated_site, write_agent_toml
from edge_agent.testing.loopback import ONE_TRY, Keyring
from edge_agent.transport.keys import fingerprint, load_secret, new_key_pair
from edge_agent.transport.link import SyncLink

KEYS = Keyring()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An agent.toml with two consumers, the key of a third beside it, and no daemon, which nobody waits for."""
    monkeypatch.setattr("edge_agent.cli.keys_edit._PATIENCE_S", 0.0)
    new_key_pair("console-3", tmp_path / "sent")
    new_key_pair("site", tmp_path)
    return write_agent_toml(tmp_path, KEYS.consumers())


def public_of(site, name="console-3"):
    return tomllib.loads((site.parent / f"sent/{name}.key").read_text())["public"]


def enrol(site, *more, heard=None):
    file = str(site.parent / "sent/console-3.key")
    spoken = heard if heard is not None else fingerprint(public_of(site))
    return main(["keys", "enrol", file, "--config", str(site), "--role", "console", "--fingerprint", spoken, *more])


def names(site):
    return [one["name"] for one in tomllib.loads(site.read_text())["consumer"]]


def test_a_key_is_enrolled_under_the_name_in_its_file_with_all_that_was_said(site, capsys):
    assert enrol(site, "--not-after", "2027-12-31T00:00:00Z", "--supervisors", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"name": "console-3", "role": "console", "fingerprint": fingerprint(public_of(site)), "in_force": False}
    written = tomllib.loads(site.read_text())["consumer"][-1]
    assert (written["key"], written["role"], written["supervisors"]) == (public_of(site), "console", True)
    assert written["not_after"].isoformat() == "2027-12-31T00:00:00+00:00"
    assert "# Who may connect." in site.read_text()


@pytest.mark.parametrize("heard", ["", "0000 0000 0000 0000 0000 0000 0000 0000", "xyz"])
def test_a_fingerprint_that_is_another_changes_nothing(site, capsys, heard):
    before = site.read_bytes()
    assert enrol(site, heard=heard) == 78
    assert before == site.read_bytes()
    assert "nothing was changed" in capsys.readouterr().err


def test_a_fingerprint_is_compared_whatever_its_spaces_and_case(site):
    assert enrol(site, heard=fingerprint(public_of(site)).replace(" ", "").upper()) == 0


def test_without_a_terminal_somebody_must_have_read_the_fingerprint(site, capsys):
    before = site.read_bytes()
    assert main(["keys", "enrol", str(site.parent / "sent/console-3.key"), "--config", str(site), "--role", "console"]) == 78
    assert before == site.read_bytes()
    assert "--fingerprint" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [("--role", "console", "--durable"), ("--role", "admin", "--durable"), ("--name", "No Name")],
    ids=["durable console", "durable admin", "bad name"],
)
def test_what_would_not_be_a_valid_file_is_refused_and_the_file_stays(site, more):
    before = site.read_bytes()
    assert enrol(site, *more) == 78
    assert before == site.read_bytes()


def test_an_unknown_role_is_refused(site):
    with pytest.raises(SystemExit) as ended:
        enrol(site, "--role", "emperor")
    assert ended.value.code == 2


def test_owner_group_and_mode_of_the_file_stay_and_nothing_is_left_beside_it(site):
    site.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(site, 12345, 12346)
    before, beside = site.stat(), sorted(site.parent.iterdir())
    assert enrol(site) == 0
    after = site.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, before.st_uid, before.st_gid)
    assert beside == sorted(site.parent.iterdir())


def test_a_link_to_the_file_stays_a_link(site):
    link = site.parent / "etc.toml"
    link.symlink_to(site)
    assert enrol(link) == 0
    assert link.is_symlink()
    assert names(site) == ["console-1", "hq", "console-3"]


def test_of_two_edits_at_once_none_is_lost(site):
    barrier = threading.Barrier(2)
    results = []

    def add(number):
        barrier.wait()
        for step in range(10):
            edit_config(site, lambda text, step=step: text + f"# {number}-{step}\n")
        results.append(number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 1]
    assert all(f"# {number}-{step}\n" in site.read_text() for number in range(2) for step in range(10))


def test_revoking_takes_out_one_and_its_exit_code_says_whether_a_daemon_did_so(site, capsys):
    assert main(["keys", "revoke", "console-1", "--config", str(site)]) == 1
    assert "no daemon took it up" in capsys.readouterr().out
    assert names(site) == ["hq"]
    assert main(["keys", "revoke", "console-1", "--config", str(site)]) == 78


def test_a_site_changes_its_key_in_two_steps(site, capsys):
    rotate = ["keys", "rotate", "--config", str(site)]
    assert main([*rotate, "--finish"]) == 78
    assert main(rotate) == 78
    assert main([*rotate, "site-2"]) == 0
    wire = tomllib.loads(site.read_text())["wire"]
    pair = load_secret(site.parent / "site-2.key_secret")
    assert (wire["key"], wire["next_key"]) == ("site.key_secret", str(site.parent / "site-2.key_secret"))
    assert main([*rotate, "site-3"]) == 78
    capsys.readouterr()
    assert main([*rotate, "--finish", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["public"] == pair.public
    wire = tomllib.loads(site.read_text())["wire"]
    assert (wire["key"], "next_key" in wire) == (str(site.parent / "site-2.key_secret"), False)
    assert pair.secret not in capsys.readouterr().out


def test_a_running_site_takes_up_each_edit_while_the_command_waits_for_it(tmp_path, capsys):
    async def command(*words):
        return await asyncio.to_thread(main, ["keys", *words, "--config", str(tmp_path / "agent.toml")])

    async def answered(site, pair):
        link = SyncLink(site.context, site.sockets.endpoint, KEYS.client(pair), ONE_TRY)
        try:
            return (await link.request("PING", {}, 15.0)).verb
        except (NotAllowed, PeerSilent):
            return "refused"
        finally:
            link.close()

    async def law():
        pair = new_key_pair("console-3", tmp_path / "sent")
        file = str(tmp_path / "sent/console-3.key")
        async with gated_site(tmp_path, KEYS) as site:
            assert await answered(site, pair) == "refused"
            assert await command("enrol", file, "--role", "admin", "--fingerprint", fingerprint(pair.public)) == 0
            assert await answered(site, pair) == "PONG"
            assert await command("revoke", "console-3") == 0
            assert await answered(site, pair) == "refused"
            assert await answered(site, KEYS.console) == "PONG"
            site.gate._told_at -= 60  # a minute has passed: the report says again who was seen
            shown = {}
            async with asyncio.timeout(40):
                while not shown or shown["console-1"]["last_seen"] is None:
                    capsys.readouterr()
                    assert await command("list", "--json") == 0
                    shown = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
        assert {"console-1", "hq"} == set(shown)
        assert shown["console-1"]["fingerprint"] == fingerprint(KEYS.console.public)
        assert (shown["console-1"]["last_seen"] is not None, shown["hq"]["last_seen"]) == (True, None)
        assert all(one["in_force"] for one in shown.values())

    asyncio.run(law())
