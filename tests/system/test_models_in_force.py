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
from edge_agent.inference.bundle import sign_bundle
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.bundles import TEST_KEY, write_detection_bundle
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
    assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version="3.0.0"))) == 0, "as health says"
    with up(small):
        pass
    assert in_force(small)[-1] == {"bright/3.0.0"}
    assert "bundles-fell-back" not in health(small)


def test_the_last_good_bundles_are_those_that_a_start_proved_however_many_fail_after(small: SmallSite, tmp_path: Path) -> None:
    assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version="2.0.0"))) == 0
    with up(small):
        pass
    for version in ("3.0.0", "4.0.0"):
        assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version=version))) == 0
        (model,) = (small.site.state_dir / "bundles/sets").rglob(f"{version}/model.onnx")
        model.write_bytes(b"damaged")
    with up(small):
        pass
    assert in_force(small) == [{"bright/2.0.0"}, {"bright/2.0.0"}]
    assert "bundles-fell-back" in health(small)


def test_where_no_activated_set_is_trusted_any_more_the_installed_bundles_judge(small: SmallSite, tmp_path: Path) -> None:
    for version in ("2.0.0", "3.0.0"):
        assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version=version))) == 0
    newer = SigningKey.new("newer")
    sign_bundle(small.site.folder / "bundles/bright/1.0.0", newer)
    small.site.agent_toml.write_text(small.site.agent_toml.read_text().replace(TEST_KEY.public.text, newer.public.text))
    with up(small):
        pass
    assert in_force(small) == [{"bright/1.0.0"}]
    assert "bundles-fell-back" in health(small)


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


def test_a_scan_too_large_for_the_part_of_a_bundle_in_shadow_is_judged_as_ever_and_missing_in_the_comparison(
    small: SmallSite, tmp_path: Path
) -> None:
    settings = small.site.agent_toml
    settings.write_text("max_memory_mb = 64\n" + settings.read_text())  # a quarter of it: planes of some 100 KiB
    assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version="2.0.0")), "--shadow") == 0
    with up(small) as daemon:
        small.deliver("large.png", picture(1, 65535, size=(300, 400)))
        small.wait_for(lambda: "shadow-partial" in health(small), daemon)
        small.deliver("small.png", picture(2, 65535))
        small.wait_for(lambda: len(shadows(small)) == 1, daemon)
    large, looked_at = assessed(small)
    assert ["alert", "alert"] == [large.conclusion, looked_at.conclusion]
    assert [looked_at.scan_id] == [body.scan_id for body in shadows(small)]


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
    assert in_force(small) == [{"bright/1.0.0", "certificate-cargo"}]
    assert bundle(small, "activate", str(write_detection_bundle(tmp_path / "incoming", version="2.0.0"))) == 0
    with up(small) as daemon:
        small.deliver("two.png", small.scan(2))
        small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    assert [part.state for part in assessed(small)[1].provenance.bundles] == ["simulated"]
    assert "certificate-mismatch" in health(small)
    assert in_force(small)[-1] == {"bright/2.0.0"}


def picture(number: int, cell: int, size: tuple[int, int] = (64, 80)) -> bytes:
    """A grey picture with one cell of its own level, each picture a little different; levels below 32,768 score below one half."""
    pixels = np.full(size, 20000 + number, dtype=np.uint16)
    pixels[16:24, 24:32] = cell
    return png_bytes(pixels)
