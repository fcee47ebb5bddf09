"""With the real daemon and the real collector: a site that headquarters cannot reach connects to it, and says so while it cannot."""

import json
import re

import pytest

from benchmarks.site import Process, free_port, running
from benchmarks.small_site import SmallSite
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ArchiveDamaged, ConfigInvalid
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.messages import HealthBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def unreached(small: SmallSite) -> list[str]:
    """Why headquarters was not reached, as the journal tells it."""
    bodies = [body for body in small.bodies("health") if isinstance(body, HealthBody)]
    return [str(reason.params["why"]) for body in bodies for reason in body.reasons if reason.code == "headquarters-unreached"]


def is_archived(small: SmallSite) -> bool:
    """Tell whether headquarters holds the journal of this moment byte for byte."""
    rows = small.rows()
    try:
        archive = Archive.read(small.site.folder / "archive.db", SystemClock())
    except (ArchiveDamaged, ConfigInvalid):  # it is only being made
        return False
    with archive:
        return list(archive.rows(SiteId("demo"), rows[0].epoch)) == rows


def phases(collector: Process) -> list[str]:
    return [json.loads(line)["phase"] for line in collector.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def test_a_site_behind_nat_says_that_headquarters_is_away_and_hands_over_its_journal_once_it_is_there(small: SmallSite) -> None:
    site, port = small.site, free_port()
    outbound = f'\n[wire.outbound]\nendpoint = "tcp://127.0.0.1:{port}"\nconsumer = "hq"\n'
    site.agent_toml.write_text(site.agent_toml.read_text() + outbound)
    calling = f'[outbound]\nbind = "tcp://127.0.0.1:{port}"\n[[site]]\noutbound = true\n'
    collector_toml = re.sub(r"endpoint = .*\n", "", site.collector_toml.read_text()).replace("[[site]]\n", calling)
    site.collector_toml.write_text(collector_toml)
    daemon = site.daemon()
    with running(daemon):
        small.ready(daemon)
        small.deliver("1.png", small.scan(1))
        small.wait_for(lambda: "peer-silent" in unreached(small) and bool(small.bodies("assessment")), daemon)
        hq = site.collector()
        with running(hq):
            small.wait_for(lambda: is_archived(small), daemon)
            small.deliver("2.png", small.scan(2))
            small.wait_for(lambda: len(small.bodies("assessment")) == 2 and is_archived(small), daemon)
            small.wait_for(lambda: phases(hq)[-1:] == ["current"], daemon)
            assert hq.stop() == 0
        assert daemon.stop() == 0
