"""Addresses: what is loopback, what can be connected to."""

import pytest

from edge_agent.errors import ConfigInvalid
from edge_agent.transport.endpoints import is_loopback, reachable, readable, split


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:5571", "tcp://127.9.9.9:1", "tcp://[::1]:5571", "tcp://localhost:*", "tcp://[::ffff:127.0.0.1]:1"]
)
def test_loopback_addresses_are_known(endpoint):
    assert is_loopback(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["tcp://10.0.0.1:5571", "tcp://*:5571", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://localhost.evil.example:1", "tcp://gate:1"]
)
def test_everything_else_is_not_loopback(endpoint):
    assert not is_loopback(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    ["", "5571", "gate:5571", "ipc:///run/x", "tcp://gate", "tcp://gate:70000", "tcp://:1", "tcp://a:1;tcp://b:2", "tcp://a:1/x"],
)
def test_what_is_no_endpoint_is_refused(endpoint):
    with pytest.raises(ConfigInvalid, match="tcp://host:port"):
        split(endpoint)


@pytest.mark.parametrize("bound", ["tcp://*:5570", "tcp://0.0.0.0:5570", "tcp://[::]:5570"])
def test_a_site_that_bound_every_address_is_reached_where_it_was_asked(bound):
    assert reachable(bound, "tcp://10.1.2.3:5571") == "tcp://10.1.2.3:5570"


def test_a_site_that_names_an_address_is_reached_there():
    assert reachable("tcp://10.9.9.9:5570", "tcp://10.1.2.3:5571") == "tcp://10.9.9.9:5570"


def test_a_mapped_address_is_written_in_its_usual_form():
    assert readable("tcp://[::ffff:127.0.0.1]:4000") == "tcp://127.0.0.1:4000"
    assert readable("tcp://[::1]:4000") == "tcp://[::1]:4000"
