"""Trainings and pools that are cut short, fed nonsense, or given a folder of something else."""

import errno
import json
import os
import subprocess
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")

from training import command, data, export, loop, make_models, research, testsets, weight, workers  # noqa: E402

RECIPE = loop.Recipe(80, 8, 0.1, seed=1, decay=0.9)


def train(folder: Path, width: int = 1, factor: float = 3.0, recipe: loop.Recipe = RECIPE) -> None:
    torch.manual_seed(1)
    network = torch.nn.Linear(width, 1)

    def loss(rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        x = torch.from_numpy(rng.normal(0, 1, (len(rows), width)).astype(np.float32))
        return ((network(x) - factor * x[:, :1]).float() ** 2).mean()

    loop.train(network, loss, 64, recipe, folder)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_named_and_kept(tmp_path: Path, share: float) -> None:
    train(tmp_path)
    path = tmp_path / loop.CHECKPOINT
    part = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(part)
    with pytest.raises(SystemExit, match=r"checkpoint\.pt is not a whole checkpoint"):
        train(tmp_path)
    assert path.read_bytes() == part


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(SystemExit, match="of this network"):
        train(tmp_path, width=2)


def test_a_training_that_runs_away_stops_and_leaves_the_checkpoint_of_before(tmp_path: Path) -> None:
    train(tmp_path)
    before = (tmp_path / loop.CHECKPOINT).read_bytes()
    with pytest.raises(RuntimeError, match="non-finite"):
        train(tmp_path, factor=float("nan"), recipe=loop.Recipe(160, 8, 0.1, seed=1))
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == before


def refuse(*_: int) -> None:
    """What a full disk says."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_checkpoint_that_the_disk_does_not_take_leaves_the_one_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path)
    before = (tmp_path / loop.CHECKPOINT).read_bytes()

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        train(tmp_path, recipe=loop.Recipe(160, 8, 0.1, seed=1))
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [loop.CHECKPOINT]


def test_lines_of_two_trainings_in_one_log_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "contents", recipe=loop.Recipe(4000, 8, 0.1, seed=1))
    assert "contents: step 500 mean loss" in capsys.readouterr().out


def test_a_work_folder_serves_one_order(tmp_path: Path) -> None:
    loop.begun(tmp_path / "work", {"images": (1, 2)})
    loop.begun(tmp_path / "work", {"images": (1, 2)})
    with pytest.raises(SystemExit, match="begun for another order"):
        loop.begun(tmp_path / "work", {"images": (1, 3)})


def test_bundles_are_not_made_of_what_was_drawn_in_another_amount(tmp_path: Path) -> None:
    work = tmp_path / "work"
    loop.begun(work, {"amounts": {"tiles": 48}})
    with pytest.raises(SystemExit, match="begun for another order"):
        make_models.make(work, tmp_path / "root", tmp_path / "results", 0.001)
    assert [path.name for path in work.iterdir()] == [loop.ORDER]


def steps(monkeypatch: pytest.MonkeyPatch, failing: str = "") -> list[str]:
    """Let ``make`` run no step but note each in the list that is given; ``failing``: one that ends with an error."""
    noted: list[str] = []

    def run(module: str, *_: object) -> None:
        if module == failing:
            raise subprocess.CalledProcessError(1, module)
        noted.append(module)

    monkeypatch.setattr(make_models, "_run", run)
    monkeypatch.setattr(make_models, "pools", lambda *_: noted.append("pools"))
    monkeypatch.setattr(make_models, "finish", lambda *_: noted.append("finish"))
    return noted


def test_the_scale_learns_after_the_contents_network_and_nothing_is_exported_before_all_have_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = steps(monkeypatch)
    make_models.make(tmp_path / "work", tmp_path / "root", tmp_path / "results", 0.001)
    assert sorted(noted) == ["contents", "detector", "finish", "pools", "weight"]
    assert (noted[0], noted[-1]) == ("pools", "finish")
    assert noted.index("contents") < noted.index("weight")


@pytest.mark.parametrize("failing", ["detector", "contents", "weight"])
def test_a_training_that_fails_leaves_the_bundles_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    noted = steps(monkeypatch, failing)
    with pytest.raises(subprocess.CalledProcessError):
        make_models.make(tmp_path / "work", tmp_path / "root", tmp_path / "results", 0.001)
    assert "finish" not in noted


def test_bundles_that_are_not_measured_leave_those_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "root" / "detector" / "0.1.0" / "card.toml"
    shipped.parent.mkdir(parents=True)
    shipped.touch()
    measured = {"detector": lambda *_: {}, "contents": lambda *_: pytest.fail("cut short")}
    monkeypatch.setattr(make_models, "SETTINGS", measured)
    with pytest.raises(pytest.fail.Exception, match="cut short"):
        make_models.finish(tmp_path / "work", tmp_path / "root", tmp_path / "results", make_models.Amounts())
    assert shipped.exists()


def trainer(seen: list[Path]) -> command.Trainer[float]:
    def fit(pools: object, out: Path, recipe: loop.Recipe, start: Path | None) -> None:
        seen.append(out / loop.CHECKPOINT)
        assert not seen[0].exists() or seen[0].read_text() == "half"
        seen[0].write_text("whole")

    return command.Trainer(
        "Trains nothing.", 100, 16, 0.1, fit, lambda path: float(path.stat().st_size), lambda size, check: {"size": size}
    )


@pytest.mark.parametrize("options", [[], ["--resume"]])
def test_a_training_deletes_nothing_but_its_own_files(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "letters").write_text("mine")
    (tmp_path / loop.CHECKPOINT).write_text("half")
    seen: list[Path] = []
    command.run(trainer(seen), ["--pool", "a", "b", "--check", "c", "--out", str(tmp_path), *options])
    assert (tmp_path / "letters").read_text() == "mine"
    assert json.loads((tmp_path / command.METRICS).read_text()) == {"size": 5.0}


def test_rows_that_were_not_written_whole_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            weight.kept(tmp_path / "rows.npy", lambda: np.ones((2, 3)))
    assert weight.kept(tmp_path / "rows.npy", lambda: np.zeros((1, 2))).tolist() == [[0.0, 0.0]]
    assert weight.kept(tmp_path / "rows.npy", lambda: np.ones((2, 3))).tolist() == [[0.0, 0.0]]


def test_work_comes_in_the_order_in_which_it_was_given() -> None:
    assert list(workers.each(abs, range(-20, 0), 2, 3)) == list(range(20, 0, -1))


def test_a_worker_that_is_killed_ends_the_work_instead_of_holding_it_up() -> None:
    with pytest.raises(BrokenProcessPool):
        list(workers.each(os._exit, [9], 1, 1))


def test_a_pool_for_which_the_disk_has_no_room_is_refused_before_anything_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(SystemExit, match=r"No space left on device; 26\.21 GB are needed"):
        data.make_pool("tiles", tmp_path, 100_000, 1, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_pool_has_all_its_room_before_it_is_filled(tmp_path: Path) -> None:
    array = data._room(tmp_path / "images.part", (3, 1000), np.float16)
    about = (tmp_path / "images.part").stat()
    assert about.st_blocks * 512 >= about.st_size >= array.nbytes
    assert not array.any()


def test_an_interrupted_pool_is_made_anew_and_is_the_one_that_was_wanted(tmp_path: Path) -> None:
    (tmp_path / "images.part").write_bytes(b"half")
    (tmp_path / "images.npy").write_bytes(b"of a run that ended between the two names")
    data.make_pool("tiles-small", tmp_path, 5, 3, workers=1)
    images, targets = data.open_pool(tmp_path)
    wanted = list(data.rows_of("tiles-small", 3, 5))
    assert all(np.array_equal(image, row[0]) for image, row in zip(images, wanted, strict=True))
    assert all(np.array_equal(target, row[1]) for target, row in zip(targets, wanted, strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.npy", "scenes.npy", "targets.npy"]


def test_a_pool_that_is_not_the_frozen_set_is_not_measured_on(tmp_path: Path) -> None:
    one = testsets.named("s0")
    rows = list(data.rows_of(one.kind, one.seed, testsets.PART))
    np.save(tmp_path / "images.npy", np.stack([image for image, _ in rows]))
    np.save(tmp_path / "targets.npy", np.stack([target for _, target in rows]))
    testsets.check(one, tmp_path)
    with pytest.raises(SystemExit, match="is not the frozen set s1"):
        testsets.check(testsets.named("s1"), tmp_path)


def test_settings_that_are_not_there_are_not_taken_for_provisional_ones(tmp_path: Path) -> None:
    assert export.read_settings(None) == {}
    with pytest.raises(FileNotFoundError):
        export.read_settings(tmp_path / "detectr.json")


def test_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    about = {"images": [{"id": 1, "file_name": "7.jpg"}], "annotations": [], "categories": [{"id": 1, "name": "knife"}]}
    (tmp_path / "annotations_coco.json").write_text(json.dumps(about))
    with pytest.raises(SystemExit, match=r"7\.jpg: no picture"):
        research.read(tmp_path)
