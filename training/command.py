"""The command line of the detector's and the contents network's training: train on pools, then evaluate what came of it."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from training.loop import CHECKPOINT, IMAGES_HELP, Recipe, write_json

Network = TypeVar("Network")
METRICS = "metrics.json"


@dataclass(frozen=True, slots=True)
class Trainer(Generic[Network]):
    """A network that can be trained.

    ``about``: its module's text. ``images``: presentations where none are named; ``batch``, ``rate``: see ``Recipe``. ``fit``: takes pools,
    folder, recipe, and the checkpoint whose weights are begun with.
    """

    about: str
    images: int
    batch: int
    rate: float
    fit: Callable[[Sequence[Path], Path, Recipe, Path | None], None]
    load: Callable[[Path], Network]
    evaluate: Callable[[Network, Path], dict[str, float]]


def run(trainer: Trainer[Network], arguments: Sequence[str] | None = None) -> None:
    """Train, then evaluate; ``arguments``: those of the process where none are given."""
    args = _parser(trainer).parse_args(arguments)
    if not args.resume:
        for name in (CHECKPOINT, METRICS):
            (args.out / name).unlink(missing_ok=True)
    trainer.fit(args.pool, args.out, Recipe(args.images, trainer.batch, args.rate, args.seed), args.start)
    metrics = trainer.evaluate(trainer.load(args.out / CHECKPOINT), args.check)
    write_json(args.out / METRICS, metrics)
    print(metrics)


def _parser(trainer: Trainer[Network]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=trainer.about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=trainer.images, help=IMAGES_HELP)
    parser.add_argument("--pool", type=Path, required=True, nargs="+", metavar="DIR", help="one pool or several, made by training.data")
    parser.add_argument("--start", type=Path, metavar="FILE", help="checkpoint whose weights are begun with (default: none, from nothing)")
    parser.add_argument("--rate", type=float, default=trainer.rate, help="peak step size (default: %(default)s)")
    parser.add_argument("--check", type=Path, required=True, metavar="DIR", help="pool to measure on in the end; nothing is learnt from it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=f"{CHECKPOINT} (kept every minute) and {METRICS} go there")
    parser.add_argument("--seed", type=int, default=1, help="of weights and order (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out; without it that one is deleted")
    return parser
