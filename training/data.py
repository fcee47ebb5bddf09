"""Pools: training data from the simulator, made once and kept on disk as plain arrays.

``python -m training.data KIND --count N --out DIR --seed S --workers W``. Kinds: ``tiles`` for the detector, also with threats composed at
random (``-varied``), of parcels with small threats only (``-small``), with organic packets and heavy metal that only two energies tell
apart (``-matter``), with what is held out of training, or from an unseen scanner; ``views`` for the contents network; ``containers``,
whole, for the container-level test.

A pool is there when ``targets.npy`` is; one that was interrupted is made anew. Beside it lies ``scenes.npy``: which rows are of one scene.
"""

import argparse
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

from edge_agent.sim.threat import TOLD_BY_MATTER, Shapes
from training.scans import CONTAINER, container
from training.tiles import MOST_BOXES, TILE_PX, Source, tiles_of
from training.views import STRIDE, VIEW_PX, views_of
from training.workers import each

_MOST_SCENES = 60_000
_SMALL, _SMALL_SHAPES = ("knife", "knife", "bottle", "handgun"), (Shapes.KNOWN, Shapes.VARIED)
"""What is found least well because it is small and only parcels hold it: known and composed shapes in turn, knives most of all."""

Row = tuple[NDArray[np.float16] | NDArray[np.uint16], NDArray[np.float32] | NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a pool holds. ``draw``: the rows of one random scene, given its number in the pool and its source of chance."""

    draw: Callable[[int, Generator], Iterator[Row]]
    image: tuple[tuple[int, ...], type]
    target: tuple[tuple[int, ...], type]


_TILE = (((2, TILE_PX, TILE_PX), np.float16), ((MOST_BOXES, 5), np.float32))
_VIEW = (((2, *VIEW_PX), np.float16), ((VIEW_PX[0] // STRIDE, VIEW_PX[1] // STRIDE), np.uint8))
KINDS: Mapping[str, Kind] = {
    "tiles": Kind(lambda _, rng: tiles_of(rng), *_TILE),
    "tiles-varied": Kind(lambda _, rng: tiles_of(rng, Source(shapes=Shapes.VARIED)), *_TILE),
    "tiles-small": Kind(lambda number, rng: tiles_of(rng, Source(_SMALL_SHAPES[number % 2], threats=_SMALL, parcels_only=True)), *_TILE),
    "tiles-matter": Kind(lambda _, rng: tiles_of(rng, Source(Shapes.ANY_FORM, threats=TOLD_BY_MATTER, both_energies=True)), *_TILE),
    "tiles-held-out": Kind(lambda _, rng: tiles_of(rng, Source(shapes=Shapes.HELD_OUT, held_out=True)), *_TILE),
    "tiles-reserved": Kind(lambda _, rng: tiles_of(rng, Source(shapes=Shapes.RESERVED)), *_TILE),
    "tiles-unseen": Kind(lambda _, rng: tiles_of(rng, Source(unseen=True)), *_TILE),
    "views": Kind(lambda _, rng: views_of(rng), *_VIEW),
    "containers": Kind(lambda number, rng: iter([container(number, rng)]), (CONTAINER, np.uint16), ((MOST_BOXES, 5), np.float32)),
}


def _scene_rows(order: tuple[str, int, SeedSequence]) -> list[Row]:
    name, number, seed = order
    return list(KINDS[name].draw(number, default_rng(seed)))


def rows_of(name: str, seed: int, count: int) -> Iterator[Row]:
    """Give the first rows of the pool of a kind and a seed, without a pool."""
    rows = (row for order in _orders(name, seed) for row in _scene_rows(order))
    return itertools.islice(rows, count)


def make_pool(kind: str, folder: Path, count: int, seed: int, workers: int) -> None:
    """Write ``images.npy`` (count, ...), float16 or as ``kind`` has it, ``targets.npy``, and ``scenes.npy`` (see ``open_scenes``).

    The same seed gives the same pool.

    Raises:
        SystemExit: the disk has not the room, or the scenes that a pool may draw do not give ``count`` images.
        BrokenProcessPool: a worker was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, targets = (
        _room(folder / name, (count, *shape), dtype)
        for name, (shape, dtype) in (("images.part", KINDS[kind].image), ("targets.part", KINDS[kind].target))
    )
    scenes = np.empty(count, dtype=np.int32)
    done = 0
    columns = (SpinnerColumn(), *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, refresh_per_second=1) as progress,
        contextlib.closing(each(_scene_rows, _orders(kind, seed), workers, 4)) as made,
    ):
        bar = progress.add_task(kind, total=count)
        for number, rows in enumerate(made):
            for image, target in rows[: count - done]:
                images[done], targets[done], scenes[done] = image, target, number
                done += 1
            progress.update(bar, completed=done)
            if done == count:
                break
    if done < count:
        for name in ("images.part", "targets.part"):
            (folder / name).unlink()
        raise SystemExit(f"{folder}: {_MOST_SCENES} scenes gave {done} of {count} images; make several pools with other seeds")
    images.flush()
    targets.flush()
    np.save(folder / "scenes.npy", scenes)
    (folder / "images.part").rename(folder / "images.npy")
    (folder / "targets.part").rename(folder / "targets.npy")


def _room(path: Path, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    """Give a mapped file with all its room on the disk: a map of a file with holes kills the process when the disk is full."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as problem:
        path.unlink()
        raise SystemExit(f"{path}: {problem.strerror}; {array.nbytes / 1e9:.2f} GB are needed") from problem
    return array


def _orders(kind: str, seed: int) -> Iterator[tuple[str, int, SeedSequence]]:
    """Give one scene after another, for as many as the pool may need: a cap, because the pool reads ahead."""
    for number, one in enumerate(SeedSequence(seed).spawn(_MOST_SCENES)):
        yield kind, number, one


def open_pool(folder: Path) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Map a pool's images into memory, read-only, and read its targets."""
    return np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "targets.npy")


def open_scenes(folder: Path) -> NDArray[np.int32]:
    """Read which scene of a pool each image is from, (count,), counted from 0: images of one scene are not independent.

    Raises:
        FileNotFoundError: the pool was made before this was kept; remove it, so that it is made anew.
    """
    scenes: NDArray[np.int32] = np.load(folder / "scenes.npy")
    return scenes


def pick(pools: Sequence[tuple[NDArray[np.float16], NDArray[np.float32]]], rows: NDArray[np.intp]) -> Row:
    """Give rows of several pools as if they lay one behind the other: images and targets, rows of one pool together."""
    starts = np.cumsum([0, *(len(targets) for _, targets in pools)])
    inside = [rows[(rows >= low) & (rows < high)] - low for low, high in itertools.pairwise(starts)]
    images = np.concatenate([pool[0][part] for pool, part in zip(pools, inside, strict=True)])
    return images, np.concatenate([pool[1][part] for pool, part in zip(pools, inside, strict=True)])


def twins(leads: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give the rows of a pool in pairs, (n // 2, 2): every one that leads with the next where that one does not, the others as they come.

    ``leads``: (n,), true for tiles with threats, whose twin is without, and for views without strange matter, whose twin is with it.
    """
    first = np.flatnonzero(leads[:-1] & ~leads[1:])
    alone = np.setdiff1d(np.arange(len(leads)), [first, first + 1])
    return np.concatenate([np.stack([first, first + 1], axis=1), alone[: len(alone) // 2 * 2].reshape(-1, 2)])


def shuffled(count: int, batch: int, rng: Generator) -> Iterator[NDArray[np.intp]]:
    """Give rows of a pool for ever, ``batch`` at a time, each once in a round but for the few that fill no batch.

    Rows 2k and 2k + 1 stay together: a scene with and without its threats is in one batch where ``twins`` laid them so.

    Raises:
        ValueError: no batch can be filled.
    """
    pairs = np.arange(count // 2 * 2).reshape(-1, 2)
    if not 0 < batch <= pairs.size:
        raise ValueError(f"a batch of {batch} out of {pairs.size} images in pairs")
    while True:
        order = rng.permutation(pairs).ravel()
        for start in range(0, order.size - batch + 1, batch):
            yield order[start : start + batch]


def chains(count: int, likes: Callable[[int], NDArray[np.intp]]) -> NDArray[np.intp]:
    """Give (count,) group numbers: rows that are alike are one group, and so are chains of them.

    ``likes``: the rows after a row that are like it. A number is that of a row of the group.
    """
    parent = np.arange(count)

    def root(row: int) -> int:
        while parent[row] != row:
            row = parent[row]
        return row

    for row in range(count):
        for other in likes(row):
            parent[root(int(other))] = root(row)
    return np.array([root(row) for row in range(count)], dtype=np.intp)


def main() -> None:
    """Make one pool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(KINDS), help="of pool")
    parser.add_argument("--count", type=int, required=True, help="images in the pool; a tile takes 0.26 MB, a view 0.17, a container 2.8")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="images.npy, scenes.npy and targets.npy go there")
    parser.add_argument("--seed", type=int, required=True, help="the same seed gives the same pool")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw (default: %(default)s)")
    args = parser.parse_args()
    make_pool(args.kind, args.out, args.count, args.seed, args.workers)


if __name__ == "__main__":
    main()
