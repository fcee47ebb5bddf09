"""The decision clock of the daemon itself: no console is open, the process is killed meanwhile, and still the scan is referred, once."""

import pytest

from benchmarks.site import running
from benchmarks.small_site import SmallSite
from edge_agent.wire.messages import AssessmentBody, ReferralBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
CLOCK_S = 25.0
"""Long enough for the kill to come before it has run out, on a busy machine too."""


def test_an_alert_that_nobody_decides_is_referred_also_across_a_death(tmp_path):
    small = SmallSite(tmp_path / "site")
    policy = small.site.folder / "policy.toml"
    policy.write_text(policy.read_text().replace("decision_clock_s = 300.0", f"decision_clock_s = {CLOCK_S}"))
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        small.deliver("scan-1.png", small.scan(1))
        small.wait_for(lambda: bool(small.bodies("assessment")), daemon)
        daemon.kill()
    (assessed,) = small.bodies("assessment")
    assert isinstance(assessed, AssessmentBody)
    assert assessed.conclusion == "alert"
    assert (assessed.decide_by - assessed.produced_at).total_seconds() == CLOCK_S
    assert small.bodies("referral") == []
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        small.wait_for(lambda: bool(small.bodies("referral")), daemon)
        (referral,) = small.bodies("referral")
        assert isinstance(referral, ReferralBody)
        assert (referral.scan_id, referral.reason.code, referral.officer) == (assessed.scan_id, "decision-clock", None)
        assert referral.produced_at >= assessed.decide_by
        assert daemon.stop() == 0
    assert len(small.bodies("referral")) == 1
