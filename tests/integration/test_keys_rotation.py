"""A server that changes its key: whoever believes both keys goes on, whoever believes only the old one does not believe the new server."""

import asyncio
import dataclasses

import pytest

from edge_agent.errors import ConfigInvalid, KeysMissing, PeerSilent
from edge_agent.testing.loopback import Keyring, Setting, a_key_pair, loopback_site
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import load_public, load_secret, load_server_keys, new_key_pair
from edge_agent.transport.link import LiveLink, Retry, Silence, SyncLink
from edge_agent.transport.sockets import ClientSecurity
from edge_agent.wire.heartbeat import Heartbeat

OLD, NEXT = Keyring(), a_key_pair("site-2")
NEW = dataclasses.replace(OLD, server=NEXT)


async def asked(site, security, attempts=1):
    link = SyncLink(site.context, site.sync, security, Retry(attempts, 0.01, 0.01))
    try:
        return (await link.request("PING", {}, 1.0)).verb
    finally:
        link.close()


@pytest.mark.parametrize("keys", [OLD, NEW], ids=["before the change", "after it"])
def test_a_client_that_believes_both_keys_is_answered_before_and_after_the_change(tmp_path, keys):
    async def law():
        async with loopback_site(tmp_path, Setting(keys)) as site:
            for pinned in ((OLD.server.public, NEXT.public), (NEXT.public, OLD.server.public)):
                security = ClientSecurity(OLD.console, *pinned)
                assert await asked(site, security) == "PONG"
                assert security.server_key == keys.server.public

    asyncio.run(law())


def test_a_client_that_believes_the_old_key_alone_does_not_believe_the_new_server(tmp_path):
    async def law():
        async with loopback_site(tmp_path, Setting(NEW)) as site:
            with pytest.raises(PeerSilent):
                await asked(site, ClientSecurity(OLD.console, OLD.server.public))

    asyncio.run(law())


def test_live_follows_the_key_under_which_sync_was_answered(tmp_path):
    async def law():
        async with loopback_site(tmp_path, Setting(NEW)) as site:
            security = ClientSecurity(OLD.console, OLD.server.public, NEXT.public)
            live = LiveLink(site.context, site.live, security, ["ei1/"], silence_s=0.3)
            assert isinstance(await anext(live), Silence)
            assert await asked(site, security) == "PONG"
            async with asyncio.timeout(40):
                while not isinstance(await anext(live), Heartbeat):
                    pass
            live.close()

    asyncio.run(law())


def test_a_client_that_was_connected_before_the_change_learns_the_next_key_from_the_site(tmp_path):
    async def law():
        with open_context() as context:
            security = ClientSecurity(OLD.console, OLD.server.public)
            async with loopback_site(tmp_path, Setting(OLD, next_key=NEXT.public)) as site:
                link = SyncLink(context, site.sync, security, Retry(1))
                await link.request("HELLO", {"client": "test", "build": "0"})
                link.close()
            assert security.pinned == 2
            async with loopback_site(tmp_path, Setting(NEW)) as site:
                site.context = context
                assert await asked(site, security) == "PONG"

    asyncio.run(law())


def test_what_is_announced_and_is_no_key_is_not_believed_and_never_more_than_one():
    security = ClientSecurity(OLD.console, OLD.server.public)
    for announced in ("", "short", OLD.server.public):
        security.believe(announced)
    assert security.pinned == 1
    for announced in (NEXT.public, a_key_pair("other").public):
        security.believe(announced)
    assert security.pinned == 2
    assert security.server_key == OLD.server.public


def test_two_links_that_fail_at_once_turn_once():
    security = ClientSecurity(OLD.console, OLD.server.public, NEXT.public)
    for _ in range(2):
        security.turn_from(OLD.server.public)
    assert security.server_key == NEXT.public


def test_the_file_of_a_next_key_names_the_one_before_it_and_both_are_believed(tmp_path):
    old = new_key_pair("site", tmp_path)
    new = new_key_pair("site-2", tmp_path, before=old.public)
    assert load_server_keys(str(tmp_path / "site-2.key")) == (new.public, old.public)
    assert load_server_keys(str(tmp_path / "site.key")) == (old.public,)
    assert load_server_keys(old.public) == (old.public,)
    assert load_public(str(tmp_path / "site-2.key")) == new.public
    assert load_secret(tmp_path / "site-2.key_secret") == new


def test_a_file_whose_key_before_is_none_is_refused(tmp_path):
    old = new_key_pair("site", tmp_path)
    (tmp_path / "bad.key").write_text(f'name = "bad"\npublic = "{old.public}"\nbefore = "short"\n')
    with pytest.raises(KeysMissing):
        load_server_keys(str(tmp_path / "bad.key"))
    with pytest.raises(ConfigInvalid):
        new_key_pair("site", tmp_path, before=old.public)
