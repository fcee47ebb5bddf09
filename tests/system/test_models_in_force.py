"""Which models judge: activated ones after a restart, the last good ones when they fail, one in shadow beside them, commissioned ones."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks.site import Process, running
from benchmarks.small_site import SmallSite
from edge_agent.cli.main import main
from edge_agent.formats.encode import png_bytes
from edge_agent.testing.bundles import write_detection_bundle
from edge_agent.wire.messages import AssessmentBody, AuditBody, HealthBody, ShadowBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def assessed(small: SmallSite) -> list[AssessmentBody]:
    return [body for body in small.bodies("assessment") if isinstance(body, AssessmentBody)]


def shadows(small: SmallSite) -> list[ShadowBody]:
    return [body for body in small.bodies("shadow") if isinstance(body, ShadowBody)]


def health(small: SmallSite) -> set[str]:
    bodies = [body for body in small.bodies("health") if isinstance(body, HealthBody)]
    return {reason.code for reason in bodies[-1].reasons}


def in_force(small: SmallSite) -> list[set[str]]:
    events = [body.event for body in small.bodies("audit") if isinstance(body, AuditBody)]
    return [set(event.params) for event in events if event.code == "bundles-in-force"]


@contextmanager
def up(small: SmallSite) -> Iterator[Process]:
    """Run the daemon from READY to a clean stop."""
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        yield daemon
        assert daemon.stop() == 0


def bundle(small: SmallSite, *arguments: str) -> int:
    return main(["bundle", *arguments, "--config", str(small.site.agent_toml)])


def test_an_activated_bundle_judges_after_a_restart_and_a_damaged_one_gives_way_to_the_last_good_one(
    small: SmallSite, tmp_path: Path
) -> None:
    newer = write_detection_bundle(tmp_path / "incoming", version="2.0.0")
    assert bundle(small, "activate", str(newer)) == 0
    with up(small) as daemon:
        small.deliver("one.png", small.scan(1))
        small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    assert [part.version for part in assessed(small)[0].provenance.bundles] == ["2.0.0"]
    for model in (small.site.state_dir / "bundles/sets").rglob("model.onnx"):
        model.write_bytes(b"damaged")
    with up(small) as daemon:
        small.deliver("two.png", small.scan(2))
        small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    assert [part.version for part in assessed(small)[1].provenance.bundles] == ["1.0.0"]
    assert "bundles-fell-back" in health(small)
    assert in_force(small) == [{"bright/2.0.0"}, {"bright/1.0.0"}]
    assert bundle(small, "rollback") == 0


@pytest.fixture
def small(small: SmallSite) -> SmallSite:
    """The small site, whose dark pictures a real policy would take for inverted ones."""
    policy = small.site.folder / "policy.toml"
    policy.write_text(policy.read_text().replace(', "polarity-doubtful"', ""))
    return small


def test_a_bundle_in_shadow_is_journalled_beside_and_never_alerts(small: SmallSite, tmp_path: Path) -> None:
    blind = write_detection_bundle(tmp_path / "incoming", version="2.0.0", alert_at=1.0)
    assert bundle(small, "activate", str(blind), "--shadow") == 0
    with up(small) as daemon:
        small.deliver("one.png", picture(1, 65535))
        small.wait_for(lambda: len(shadows(small)) == 1, daemon)
    (active,), (beside,) = assessed(small), shadows(small)
    assert (active.conclusion, beside.conclusion, beside.active) == ("alert", "no-alert", "alert")
    assert (beside.beside, beside.scan_id, beside.capture_kind) == (active.fact_id, active.scan_id, active.capture.kind)
    assert [(part.version, part.state) for part in active.provenance.bundles] == [("1.0.0", "simulated")]
    assert [(part.version, part.state) for part in beside.bundles] == [("2.0.0", "shadow")]
    rows = [body.kind for body in small.bodies("assessment", "shadow")]
    assert rows == ["assessment", "shadow"], "the result that counts is told first"


def test_a_shadow_that_does_not_work_degrades_health_and_nothing_else(small: SmallSite, tmp_path: Path) -> None:
    newer = write_detection_bundle(tmp_path / "incoming", version="2.0.0")
    assert bundle(small, "activate", str(newer), "--shadow") == 0
    next((small.site.state_dir / "bundles/sets").rglob("model.onnx")).write_bytes(b"damaged")
    with up(small) as daemon:
        small.deliver("one.png", small.scan(1))
        small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    assert "shadow-unavailable" in health(small)
    assert shadows(small) == []


def test_commissioned_levels_count_and_say_so_until_the_models_change(small: SmallSite, tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    clean.mkdir()
    for number in range(60):
        (clean / f"scan-{number}.png").write_bytes(picture(number, 28000 + 50 * number))
    asked = ["commission", "--config", str(small.site.agent_toml), "--scanner", "s1", "--scans", str(clean), "--budget", "0.05"]
    assert main(asked) == 0
    with up(small) as daemon:
        small.deliver("one.png", small.scan(1))
        small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    (body,) = assessed(small)
    assert [part.state for part in body.provenance.bundles] == ["commissioned"]
    certificate = json.loads((small.site.state_dir / "bundles/commission/cargo.json").read_text())
    assert [reason.params["threshold"] for reason in body.reasons] == [certificate["checks"][0]["threshold"]]
    assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version="2.0.0"))) == 0
    with up(small) as daemon:
        small.deliver("two.png", small.scan(2))
        small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    assert [part.state for part in assessed(small)[1].provenance.bundles] == ["simulated"]
    assert "certificate-mismatch" in health(small)


def picture(number: int, cell: int) -> bytes:
    """A grey picture with one cell of its own level, each picture a little different; levels below 32,768 score below one half."""
    pixels = np.full((64, 80), 20000 + number, dtype=np.uint16)
    pixels[16:24, 24:32] = cell
    return png_bytes(pixels)
