"""What ``edge-agent assess`` says of a scan in words."""

from edge_agent.cli.assess import _lines
from edge_agent.testing.factories import a_scan_id, assessment_body
from edge_agent.wire.findings import WeightPart


def test_the_mass_of_the_load_is_told_with_its_interval() -> None:
    part = WeightPart(id=1, mass_kg=18_240.4, low_kg=16_900.0, high_kg=19_500.0, bundle="scale/1.0.0")
    body = assessment_body(a_scan_id("a")).model_copy(update={"findings": [part]})
    assert "the load weighs about 18240 kg (16900 to 19500)" in list(_lines(body))
