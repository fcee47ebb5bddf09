"""What the site's and headquarters' files say alike is checked alike."""

from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent.agent.sections import BundlesSection, SiteSection
from edge_agent.agent.wire_section import OutboundSection
from edge_agent.collector.config import SiteEntry

CURVE = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
SIGNING = "ed25519:" + "A" * 43 + "="


def entry(**change: Any) -> SiteEntry:
    return SiteEntry.model_validate({"id": "north", "endpoint": "tcp://10.0.0.1:5571", "server_key": CURVE, **change})


def refusals(values: dict[str, Any], of_site: type[SiteSection | BundlesSection | OutboundSection], of_hq: dict[str, Any]) -> list[str]:
    """Give what the site and headquarters say, without where."""
    said = []
    for read in (lambda: of_site.model_validate(values), lambda: entry(**of_hq)):
        with pytest.raises(ValidationError) as caught:
            read()
        (error,) = caught.value.errors()
        said.append(error["msg"])
    return said


@pytest.mark.parametrize("zone", ["Mars/Base", "Asia", "../etc/passwd", "", "Asia/Kolkata\0"])
def test_a_zone_that_is_none_is_refused_on_both_sides_in_the_same_words(zone: str) -> None:
    """``Asia`` is a folder of the zones' database: reading it is an OSError."""
    site, hq = refusals({"id": "north", "timezone": zone}, SiteSection, {"timezone": zone})
    assert site == hq == "Value error, must be an IANA time zone, such as Asia/Kolkata"


@pytest.mark.parametrize("name", ["North", "", "a/b", "-a", "a" * 64])
def test_a_name_that_cannot_stand_in_a_topic_is_refused_on_both_sides_in_the_same_words(name: str) -> None:
    site, hq = refusals({"id": name, "timezone": "UTC"}, SiteSection, {"id": name})
    assert site == hq
    assert "lower-case letters" in site


@pytest.mark.parametrize("key", ["", CURVE, SIGNING[:-4], SIGNING.removeprefix("ed25519:")])
def test_a_signing_key_that_is_none_is_refused_on_both_sides_in_the_same_words(key: str) -> None:
    site, hq = refusals({"trusted": [key]}, BundlesSection, {"journal_key": key})
    assert site == hq
    assert "not a public signing key" in site


@pytest.mark.parametrize(
    "endpoint", ["gate:5571", "tcp://gate", "tcp://gate:*", "tcp://gate:0", "tcp://gate:70000", "tcp://:5571", "tcp://a:1/x"]
)
def test_an_endpoint_where_nobody_can_be_met_is_refused_on_both_sides_in_the_same_words(endpoint: str) -> None:
    site, hq = refusals({"endpoint": endpoint, "consumer": "hq"}, OutboundSection, {"endpoint": endpoint})
    assert site == hq
    assert "HOST:PORT" in site or "needs the port" in site


def test_what_is_right_is_taken_on_both_sides_as_it_was_written() -> None:
    assert SiteSection(id="north", timezone="Asia/Kolkata").timezone == entry(timezone="Asia/Kolkata").timezone
    assert (SIGNING,) == BundlesSection(trusted=(SIGNING,)).trusted
    assert entry(journal_key=SIGNING).journal_key == SIGNING
    assert entry(endpoint="tcp://[::1]:5571").endpoint == OutboundSection(endpoint="tcp://[::1]:5571", consumer="hq").endpoint
