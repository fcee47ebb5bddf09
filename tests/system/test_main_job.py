"""The main job with real processes: nothing lost, nothing doubled, bad input named, the daemon goes on."""

import json
import random
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.site import COMMAND, Process, exit_code_of, running
from benchmarks.small_site import SmallSite
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ArchiveDamaged, ConfigInvalid
from edge_agent.formats.encode import jpeg_bytes, tiff_bytes
from edge_agent.ledger.reader import LedgerReader
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.messages import AssessmentBody, HealthBody, SetAsideBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def assessed(small: SmallSite) -> list[AssessmentBody]:
    return [body for body in small.bodies("assessment") if isinstance(body, AssessmentBody)]


def set_aside(small: SmallSite) -> list[SetAsideBody]:
    return [body for body in small.bodies("set-aside") if isinstance(body, SetAsideBody)]


def test_a_scan_dropped_into_the_folder_is_the_same_fact_at_site_console_and_headquarters(small: SmallSite, daemon: Process) -> None:
    for number in range(5):
        small.deliver(f"scan-{number}.png", small.scan(number))
    small.wait_for(lambda: len(assessed(small)) == 5, daemon)
    late = small.site.console("late", "--json", "--count", "5")
    hq = small.site.collector()
    with running(late, hq):
        assert late.wait(120) == 0
        small.wait_for(lambda: len([row for row in archived(small) if row.topic.endswith("/assessment/")]) == 5, daemon)
        assert hq.stop() == 0
    facts = {body.fact_id for body in assessed(small)}
    seen = [line["body"]["fact_id"] for line in late.json_lines() if line.get("event") == "fact" and line["body"]["kind"] == "assessment"]
    assert len(seen) == 5
    assert facts == set(seen)
    held = archived(small)
    assert held == small.rows()[: len(held)]  # a row about the readers themselves may come behind
    body = assessed(small)[0]
    assert (body.conclusion, body.provenance.provider) == ("alert", "CPUExecutionProvider")
    assert [bundle.state for bundle in body.provenance.bundles] == ["simulated"]
    assert daemon.stop() == 0


def archived(small: SmallSite) -> list[JournalRow]:
    """What headquarters holds; nothing while it is only making its archive."""
    try:
        archive = Archive.read(small.site.folder / "archive.db", SystemClock())
    except (ArchiveDamaged, ConfigInvalid):
        return []
    with archive:
        return list(archive.rows(SiteId("demo"), small.rows()[0].epoch))


def test_a_kill_at_any_moment_loses_and_doubles_nothing(small: SmallSite) -> None:
    chance = random.Random(7)
    total = 30
    daemon = small.site.daemon()
    delivered = 0
    with running(daemon):
        small.ready(daemon)
        for _ in range(5):
            for _ in range(total // 5):
                small.deliver(f"scan-{delivered}.png", small.scan(delivered))
                delivered += 1
            time.sleep(chance.uniform(0.0, 0.5))  # the moment of the kill is what is random
            daemon.kill()
            daemon = small.site.daemon()
            small.ready(daemon)
        small.wait_for(lambda: len(assessed(small)) >= total, daemon)
        assert daemon.stop() == 0
    bodies = assessed(small)
    assert len(bodies) == total == len({body.scan_id for body in bodies})
    assert set_aside(small) == []
    reader = LedgerReader.open(small.site.state_dir / "ledger.db")
    try:
        counts = reader.counts()
        assert reader.verify() is None
    finally:
        reader.close()
    assert (counts.accepted, counts.assessed, counts.set_aside, counts.in_flight) == (total, total, 0, 0)
    assert exit_code_of(["journal", "verify", "--state-dir", str(small.site.state_dir)]) == 0


def bomb() -> bytes:
    """Give a PNG whose header announces 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (30000).to_bytes(4, "big") * 2 + bytes([16, 0, 0, 0, 0])
    packed = zlib.compress(bytes(60001) * 30, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_bad_input_is_set_aside_with_its_reason_and_the_daemon_goes_on(small: SmallSite, daemon: Process) -> None:
    good = small.scan(1)
    bad = {
        "empty.png": (b"", "unreadable-scan"),
        "truncated.png": (good[: len(good) // 2], "unreadable-scan"),
        "text.jpg": (b"this is not a picture", None),
        "bomb.png": (bomb(), "limit-exceeded"),
        "strange.xyz": (b"who knows", "unsupported-format"),
    }
    for name, (content, _) in bad.items():
        small.deliver(name, content)
    small.wait_for(lambda: len(set_aside(small)) == len(bad), daemon)
    small.deliver("good.png", good)
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    codes = sorted(body.reason.code for body in set_aside(small))
    expected = [code for _, code in bad.values() if code]
    for code in expected:
        codes.remove(code)
    assert codes in (["unsupported-format"], ["unreadable-scan"])
    for name, (content, _) in bad.items():
        assert content == (small.watched / name).read_bytes()
    kept = [path for path in (small.site.state_dir / "quarantine").rglob("*") if path.is_file()]
    assert sorted(content for content, _ in bad.values()) == sorted(path.read_bytes() for path in kept)


def audited(small: SmallSite) -> list[str]:
    return [body.event.code for body in small.bodies("audit")]  # type: ignore[union-attr]


def test_the_same_pixels_under_another_name_are_one_scan(small: SmallSite, daemon: Process) -> None:
    small.deliver("first.png", small.scan(3))
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    small.deliver("again.png", small.scan(3))
    small.wait_for(lambda: "duplicate-of" in audited(small), daemon)
    assert ["bundles-in-force", "duplicate-of"] == audited(small)
    assert len(assessed(small)) == 1


def test_new_pixels_under_a_known_name_are_a_revision_that_supersedes(small: SmallSite, daemon: Process) -> None:
    small.deliver("scan.png", small.scan(3))
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    small.deliver("scan.png", small.scan(4))
    small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    first, second = assessed(small)
    assert first.scan_id == second.scan_id
    assert (first.revision, second.revision) == (1, 2)
    assert second.supersedes == first.fact_id


def test_a_folder_that_goes_away_degrades_health_and_its_return_heals_it(small: SmallSite, daemon: Process) -> None:
    away = small.watched.with_name("away")
    small.watched.rename(away)
    small.wait_for(lambda: states(small)[-1:] == ["degraded"], daemon)
    away.rename(small.watched)
    small.deliver("scan.png", small.scan(1))
    small.wait_for(lambda: states(small)[-1:] == ["healthy"] and len(assessed(small)) == 1, daemon)


def states(small: SmallSite) -> list[str]:
    return [body.state for body in small.bodies("health") if isinstance(body, HealthBody)]


def test_the_scanner_may_delete_its_file_as_soon_as_it_is_accepted(small: SmallSite, daemon: Process) -> None:
    small.deliver("scan.png", small.scan(1))
    small.wait_for(lambda: daemon.has_event("scan_accepted"), daemon)
    (small.watched / "scan.png").unlink()
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    small.wait_for(lambda: small.packed() == 1, daemon)


def test_require_gpu_refuses_to_start_with_78_and_a_hint(tmp_path: Path) -> None:
    small = SmallSite(tmp_path / "site", device="require-gpu")
    done = subprocess.run(
        (*COMMAND, "run", "--config", str(small.site.agent_toml)), capture_output=True, check=False, text=True, timeout=120
    )
    assert done.returncode == 78
    assert "device-required" in done.stderr
    assert "what to do" in done.stderr


def test_check_names_every_problem_at_once(small: SmallSite) -> None:
    path = small.site.agent_toml
    assert exit_code_of(["check", "--config", str(path)]) == 0
    path.write_text(
        path.read_text().replace('timezone = "Asia/Kolkata"', 'timezone = "Mars/Base"', 1).replace("keep_packages", "keep_pakages")
    )
    done = subprocess.run((*COMMAND, "check", "--config", str(path)), capture_output=True, check=False, text=True, timeout=120)
    assert done.returncode == 78
    assert "keep_pakages" in done.stdout
    assert "site.timezone" in done.stdout


def test_a_second_daemon_on_the_same_state_is_refused(small: SmallSite, daemon: Process) -> None:
    done = subprocess.run(
        (*COMMAND, "run", "--config", str(small.site.agent_toml)), capture_output=True, check=False, text=True, timeout=120
    )
    assert done.returncode != 0
    assert "ledger-busy" in done.stderr
    assert daemon.popen.poll() is None


def sidecar(container: str, heading: str) -> bytes:
    content = {
        "schema": "sim-sidecar/1",
        "taken_at": "2026-03-02T10:00:00+05:30",
        "kind": "synthetic",
        "selection": "random",
        "container": container,
        "pitch_mm": [5.0, 5.0],
        "beam": "6/4 MV",
        "declared": [{"hs": heading, "description": "goods", "gross_kg": 1000.0, "packages": 10}],
        "resources": [],
    }
    return json.dumps(content).encode()


def pair(level: int) -> tuple[bytes, bytes]:
    high = np.full((64, 80), level, dtype=np.uint16)
    high[16:24, 24:32] = 65535
    return tiff_bytes(high), tiff_bytes(high // 2)


def deliver_pair(small: SmallSite, key: str, level: int, container: str, heading: str) -> None:
    high, low = pair(level)
    small.deliver_together({f"{key}_high.tif": high, f"{key}_low.tif": low, f"{key}.json": sidecar(container, heading)}, "pair")


def test_a_rewritten_side_car_is_concluded_again_without_inference(small: SmallSite, daemon: Process) -> None:
    deliver_pair(small, "k1", 100, "CSQU3054383", "0202")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    small.deliver("k1.json", sidecar("CSQU3054383", "4011"), "pair")
    small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    first, second = assessed(small)
    assert (first.scan_id, first.revision) == (second.scan_id, second.revision)
    assert (first.cause, second.cause, second.supersedes) == ("pixels", "metadata-1", first.fact_id)
    assert "detection" in first.timings_ms
    assert "detection" not in second.timings_ms
    assert first.findings == second.findings
    assert second.declared is not None
    assert [goods.hs for goods in second.declared.goods] == ["4011"]
    assert (first.capture.kind, first.selection) == ("synthetic", "random")


def test_the_same_pixels_under_another_container_are_a_new_scan_that_alerts(small: SmallSite, daemon: Process) -> None:
    deliver_pair(small, "k1", 100, "CSQU3054383", "0202")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    deliver_pair(small, "k2", 100, "MSKU0000019", "0202")
    small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    first, second = assessed(small)
    assert first.scan_id != second.scan_id
    assert second.conclusion == "alert"
    assert [dict(reason.params) for reason in second.reasons if reason.code == "pixels-seen-before"] == [{"twin": first.scan_id}]


def test_no_identifier_in_clear_is_in_journal_log_or_package(small: SmallSite, daemon: Process) -> None:
    deliver_pair(small, "CSQU3054383", 100, "CSQU3054383", "0202")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    small.wait_for(lambda: small.packed() == 1, daemon)
    (package,) = (small.site.state_dir / "packages").rglob("*.scan.zip")
    places = [b"".join(row.body for row in small.rows()), daemon.log.read_bytes(), package.read_bytes(), str(package).encode()]
    assert [place for place in places if b"CSQU305438" in place] == []
    (identity,) = assessed(small)[0].identities
    assert identity.kind == "container"


def test_half_of_a_pair_is_judged_after_its_deadline_as_partial(small: SmallSite, daemon: Process) -> None:
    high, _ = pair(100)
    small.deliver_together({"k1_high.tif": high, "k1.json": sidecar("CSQU3054383", "0202")}, "pair")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    (body,) = assessed(small)
    assert ("partial", {"role": "low"}, True) in [(o.code, dict(o.params), o.blocking) for o in body.obstacles]
    small.deliver("k1_low.tif", pair(100)[1], "pair")
    small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    assert 2 == assessed(small)[1].revision
    assert "partial" not in {obstacle.code for obstacle in assessed(small)[1].obstacles}


def test_a_malformed_side_car_never_hides_the_picture(small: SmallSite, daemon: Process) -> None:
    high, low = pair(100)
    small.deliver_together({"k1_high.tif": high, "k1_low.tif": low, "k1.json": b"{ not json"}, "pair")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    assert "sidecar-unreadable" in {obstacle.code for obstacle in assessed(small)[0].obstacles}


def test_a_side_car_without_its_pictures_is_unassessable_not_overlooked(small: SmallSite, daemon: Process) -> None:
    small.deliver("k1.json", sidecar("CSQU3054383", "0202"), "pair")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    (body,) = assessed(small)
    assert body.conclusion == "unassessable"
    assert "view-missing" in {obstacle.code for obstacle in body.obstacles}


def form(picture: str) -> bytes:
    return (
        '<DataForm xmlns="dataforms.model.cargovision.smiths.com"><Version>V01.20</Version><TruckId>T1</TruckId>'
        '<Date>2025-11-12T07:30:08.910Z</Date><Operations><Operation Type="1"><Resources>'
        f'<Resource Type="img" IsLinked="false" IsPreview="false" IsDeleted="false">{picture}</Resource>'
        "</Resources></Operation></Operations></DataForm>"
    ).encode()


def test_bad_pictures_and_side_cars_of_a_dataform_scanner_end_named_and_untouched(small: SmallSite, daemon: Process) -> None:
    picture, other, third = (jpeg_bytes(np.tile(np.arange(k, k + 200, dtype=np.uint8), (150, 1))) for k in range(3))
    delivered = {
        "cut.jpg": picture[: len(picture) // 2],
        "cut.xml": form("cut.jpg"),
        "words.jpg": b"this is not a picture",
        "words.xml": form("words.jpg"),
        "broken.jpg": other,
        "broken.xml": b"<DataForm><Version>V01.20",
        "doctype.jpg": third,
        "doctype.xml": b'<!DOCTYPE x [<!ENTITY a "b">]>' + form("doctype.jpg"),
        "absent.xml": form("absent.jpg"),
    }
    small.deliver_together(delivered, "form")
    small.wait_for(lambda: len(set_aside(small)) + len(assessed(small)) == 5, daemon)
    assert sorted(body.reason.code for body in set_aside(small)) in (
        ["unreadable-scan", "unsupported-format"],
        ["unreadable-scan", "unreadable-scan"],
    )
    looked_for = ("sidecar-unreadable", "view-missing")
    named = sorted(obstacle.code for body in assessed(small) for obstacle in body.obstacles if obstacle.code in looked_for)
    assert named == ["sidecar-unreadable", "sidecar-unreadable", "view-missing"]
    assert {body.conclusion for body in assessed(small)} == {"unassessable"}
    for name, content in delivered.items():
        assert content == (small.site.watched("form") / name).read_bytes()
    small.deliver("good.png", small.scan(1))
    small.wait_for(lambda: len(assessed(small)) == 4, daemon)
