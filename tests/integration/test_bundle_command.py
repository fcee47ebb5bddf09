"""``edge-agent bundle``: what it says, what it changes, and what it refuses with which exit code."""

import json
from pathlib import Path

import pytest

from benchmarks.small_site import SmallSite
from edge_agent.agent.config import load_config
from edge_agent.cli.main import main
from edge_agent.inference.bundle import SIGNATURE
from edge_agent.testing.bundles import TEST_KEY, write_card, write_detection_bundle


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "site")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return write_detection_bundle(tmp_path / "incoming", version="2.0.0")


def on_site(small: SmallSite, *arguments: str) -> int:
    return main(["bundle", *arguments, "--config", str(small.site.agent_toml)])


def listed(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    assert on_site(small, "list", "--json") == 0
    return {row["where"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_list_says_what_is_in_force_before_and_in_shadow(
    small: SmallSite, newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {row["bundle"] for row in listed(small, capsys).values()} == {"bright/1.0.0"}
    assert on_site(small, "activate", str(newer)) == 0
    assert on_site(small, "activate", str(write_detection_bundle(tmp_path / "more", version="3.0.0")), "--shadow") == 0
    rows = listed(small, capsys)
    assert {where: row["bundle"] for where, row in rows.items()} == {
        "active": "bright/2.0.0",
        "previous": "bright/1.0.0",
        "shadow": "bright/3.0.0",
    }
    assert (rows["active"]["state"], rows["shadow"]["state"]) == ("simulated", "shadow")
    assert rows["active"]["fingerprint"] == TEST_KEY.public.fingerprint
    assert on_site(small, "rollback", "--shadow") == 0
    assert "shadow" not in listed(small, capsys)


def test_a_list_names_what_the_last_start_proved_where_it_is_neither_active_nor_of_before(
    small: SmallSite, newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_site(small, "activate", str(newer))
    store = load_config(small.site.agent_toml).store
    store.note_proven(store.active())
    assert "proven" not in listed(small, capsys)
    for version in ("3.0.0", "4.0.0"):
        on_site(small, "activate", str(write_detection_bundle(tmp_path / "more", version=version)))
    assert listed(small, capsys)["proven"]["bundle"] == "bright/2.0.0"


def test_activation_says_that_it_counts_after_a_restart(small: SmallSite, newer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_site(small, "activate", str(newer)) == 0
    shown = capsys.readouterr().out
    assert "activated: bright/2.0.0" in shown
    assert "restart" in shown
    assert on_site(small, "activate", str(newer)) == 0
    assert "nothing was changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / SIGNATURE).unlink(), "bundle-unsigned"),
        (lambda folder: (folder / "labels.txt").write_text("dark\n"), "bundle-corrupt"),
        (lambda folder: (folder / "card.toml").unlink(), "bundle-corrupt"),
    ],
)
def test_what_cannot_be_believed_is_refused_and_changes_nothing(
    small: SmallSite, newer: Path, capsys: pytest.CaptureFixture[str], spoil, code: str
) -> None:
    spoil(newer)
    assert on_site(small, "activate", str(newer)) == 78
    shown = capsys.readouterr().err
    assert code in shown
    assert "what to do" in shown
    assert listed(small, capsys)["active"]["bundle"] == "bright/1.0.0"


def test_a_golden_case_that_does_not_come_out_keeps_a_bundle_out(small: SmallSite, newer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (newer / "golden/one.expected.json").write_text('{"detections": []}')
    write_card(newer, {"name": "bright", "research_only": "false", "version": "2.0.0"})
    assert on_site(small, "activate", str(newer)) == 78
    assert "self-test-failed" in capsys.readouterr().err
    assert listed(small, capsys)["active"]["bundle"] == "bright/1.0.0"


def test_nothing_to_roll_back_is_said(small: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_site(small, "rollback") == 78
    assert "nothing-to-roll-back" in capsys.readouterr().err


def test_verify_believes_the_keys_it_is_told(newer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "verify", str(newer)]) == 78
    assert "bundle-untrusted" in capsys.readouterr().err
    assert main(["bundle", "verify", str(newer), "--trust", TEST_KEY.public.text, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["bundle"], row["signed_by"], row["problem"]) == ("bright/2.0.0", "test", "")


def test_a_key_of_ones_own_signs_and_is_believed_where_it_is_trusted(
    small: SmallSite, newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bundle", "new-key", "hq", "--dir", str(tmp_path / "keys"), "--json"]) == 0
    key = json.loads(capsys.readouterr().out)
    assert main(["bundle", "sign", str(newer), "--key", str(tmp_path / "keys/hq.sign_secret")]) == 0
    assert on_site(small, "activate", str(newer)) == 78
    text = small.site.agent_toml.read_text()
    small.site.agent_toml.write_text(text.replace("trusted = [", f'trusted = ["{key["public"]}", '))
    assert on_site(small, "activate", str(newer)) == 0
    assert listed(small, capsys)["active"]["signed_by"] == "hq"


def test_a_trust_that_is_no_key_is_refused(newer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "verify", str(newer), "--trust", "ed25519:short"]) == 78
    assert "44 characters of base64" in capsys.readouterr().err


def test_a_damaged_bundle_is_listed_with_its_code(small: SmallSite, newer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on_site(small, "activate", str(newer))
    next((small.site.state_dir / "bundles/sets").rglob("model.onnx")).write_bytes(b"damaged")
    assert listed(small, capsys)["active"]["problem"] == "bundle-corrupt"
    assert on_site(small, "list") == 0
    assert "bundle-corrupt" in capsys.readouterr().out
