"""Whether a graph is what its card says, found out when it is loaded: by its inputs and outputs, and by one dry run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BundleIncompatible, InferenceFailed
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.detection_heads import Readout, Shape, expected_shapes, read, tensors
from edge_agent.inference.feeds import Feeder
from edge_agent.inference.outputs import AnomalyMapOutput, DetrOutput, LocatedOutput
from edge_agent.inference.session import Session, expect

_TYPES = {"float32": "tensor(float)", "float16": "tensor(float16)", "uint8": "tensor(uint8)"}


def check_detection(bundle: Bundle, session: Session, feeder: Feeder, output: LocatedOutput | AnomalyMapOutput) -> None:
    """Compare a detection card with its graph, and look once at nothing.

    Raises:
        BundleIncompatible: saying what was expected and what was found.
        DeviceFailed: the accelerator failed.
    """
    names = tensors(output)
    inputs = (bundle.card.input.tensor, *sizes_input(output))
    expect(bundle, session, inputs=inputs, outputs=names)
    more = sorted(set(session.inputs) - set(inputs))
    if more:
        raise BundleIncompatible(f"{bundle.ref}: the graph also wants {more}, which the card does not name")
    _check_input(bundle, session, feeder)
    feeds = {bundle.card.input.tensor: feeder.blank(), **sizes_feed(output, feeder)}
    try:
        arrays = session.run(names, feeds)
        _check_outputs(bundle, feeder, output, arrays)
        if not isinstance(output, AnomalyMapOutput):
            floors = np.ones(len(bundle.card.labels.names), dtype=np.float32)
            read(output, arrays, 0, Readout(feeder.grid, floors))
    except InferenceFailed as problem:
        raise BundleIncompatible(f"{bundle.ref}: the graph failed in its dry run: {problem.detail}") from problem


def sizes_input(output: LocatedOutput | AnomalyMapOutput) -> tuple[str, ...]:
    """Give the name of the graph's input for picture sizes, if it has one."""
    return (output.sizes,) if isinstance(output, DetrOutput) and output.sizes is not None else ()


def sizes_feed(output: LocatedOutput | AnomalyMapOutput, feeder: Feeder) -> dict[str, NDArray[Any]]:
    """Give the feed of that input: [N, 2] int64, width and height of the input."""
    size = np.array([[feeder.grid.width, feeder.grid.height]] * feeder.batch, dtype=np.int64)
    return dict.fromkeys(sizes_input(output), size)


def _check_input(bundle: Bundle, session: Session, feeder: Feeder) -> None:
    name = bundle.card.input.tensor
    found = session.inputs[name]
    if not _fits(found, feeder.shape):
        raise BundleIncompatible(f"{bundle.ref}: input {name}: the card feeds {_words(feeder.shape)}, the graph takes {_words(found)}")
    if session.input_types[name] != _TYPES[feeder.dtype]:
        raise BundleIncompatible(f"{bundle.ref}: input {name}: the card feeds {feeder.dtype}, the graph takes {session.input_types[name]}")


def _check_outputs(bundle: Bundle, feeder: Feeder, output: LocatedOutput | AnomalyMapOutput, arrays: Sequence[NDArray[Any]]) -> None:
    labels = len(bundle.card.labels.names)
    expected = expected_shapes(output, labels, feeder.batch, feeder.grid)
    for name, array in zip(tensors(output), arrays, strict=True):
        if not any(_fits(shape, array.shape) for shape in expected[name]):
            wanted = " or ".join(_words(shape) for shape in expected[name])
            raise BundleIncompatible(
                f"{bundle.ref}: output {name}: expected {wanted} (head {output.head}, {labels} labels), "
                f"the graph gives {_words(array.shape)}"
            )


def _fits(pattern: Sequence[object], shape: Sequence[int]) -> bool:
    """Tell whether a shape fits a pattern in which anything but a number stands for any extent; no pattern at all fits everything."""
    if not pattern:
        return True
    same = (not isinstance(wanted, int) or wanted == found for wanted, found in zip(pattern, shape, strict=False))
    return len(pattern) == len(shape) and all(same)


def _words(shape: Shape | Sequence[object]) -> str:
    return "[" + ", ".join(str(extent) if isinstance(extent, int) else "any" for extent in shape) + "]"
