"""Whether a graph is what its card says, found out when it is loaded: by its inputs and outputs, and by one dry run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BundleIncompatible, InferenceFailed
from edge_agent.imaging.weighing import FEATURES
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.card import InputCard, MassInput
from edge_agent.inference.detection_heads import Readout, Shape, expected_shapes, read, tensors
from edge_agent.inference.feeds import Feeder
from edge_agent.inference.outputs import AnomalyMapOutput, ContentsOutput, DetrOutput, LocatedOutput, WeightOutput
from edge_agent.inference.session import Session, expect

DECLARED = "declared"
"""Input of a contents graph that takes the declared families, [N, K] of 0 and 1."""

QUANTILES = 3
"""Masses that a weight graph gives for a picture: 5 %, 50 % and 95 %."""

_LEAST_SIDE_PX = 64
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
    classes = len(bundle.card.labels.names)
    arrays = _dry_run(bundle, session, names, feeds)
    wrong = wrong_shape(output, classes, feeder, arrays)
    if wrong is not None:
        raise BundleIncompatible(f"{bundle.ref}: {wrong}")
    if not isinstance(output, AnomalyMapOutput):
        try:
            read(output, arrays, 0, Readout(feeder.grid, np.ones(classes, dtype=np.float32)))
        except InferenceFailed as problem:
            raise BundleIncompatible(f"{bundle.ref}: the graph failed in its dry run: {problem.detail}") from problem


def check_contents(bundle: Bundle, session: Session, taken: InputCard, output: ContentsOutput) -> None:
    """Compare a contents card with its graph, and look once at nothing.

    Raises:
        BundleIncompatible: saying what was expected and what was found. DeviceFailed: the accelerator failed.
    """
    families, background = len(bundle.card.labels.names), len(bundle.card.labels.background)
    names = (output.score, output.heatmap, output.product, output.goods_map)
    expect(bundle, session, inputs=(taken.tensor, DECLARED), outputs=names)
    height = -(-_LEAST_SIDE_PX // taken.multiple) * taken.multiple
    width = height + taken.multiple  # no square, so that rows and columns cannot be taken for each other
    rows, columns = (-(-side // output.stride) for side in (height, width))
    blank = np.zeros((1, len(taken.channels), height, width), dtype=np.float32)
    shapes = ((1,), (1, 1, rows, columns), (1, families), (1, families + background, rows, columns))
    feeds = {taken.tensor: blank, DECLARED: np.zeros((1, families), dtype=np.float32)}
    _check_exactly(bundle, dict(zip(names, shapes, strict=True)), _dry_run(bundle, session, names, feeds))


def check_weight(bundle: Bundle, session: Session, taken: MassInput, output: WeightOutput) -> None:
    """Compare a weight card with its graph, and weigh once with every feature at one.

    Raises:
        BundleIncompatible: saying what was expected and what was found. DeviceFailed: the accelerator failed.
    """
    expect(bundle, session, inputs=(taken.tensor, taken.coarse), outputs=(output.mass_kg,))
    wanted, found = (1, FEATURES), session.inputs[taken.tensor]
    if not _fits(found, wanted):
        raise BundleIncompatible(
            f"{bundle.ref}: input {taken.tensor}: this version feeds {_words(wanted)}, the graph takes {_words(found)}"
        )
    feeds = {taken.tensor: np.ones(wanted, dtype=np.float32), taken.coarse: np.ones((1, 1), dtype=np.float32)}
    _check_exactly(bundle, {output.mass_kg: (1, QUANTILES)}, _dry_run(bundle, session, (output.mass_kg,), feeds))


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


def wrong_shape(output: LocatedOutput | AnomalyMapOutput, classes: int, feeder: Feeder, arrays: Sequence[NDArray[Any]]) -> str | None:
    """Say what was expected and found where the outputs of a graph are not of the shapes that its head has; None if they are.

    ``arrays``: the tensors of :func:`tensors`. Asked at each call, for a graph may give other shapes for another picture.
    """
    names = tensors(output)
    expected = expected_shapes(output, classes, feeder.batch, feeder.grid)
    for name, array in zip(names, arrays, strict=True):
        if not any(_fits(shape, array.shape) for shape in expected[name]):
            wanted = " or ".join(_words(shape) for shape in expected[name])
            return f"output {name}: expected {wanted} (head {output.head}, {classes} labels), the graph gives {_words(array.shape)}"
    if len(names) > 1 and len({array.shape[1] for array in arrays}) > 1:
        found = ", ".join(f"{name} {_words(array.shape)}" for name, array in zip(names, arrays, strict=True))
        return f"outputs {', '.join(names)}: expected as many boxes in each (head {output.head}), the graph gives {found}"
    return None


def _dry_run(bundle: Bundle, session: Session, names: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    try:
        return session.run(names, feeds)
    except InferenceFailed as problem:
        fed = ", ".join(f"{name} {_words(array.shape)}" for name, array in feeds.items())
        raise BundleIncompatible(f"{bundle.ref}: the graph failed in its dry run, fed with {fed}: {problem.detail}") from problem


def _check_exactly(bundle: Bundle, shapes: Mapping[str, Shape], arrays: Sequence[NDArray[Any]]) -> None:
    for (name, shape), array in zip(shapes.items(), arrays, strict=True):
        if shape != array.shape:
            raise BundleIncompatible(
                f"{bundle.ref}: output {name}: expected {_words(shape)} (head {bundle.card.head}, {len(bundle.card.labels.names)} labels), "
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
