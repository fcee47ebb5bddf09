"""Commissioning from a journal, and certificates on disk: only what people found clean counts, and no altered certificate does."""

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.small_site import SmallSite
from edge_agent.agent.certificate import Certificate, Circumstances, find_commissioning, write_certificate
from edge_agent.agent.commission import CleanScans, Site, Terms, certify, of_journal, silenced
from edge_agent.agent.models_in_force import bundles_fact
from edge_agent.agent.weighing import Weighing
from edge_agent.analysis.policy import parse_policy
from edge_agent.cli.commission import _name_silenced
from edge_agent.cli.commission_plot import check_drawable
from edge_agent.cli.main import main
from edge_agent.domain.assessment import BundleState, BundleUse, FactKind
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.ids import FactId, ScanId
from edge_agent.errors import CommissionRefused, ConfigInvalid
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Entry
from edge_agent.signing.detached import Trust
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import DIGEST, NOON, SCANNER, SITE, a_scan_id, a_verdict, an_assessment, assessment_body
from edge_agent.wire.findings import DetectionPart
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AuditBody, CapturePart, ObstaclePart, decode, encode

POLICY = parse_policy((Path(__file__).parents[2] / "config/policy.example.toml").read_bytes())
USE = BundleUse("detector", "0.1.0", DIGEST, BundleState.SIMULATED)
CARGO = SubjectKind.CARGO
KEY = SigningKey.new("hq")


def site() -> Site:
    return Site(SITE, CARGO, POLICY, [USE], {"handgun": 0.5})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())
    yield opened
    opened.close()


def judged(ledger: Ledger, name: str, score: float, **changes: object) -> ScanId:
    scan = a_scan_id(name)
    body = assessment_body(scan)
    found = [DetectionPart(id=1, label="handgun", score=score, box=(0, 0, 9, 9), view="top", bundle="detector/0.1.0")]
    body = body.model_copy(
        update={"findings": found, "provenance": body.provenance.model_copy(update={"policy_digest": POLICY.digest}), **changes}
    )
    ledger.append(Entry(FactId(body.fact_id), scan, FactKind.ASSESSMENT, topic(SITE, SCANNER, "assessment"), encode(body)))
    return scan


def collected(tmp_path: Path, show_at: float = 0.3) -> CleanScans:
    reader = LedgerReader.open(tmp_path / "ledger.db")
    try:
        return of_journal(reader, site(), {"handgun": show_at})
    finally:
        reader.close()


def test_scans_count_when_people_found_them_clean_and_not_by_the_machines_word(ledger: Ledger, tmp_path: Path) -> None:
    cleared, suspected, unseen = (judged(ledger, name, score) for name, score in (("a", 0.4), ("b", 0.9), ("c", 0.2)))
    ledger.append(a_verdict(cleared, conclusion="not-suspicious"))
    ledger.append(a_verdict(suspected, conclusion="suspicious"))
    assert unseen != cleared
    clean = collected(tmp_path)
    assert (clean.scores, clean.skipped, clean.floors) == (({"handgun": 0.4},), 0, {"handgun": 0.3})


def test_scans_judged_under_other_circumstances_are_skipped(ledger: Ledger, tmp_path: Path) -> None:
    other = CapturePart(kind="tip", taken_at=NOON, as_written="", tz_assumed=True)
    blocked = [ObstaclePart(code="dark", blocking=True)]
    for name, changes in (("tip", {"capture": other}), ("parcel", {"subject": "parcel"}), ("blocked", {"obstacles": blocked})):
        ledger.append(a_verdict(judged(ledger, name, 0.4, **changes), conclusion="not-suspicious"))
    under_another_policy = an_assessment(a_scan_id("old"))
    ledger.append(under_another_policy)
    ledger.append(a_verdict(a_scan_id("old"), conclusion="not-suspicious"))
    clean = collected(tmp_path)
    assert (clean.scores, clean.skipped) == ((), 4)


def test_a_verdict_on_older_pixels_makes_no_scan_clean(ledger: Ledger, tmp_path: Path) -> None:
    scan = judged(ledger, "a", 0.4)
    ledger.append(a_verdict(scan, conclusion="not-suspicious"))
    ledger.append(an_assessment(scan, revision=2))
    assert collected(tmp_path).scores == ()


def certified(count: int = 200) -> CleanScans:
    names = tuple(f"scan-{number}" for number in range(count))
    return CleanScans(names, tuple({"handgun": number / count * 0.6} for number in range(count)), 3, {})


def made():
    return certify(site(), certified(), Terms(0.05, 90, "scans"), NOON)


def found(folder: Path, *, policy: str = POLICY.digest, trust: Trust = Trust.of([]), must_be_signed: bool = False):  # noqa: B008 - a value
    return find_commissioning(folder, Circumstances(SITE, {CARGO: [USE]}, policy, trust, must_be_signed))


def test_with_few_scans_a_certificate_names_the_labels_that_were_levelled_together() -> None:
    levels = {"handgun": 0.5, "rifle": 0.6, "heterogeneity": 0.7}
    two = Site(SITE, CARGO, POLICY, [USE], levels, (("handgun", "rifle"),))
    assert certify(two, certified(60), Terms(0.05, 90, "scans"), NOON).together == (("handgun", "rifle"),)
    assert certify(two, certified(79), Terms(0.05, 90, "scans"), NOON).together == ()


def test_a_certificate_says_what_was_measured() -> None:
    certificate = made()
    (check,) = certificate.checks
    assert check.threshold == certificate.thresholds["handgun"] == pytest.approx(0.6 * 191 / 200, abs=2e-3)
    assert certificate.whole_scan.alarms <= 9
    assert certificate.held_out is not None
    assert (certificate.skipped, (certificate.not_after - certificate.made_at).days) == (3, 90)


@pytest.mark.parametrize("name", ["levels.sketch", "levels", "nowhere/levels.png"])
def test_a_picture_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigInvalid, match="--plot "):
        check_drawable(tmp_path / name)


def test_no_picture_or_a_possible_one_is_no_problem(tmp_path: Path) -> None:
    check_drawable(None)
    check_drawable(tmp_path / "levels.PNG")
    assert [] == list(tmp_path.iterdir())


def test_scans_keep_their_names_beside_their_scores(ledger: Ledger, tmp_path: Path) -> None:
    cleared = judged(ledger, "a", 1.0)
    ledger.append(a_verdict(cleared, conclusion="not-suspicious"))
    assert collected(tmp_path).names == (cleared,)


def test_too_few_scans_make_no_certificate() -> None:
    with pytest.raises(CommissionRefused, match="39 certainly suffice"):
        certify(site(), certified(10), Terms(0.05, 90, "scans"), NOON)


def test_a_written_certificate_counts_where_it_was_made_for(tmp_path: Path) -> None:
    write_certificate(tmp_path, made(), None)
    assert found(tmp_path).certificates == (made(),)
    (problem,) = found(tmp_path, policy="0" * 64).problems
    assert (problem.code, problem.params) == ("certificate-mismatch", {"subject": "cargo"})
    assert found(tmp_path / "elsewhere").problems == ()


def test_a_signed_certificate_must_fit_and_be_trusted(tmp_path: Path) -> None:
    path = write_certificate(tmp_path, made(), KEY)
    trust = Trust.of([KEY.public])
    assert found(tmp_path, trust=trust).problems == ()
    assert [reason.code for reason in found(tmp_path).problems] == ["certificate-unusable"]
    path.write_bytes(path.read_bytes() + b" ")
    assert [reason.code for reason in found(tmp_path, trust=trust).problems] == ["certificate-unusable"]


def test_commissioning_again_without_a_key_takes_the_old_signature_away(tmp_path: Path) -> None:
    write_certificate(tmp_path, made(), KEY)
    write_certificate(tmp_path, made(), None)
    assert found(tmp_path).problems == ()


def test_a_deleted_signature_does_not_free_a_certificate_where_signatures_are_required(tmp_path: Path) -> None:
    path, trust = write_certificate(tmp_path, made(), KEY), Trust.of([KEY.public])
    assert found(tmp_path, trust=trust, must_be_signed=True).certificates == (made(),)
    path.with_suffix(".signature.json").unlink()
    assert found(tmp_path, trust=trust).certificates == (made(),)
    refused = found(tmp_path, trust=trust, must_be_signed=True)
    assert (refused.certificates, [reason.code for reason in refused.problems]) == ((), ["certificate-unusable"])


def test_a_folder_of_certificates_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_certificate(tmp_path, made(), None)

    def refusing(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    for name in ("stat", "open"):  # which is all that is ever asked of a file
        monkeypatch.setattr(Path, name, refusing)
    assert [reason.code for reason in found(tmp_path).problems] == ["certificate-unusable"]


def superseded(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "superseded").iterdir()}


def test_a_superseded_certificate_is_kept_with_its_signature_under_its_day_and_digest(tmp_path: Path) -> None:
    path = write_certificate(tmp_path, made(), KEY)
    os.utime(path, (NOON.timestamp(), NOON.timestamp()))
    first, signature = path.read_bytes(), path.with_suffix(".signature.json").read_bytes()
    later = made().model_copy(update={"skipped": 4})
    write_certificate(tmp_path, later, None)
    name = f"cargo-{NOON:%Y%m%d}-{hashlib.sha256(first).hexdigest()[:16]}"
    assert superseded(tmp_path) == {f"{name}.json": first, f"{name}.signature.json": signature}
    write_certificate(tmp_path, made(), None)
    write_certificate(tmp_path, later, None)
    assert {hashlib.sha256(content).hexdigest() for kept, content in superseded(tmp_path).items() if "signature" not in kept} == {
        made().digest,
        later.digest,
    }


def test_the_journal_names_a_certificate_by_the_digest_of_its_file(tmp_path: Path) -> None:
    path = write_certificate(tmp_path, made(), None)
    entry = bundles_fact(SITE, (USE,), found(tmp_path), Weighing(), ManualClock())
    body = decode(entry.body)
    assert isinstance(body, AuditBody)
    assert body.event.params == {"detector/0.1.0": DIGEST, "certificate-cargo": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_site_that_requires_signatures_refuses_to_make_a_certificate_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = SmallSite(tmp_path / "site")
    asked = ["commission", "--config", str(small.site.agent_toml), "--scanner", "s1", "--scans", str(tmp_path)]
    assert main(asked) == 1, "no scans"
    text = small.site.agent_toml.read_text()
    small.site.agent_toml.write_text(text.replace("[bundles]\n", "[bundles]\nrequire_signed_certificates = true\n"))
    assert main(asked) == 78
    assert "--key" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_a_damaged_certificate_is_named_and_does_not_count(tmp_path: Path, content: bytes) -> None:
    write_certificate(tmp_path, made(), None).write_bytes(content)
    assert [reason.code for reason in found(tmp_path).problems] == ["certificate-unusable"]


def test_a_check_whose_level_nothing_reaches_is_named_to_the_person_who_commissions(capsys: pytest.CaptureFixture[str]) -> None:
    named = _certified(0.5)
    _name_silenced(named, {"handgun": 0.51})
    assert capsys.readouterr().err == ""
    level = named.checks[0].threshold
    _name_silenced(named, {"handgun": level - 1e-6})
    said = capsys.readouterr().err
    assert said.startswith("handgun: more clean scans have its highest score than the budget allows")
    assert "this check will not alert" in said


@pytest.mark.parametrize(("sure", "can_alarm"), [(1, True), (6, False)])
def test_a_check_goes_on_alarming_at_its_highest_score_while_the_budget_allows_the_clean_scans_that_have_it(
    sure: int, can_alarm: bool
) -> None:
    scores = tuple({"handgun": 0.85404 if n < sure else n / 1000.0} for n in range(60))
    clean = CleanScans(tuple(f"scan {n}" for n in range(60)), scores, 0, {})
    named = certify(replace(site(), highest={"handgun": 0.85404}), clean, Terms(0.05, 30, "scans"), NOON)
    assert silenced(named, {"handgun": 0.85404}) == ([] if can_alarm else list(named.checks))
    assert named.whole_scan.alarms <= 2


def _certified(score: float) -> Certificate:
    clean = CleanScans(tuple(f"scan {n}" for n in range(60)), tuple({"handgun": score - n / 1000.0} for n in range(60)), 0, {})
    return certify(site(), clean, Terms(0.05, 30, "scans"), NOON)
