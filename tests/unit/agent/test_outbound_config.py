"""What both sides' configuration says of outbound mode, and what of it is refused."""

import pytest
from pydantic import ValidationError

from edge_agent.agent.wire_section import WireSection
from edge_agent.collector.config import CollectorConfig

KEY = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
SITE = {"id": "harbour", "outbound": True, "server_key": KEY}
HQ = {"archive": "a.db", "secret_key": "hq.key_secret", "timezone": "UTC", "outbound": {"bind": "tcp://*:5580"}, "site": [SITE]}


def wire(**outbound: str) -> WireSection:
    return WireSection.model_validate({"key": "site.key_secret", "outbound": {"consumer": "hq", **outbound}})


def test_a_site_names_where_headquarters_listens_and_who_answers_there() -> None:
    outbound = wire(endpoint="tcp://hq.example:5580").outbound
    assert outbound is not None
    assert (outbound.endpoint, outbound.consumer) == ("tcp://hq.example:5580", "hq")


@pytest.mark.parametrize(
    "endpoint", ["hq.example:5580", "tcp://hq.example", "tcp://hq.example:*", "tcp://hq.example:0", "tcp://h:70000", ""]
)
def test_an_endpoint_nobody_can_listen_at_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        wire(endpoint=endpoint)


def test_no_site_connects_out_without_a_key() -> None:
    with pytest.raises(ValidationError, match="outbound needs a key"):
        WireSection.model_validate({"insecure_loopback_only": True, "outbound": {"endpoint": "tcp://127.0.0.1:5580", "consumer": "hq"}})


def test_headquarters_takes_sites_that_call_beside_sites_that_are_called() -> None:
    config = CollectorConfig.model_validate({**HQ, "site": [SITE, {"id": "gate", "endpoint": "tcp://10.0.0.1:5571", "server_key": KEY}]})
    assert [entry.outbound for entry in config.site] == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        {"outbound": None},
        {"outbound": {"bind": "5580"}},
        {"site": [{**SITE, "endpoint": "tcp://10.0.0.1:5571"}]},
        {"site": [{**SITE, "server_key": None}]},
        {"site": [{**SITE, "server_key": None, "insecure_loopback_only": True}]},
        {"site": [{**SITE, "outbound": False}]},
    ],
    ids=["no-port-for-it", "no-address", "two-ways", "no-key", "no-encryption", "no-way"],
)
def test_a_site_without_exactly_one_way_or_without_a_key_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CollectorConfig.model_validate({**HQ, **change})
