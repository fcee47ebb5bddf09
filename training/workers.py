"""Work on every core: one thing after another out of worker processes, with the progress shown."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Order = TypeVar("Order")
Result = TypeVar("Result")


def each(work: Callable[[Order], Result], orders: Iterable[Order], workers: int, together: int) -> Iterator[Result]:
    """Give what ``work`` makes of each order, in their order; ``together``: orders that a worker takes at a time.

    All orders are taken up at once and results are made ahead of the caller; who closes the generator early has the rest called off.

    Raises:
        BrokenProcessPool: a worker was killed, as it is when memory runs out. (``multiprocessing.Pool`` would wait for ever.)
    """
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(work, orders, chunksize=together)
    finally:
        pool.shutdown(cancel_futures=True)
