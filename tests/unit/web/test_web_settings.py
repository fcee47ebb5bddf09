"""What a configuration may not say: an open door beyond this machine, or passwords over plain HTTP."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge_agent.web.guard import known_hosts
from edge_agent.web.settings import ReachTable, WebTable, absolute

TLS = {"tls_certificate": "/c.pem", "tls_key": "/k.pem"}
USERS = {"users": "/u.json"}


@pytest.mark.parametrize("bind", ["127.0.0.1:8080", "127.9.9.9:0", "[::1]:8080"])
def test_without_login_this_machine_only(bind: str) -> None:
    assert WebTable(bind=bind, login="none").is_loopback


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "192.0.2.1:8080", "[::]:8080", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"])
@pytest.mark.parametrize("more", [{}, TLS, {"behind_proxy": True}])
def test_without_login_nowhere_else_whatever_encrypts(bind: str, more: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"very machine|beyond this machine"):
        WebTable(bind=bind, login="none", **more)


def test_a_proxy_before_a_door_without_login_is_refused() -> None:
    with pytest.raises(ValidationError, match="very machine"):
        WebTable(login="none", behind_proxy=True)


def test_beyond_this_machine_something_must_encrypt() -> None:
    with pytest.raises(ValidationError, match="tls_certificate and tls_key, or behind_proxy"):
        WebTable(bind="192.0.2.1:8080", **USERS)
    assert WebTable(bind="192.0.2.1:8080", **USERS, **TLS).is_secure
    assert WebTable(bind="192.0.2.1:8080", **USERS, behind_proxy=True).is_secure
    assert not WebTable(bind="127.0.0.1:8080", **USERS).is_secure


@pytest.mark.parametrize("half", ["tls_certificate", "tls_key"])
def test_half_of_tls_is_refused(half: str) -> None:
    with pytest.raises(ValidationError, match="together"):
        ReachTable(**{half: "/x"})


def test_a_login_needs_its_file_and_a_proxy_its_address() -> None:
    with pytest.raises(ValidationError, match="users is missing"):
        WebTable()
    with pytest.raises(ValidationError, match="proxy_addresses"):
        WebTable(login="proxy", behind_proxy=True)
    with pytest.raises(ValidationError, match="proxy_addresses"):
        WebTable(login="proxy", proxy_addresses=["127.0.0.1"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bind", "localhost:80"),
        ("bind", "127.0.0.1"),
        ("bind", "127.0.0.1:99999"),
        ("bind", "127.0.0.1:http"),
        ("hosts", ["Console.example"]),
        ("hosts", ["a:80"]),
        ("hosts", [""]),
        ("proxy_addresses", ["proxy.example"]),
        ("proxy_user_header", "X User"),
        ("proxy_user_header", "X-User\r\nHost"),
        ("roles", []),
        ("roles", ["king"]),
        ("idle_minutes", 0),
        ("session_hours", 25),
        ("port", 80),
    ],
)
def test_what_is_no_setting_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        WebTable(**{"login": "none", key: value})


def test_the_names_of_a_server_are_its_address_and_what_is_configured() -> None:
    assert {"localhost", "127.0.0.1", "::1"} == known_hosts(ReachTable(bind="127.0.0.1:1"))
    assert {"192.0.2.1", "hq.example"} == known_hosts(ReachTable(bind="192.0.2.1:1", behind_proxy=True, hosts=["hq.example"]))


def test_paths_are_relative_to_the_configuration_file() -> None:
    table = absolute({"users": "u.json", "tls_key": "/abs/k.pem", "bind": "127.0.0.1:1"}, Path("/etc/x"))
    assert table == {"users": "/etc/x/u.json", "tls_key": "/abs/k.pem", "bind": "127.0.0.1:1"}
    assert absolute("not a table", Path("/etc")) == "not a table"
