"""Activation is all or nothing: proven before it counts, whole after any death, one command to undo."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.errors import BundleCorrupt, BundleIncompatible, BundleRejected, BundleUnsigned, NothingToRollBack, SelfTestFailed
from edge_agent.inference.bundle import SIGNATURE, find_bundles
from edge_agent.inference.store import Admission, BundleStore
from edge_agent.testing.bundles import TEST_TRUST, write_card, write_detection_bundle

ADMISSION = Admission(TEST_TRUST)


def works(root: Path) -> None:
    """Prove nothing but that every bundle verifies where it was copied to."""
    for folder in find_bundles(root):
        ADMISSION.load(folder)


def fails(root: Path) -> None:
    raise SelfTestFailed(f"{len(find_bundles(root))} bundles do not work")


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    write_detection_bundle(tmp_path / "installed")
    return BundleStore(tmp_path / "bundles", tmp_path / "installed")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return write_detection_bundle(tmp_path / "incoming", version="2.0.0")


def refs(root: Path | None) -> list[str]:
    return [] if root is None else [ADMISSION.load(folder).ref for folder in find_bundles(root)]


def sets(store: BundleStore) -> list[str]:
    return sorted(path.name for path in (store.root / "sets").iterdir())


def test_the_installed_bundles_run_until_something_was_activated(store: BundleStore) -> None:
    assert refs(store.active()) == ["bright/1.0.0"]
    assert (store.previous(), store.shadow()) == (None, None)
    assert not store.root.exists(), "reading changes nothing"


def test_an_activated_bundle_takes_the_place_of_the_one_with_its_name(store: BundleStore, newer: Path) -> None:
    assert store.activate(newer, ADMISSION, works)
    assert (refs(store.active()), refs(store.previous())) == (["bright/2.0.0"], ["bright/1.0.0"])


def test_a_bundle_of_another_name_stands_beside_unless_told_whose_place_it_takes(store: BundleStore, tmp_path: Path) -> None:
    other = write_detection_bundle(tmp_path / "incoming", name="other")
    store.activate(other, ADMISSION, works)
    assert refs(store.active()) == ["bright/1.0.0", "other/1.0.0"]
    store.rollback(works)
    store.activate(other, ADMISSION, works, instead_of="bright")
    assert refs(store.active()) == ["other/1.0.0"]


def test_a_name_that_no_active_bundle_has_is_refused(store: BundleStore, newer: Path) -> None:
    with pytest.raises(BundleRejected, match="no active bundle is called brighter"):
        store.activate(newer, ADMISSION, works, instead_of="brighter")


def test_activating_what_is_in_force_changes_nothing(store: BundleStore, newer: Path) -> None:
    store.activate(newer, ADMISSION, works)
    assert not store.activate(newer, ADMISSION, fails)
    assert refs(store.previous()) == ["bright/1.0.0"]


def test_a_bundle_in_force_still_takes_the_place_that_it_is_told_to_take(store: BundleStore, tmp_path: Path) -> None:
    other = write_detection_bundle(tmp_path / "incoming", name="other")
    store.activate(other, ADMISSION, works)
    assert store.activate(other, ADMISSION, works, instead_of="bright")
    assert refs(store.active()) == ["other/1.0.0"]
    assert not store.activate(other, ADMISSION, fails, instead_of="other")


def damage(root: Path, name: str) -> None:
    (model,) = root.glob(f"{name}/*/model.onnx")
    model.write_bytes(b"damaged")


@pytest.mark.parametrize("version", ["2.0.0", "3.0.0"])
def test_a_damaged_bundle_gives_way_to_a_sound_one_of_its_name(store: BundleStore, newer: Path, tmp_path: Path, version: str) -> None:
    store.activate(newer, ADMISSION, works)
    damage(store.active(), "bright")
    sound = write_detection_bundle(tmp_path / "sound", version=version)
    assert store.activate(sound, ADMISSION, works)
    assert refs(store.active()) == [f"bright/{version}"]


def test_where_another_bundle_is_damaged_those_of_the_fall_back_stand_beside(store: BundleStore, newer: Path, tmp_path: Path) -> None:
    write_detection_bundle(tmp_path / "installed", name="other")
    store.activate(newer, ADMISSION, works)
    store.activate(write_detection_bundle(tmp_path / "incoming", name="other", version="2.0.0"), ADMISSION, works)
    damage(store.active(), "other")
    assert store.activate(write_detection_bundle(tmp_path / "incoming", version="3.0.0"), ADMISSION, works)
    assert refs(store.active()) == ["bright/3.0.0", "other/1.0.0"]


def test_where_the_active_set_is_gone_those_of_the_fall_back_stand_beside(store: BundleStore, newer: Path, tmp_path: Path) -> None:
    write_detection_bundle(tmp_path / "installed", name="other")
    store.activate(newer, ADMISSION, works)
    shutil.rmtree(store.active())
    assert store.activate(write_detection_bundle(tmp_path / "incoming", version="3.0.0"), ADMISSION, works)
    assert refs(store.active()) == ["bright/3.0.0", "other/1.0.0"]


def test_what_a_start_proved_is_fallen_back_to_first_however_many_come_after(store: BundleStore, tmp_path: Path) -> None:
    folders = [write_detection_bundle(tmp_path / "incoming", version=f"{number}.0.0") for number in (2, 3, 4, 5)]
    store.activate(folders[0], ADMISSION, works)
    store.note_proven(store.active())
    for folder in folders[1:]:
        store.activate(folder, ADMISSION, works)
    assert [refs(root) for root in store.fallbacks()] == [["bright/2.0.0"], ["bright/4.0.0"], ["bright/1.0.0"]]
    assert refs(store.proven()) == ["bright/2.0.0"]
    store.note_proven(store.active())
    store.rollback(works)
    assert refs(store.active()) == ["bright/4.0.0"]
    assert [refs(root) for root in store.fallbacks()] == [["bright/5.0.0"], ["bright/1.0.0"]]


def test_installed_bundles_that_a_start_proved_are_fallen_back_to_before_others(store: BundleStore, newer: Path, tmp_path: Path) -> None:
    store.root.mkdir()
    store.note_proven(store.active())
    assert store.fallbacks() == []
    store.activate(newer, ADMISSION, works)
    store.activate(write_detection_bundle(tmp_path / "incoming", version="3.0.0"), ADMISSION, works)
    assert [refs(root) for root in store.fallbacks()] == [["bright/1.0.0"], ["bright/2.0.0"]]


def test_where_the_state_cannot_be_read_what_was_proven_may_still_run(store: BundleStore, newer: Path) -> None:
    store.activate(newer, ADMISSION, works)
    store.note_proven(store.active())
    store.set_shadow(newer, ADMISSION, works)
    (store.root / "state.json").write_text("{")
    assert [refs(root) for root in store.fallbacks()] == [["bright/2.0.0"], ["bright/1.0.0"]]
    assert store.shadow() is None


def test_a_file_that_the_disk_does_not_give_back_is_a_bundle_that_cannot_run(newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.name == "model.onnx":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(BundleCorrupt, match=r"model\.onnx cannot be read: Input/output error"):
        ADMISSION.load(newer)


def test_what_fails_its_golden_cases_never_counts_and_leaves_nothing(store: BundleStore, newer: Path) -> None:
    with pytest.raises(SelfTestFailed):
        store.activate(newer, ADMISSION, fails)
    assert refs(store.active()) == ["bright/1.0.0"]
    store.set_shadow(newer, ADMISSION, works)
    assert len(sets(store)) == 1, "the next change clears what a failed one left"


def test_what_nobody_vouches_for_is_refused_before_anything_is_copied(store: BundleStore, newer: Path) -> None:
    (newer / SIGNATURE).unlink()
    with pytest.raises(BundleUnsigned):
        store.activate(newer, ADMISSION, works)
    assert not store.root.exists()


def test_rolling_back_twice_undoes_the_first(store: BundleStore, newer: Path) -> None:
    store.activate(newer, ADMISSION, works)
    store.rollback(works)
    assert (refs(store.active()), refs(store.previous())) == (["bright/1.0.0"], ["bright/2.0.0"])
    store.rollback(works)
    assert (refs(store.active()), refs(store.previous())) == (["bright/2.0.0"], ["bright/1.0.0"])


def test_there_is_nothing_to_roll_back_to_at_first(store: BundleStore) -> None:
    with pytest.raises(NothingToRollBack):
        store.rollback(works)


def test_a_rollback_to_what_no_longer_works_is_refused(store: BundleStore, newer: Path) -> None:
    store.activate(newer, ADMISSION, works)
    with pytest.raises(SelfTestFailed):
        store.rollback(fails)
    assert refs(store.active()) == ["bright/2.0.0"]


def test_only_sets_that_may_run_again_are_kept(store: BundleStore, tmp_path: Path) -> None:
    for version in ("2.0.0", "3.0.0", "4.0.0"):
        store.activate(write_detection_bundle(tmp_path / "incoming", version=version), ADMISSION, works)
    assert len(sets(store)) == 2
    assert (refs(store.active()), refs(store.previous())) == (["bright/4.0.0"], ["bright/3.0.0"])


def test_a_shadow_comes_and_goes_without_touching_what_is_in_force(store: BundleStore, newer: Path) -> None:
    store.set_shadow(newer, ADMISSION, works)
    assert (refs(store.active()), refs(store.shadow()), store.previous()) == (["bright/1.0.0"], ["bright/2.0.0"], None)
    assert store.end_shadow()
    assert not store.end_shadow()
    assert (store.shadow(), sets(store)) == (None, [])


def test_the_source_may_go_after_activation(store: BundleStore, newer: Path) -> None:
    store.activate(newer, ADMISSION, works)
    (newer / "model.onnx").unlink()
    assert refs(store.active()) == ["bright/2.0.0"]


def test_a_state_that_cannot_be_read_is_named(store: BundleStore, newer: Path) -> None:
    store.activate(newer, ADMISSION, works)
    (store.root / "state.json").write_text("{")
    with pytest.raises(BundleCorrupt, match=r"state\.json"):
        store.active()


def test_a_name_that_cannot_name_a_folder_is_refused(store: BundleStore, tmp_path: Path) -> None:
    away = write_detection_bundle(tmp_path / "incoming", version="2.0.0")
    write_card(away, {"name": "../../away", "research_only": "false"})
    with pytest.raises(BundleIncompatible, match="name folders"):
        store.activate(away, ADMISSION, works)
    assert not (tmp_path / "away").exists()


STEPS = ("mkdir", "rename", "fsync", "rmdir", "unlink")


def dying_at(step: int, act: Callable[[], object]) -> bool:
    """Do ``act`` in a process that dies, without a word, at its ``step``-th change of the disk; tell whether it came to that."""
    child = os.fork()
    if child == 0:
        left = step

        def deadly(real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **options: object) -> object:
                nonlocal left
                left -= 1
                if left == 0:
                    os._exit(9)
                return real(*args, **options)

            return call

        for name in STEPS:
            setattr(os, name, deadly(getattr(os, name)))
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_death_at_any_step_leaves_the_bundles_of_before_or_of_after(store: BundleStore, newer: Path, tmp_path: Path) -> None:
    store.activate(newer, ADMISSION, works)
    third = write_detection_bundle(tmp_path / "incoming", version="3.0.0")
    before, after = ("bright/2.0.0", "bright/1.0.0"), ("bright/3.0.0", "bright/2.0.0")
    seen, step = set(), 1
    while dying_at(step, lambda: store.activate(third, ADMISSION, works)):
        now = (refs(store.active())[0], refs(store.previous())[0])
        assert now in (before, after), f"step {step}"
        seen.add(now)
        if now == after:
            store.rollback(works)
            before = ("bright/2.0.0", "bright/3.0.0")
        step += 1
    assert step > 15, "the disk was changed in many steps"
    assert {("bright/2.0.0", "bright/1.0.0"), after} <= seen
    assert refs(store.active()) == ["bright/3.0.0"], "a repeated activation ends well whatever lay around"
    assert len(sets(store)) <= 2
