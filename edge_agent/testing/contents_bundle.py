"""A contents bundle without training: every class of goods is a Gaussian over the densities of a neighbourhood at both energies.

The graph averages the picture over cells, holds each cell's two densities against every class's mean and covariance, and judges the
goods map by the formula of ``inference.heads.judge_goods``. It is good enough to tell goods of quite different density apart, and no more.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from edge_agent.analysis.ports import one_by_one
from edge_agent.inference.bundle import SIGNATURE, sign_bundle
from edge_agent.inference.heads import EMPTY
from edge_agent.inference.load import load_models
from edge_agent.inference.selftest import golden_cases, observe
from edge_agent.inference.session import DevicePolicy
from edge_agent.testing.bundles import TEST_KEY, TEST_TRUST

PITCH_MM = 20.0
CELL_PX, NEAR_PX = 4, 12
BACKGROUND = ("air", "structure")
TOP_SHARE, SLOPE, OFFSET, LOAD_AT = 0.1, 20.0, -15.0, 0.5
_NARROWEST = 1e-4

_GRAPH = f"""<ir_version: 10, opset_import: ["" : 18]>
gaussians (float[n, 2, h, w] image, float[n, k] declared)
    => (float[n] score, float[n, 1, r, c] heatmap, float[n, k] product, float[n, m, r, c] goods_map)
<float one = {{1.0}}, float half = {{0.5}}, float tiny = {{0.000001}}, float load_at = {{{LOAD_AT}}}, float top_share = {{{TOP_SHARE}}},
 float slope = {{{SLOPE}}}, float offset = {{{OFFSET}}}, int64[1] last = {{-1}}, int64[2] flat = {{0, -1}}, int64 zero = {{0}},
 int64[1] classes = {{1}}, int64[2] places = {{2, 3}}, int64[4] as_map = {{0, -1, 1, 1}}, int64[1] columns = {{1}}>
{{
    means = AveragePool <kernel_shape = [{NEAR_PX}, {NEAR_PX}], strides = [{CELL_PX}, {CELL_PX}], pads = [4, 4, 4, 4]> (image)
    squares = Mul (means, means)
    both = ReduceProd <keepdims = 1> (means, classes)
    terms = Concat <axis = 1> (means, squares, both)
    logits = Conv (terms, weights, biases)
    goods_map = Softmax <axis = 1> (logits)
    free = Conv (goods_map, is_free)
    load = Sub (one, free)
    is_load_bool = Greater (load, load_at)
    is_load = Cast <to = 1> (is_load_bool)
    families = Conv (goods_map, is_load_family)
    totals = ReduceSum <keepdims = 0> (families, places)
    allowed_by_place = Reshape (declared, as_map)
    allowed_goods = Mul (families, allowed_by_place)
    allowed = ReduceSum <keepdims = 1> (allowed_goods, classes)
    unexplained = Sub (load, allowed)
    positive = Relu (unexplained)
    heatmap = Mul (positive, is_load)
    empty = Conv (goods_map, is_empty)
    is_empty_bool = Greater (empty, half)
    is_inside_bool = Or (is_load_bool, is_empty_bool)
    is_inside = Cast <to = 1> (is_inside_bool)
    inside = ReduceSum <keepdims = 0> (is_inside, zero_to_three)
    wanted = Mul (inside, top_share)
    rounded = Round (wanted)
    at_least_one = Max (rounded, one)
    count = Cast <to = 7> (at_least_one)
    count_1 = Reshape (count, last)
    column = Reshape (heatmap, flat)
    best, where = TopK (column, count_1)
    mean = ReduceMean <keepdims = 0> (best, columns)
    scaled = Mul (mean, slope)
    shifted = Add (scaled, offset)
    score = Sigmoid (shifted)
    sum = ReduceSum <keepdims = 1> (totals, columns)
    safe = Max (sum, tiny)
    product = Div (totals, safe)
}}"""

_CARD = """format = "bundle/1"
name = "gaussians"
version = "1.0.0"
purpose = "contents"
head = "goods-map"
state = "simulated"
licence = "Apache-2.0"
research_only = false
subjects = ["cargo"]
limits = "made for tests"

[input]
tensor = "image"
channels = ["high", "low"]
scale = "density"
multiple = 8
tile_px = 0
overlap_px = 0
pitch_mm = {{ cargo = {pitch} }}

[output]
score = "score"
heatmap = "heatmap"
product = "product"
goods_map = "goods_map"
stride = {stride}

[contents]
top_share = {top_share}
a = {a}
b = {b}
load_threshold = {load_at}

[labels]
names = {names}
ids = {ids}
background = {background}

[thresholds]
heterogeneity = 0.5
empty = 0.9

[training]

[metrics]

[files]
{files}
"""


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """How cells of one class look: ``mean`` (2,) and ``covariance`` (2, 2) of their high and low density."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, cells: NDArray[np.float64]) -> "Gaussian":
        """Fit to (n, 2) cells."""
        return cls(cells.mean(axis=0), np.cov(cells.T) + np.eye(2) * _NARROWEST)


def write_contents_bundle(root: Path, looks: Mapping[str, Gaussian], headings: Mapping[str, Sequence[str]]) -> Path:
    """Write ``root/gaussians/1.0.0`` with one golden case, signed with the test key, and give its folder.

    ``looks``: by class, the families first (``empty`` among them), then ``BACKGROUND``. ``headings``: of every family.
    """
    folder = root / "gaussians" / "1.0.0"
    (folder / "golden").mkdir(parents=True)
    names = tuple(headings)
    if tuple(looks) != (*names, *BACKGROUND):
        raise ValueError(f"looks are of {tuple(looks)}, not of {(*names, *BACKGROUND)}")
    (folder / "model.onnx").write_bytes(gaussian_graph(list(looks.values()), names.index(EMPTY)))
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    families = "".join(f'\n[families.{name}]\nheadings = {json.dumps(list(of))}\nwords = "{name}"\n' for name, of in headings.items())
    (folder / "goods.toml").write_text(f'version = "1"\n\n[families]\n{families}')
    _write_input(folder / "golden")
    _write_card(folder, names)
    (folder / "golden" / "one.expected.json").write_text(_seen(root, folder))
    _write_card(folder, names)
    return folder


def gaussian_graph(looks: Sequence[Gaussian], empty: int) -> bytes:
    """Give the graph; ``empty``: place of the empty family, which with the last two classes is free space."""
    families = len(looks) - len(BACKGROUND)
    weights, biases = zip(*(_quadratic(look) for look in looks), strict=True)
    is_free = np.array([place == empty or place >= families for place in range(len(looks))], dtype=np.float32)
    loads = np.eye(families, len(looks), dtype=np.float32) * (1.0 - is_free)
    only_empty = np.eye(len(looks), dtype=np.float32)[empty]
    constants = {
        "weights": np.array(weights, dtype=np.float32)[:, :, None, None],
        "biases": np.array(biases, dtype=np.float32),
        "is_free": is_free[None, :, None, None],
        "is_load_family": loads[:, :, None, None],
        "is_empty": only_empty[None, :, None, None],
        "zero_to_three": np.arange(4, dtype=np.int64),
    }
    model = parser.parse_model(_GRAPH)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def _quadratic(look: Gaussian) -> tuple[list[float], float]:
    """Give weights of (h, l, h^2, l^2, h l) and the bias that make the logarithm of a Gaussian's density, but for a constant."""
    inverse = np.linalg.inv(look.covariance)
    linear = inverse @ look.mean
    bias = -0.5 * float(look.mean @ linear) - 0.5 * float(np.log(np.linalg.det(look.covariance)))
    return [*linear, -0.5 * inverse[0, 0], -0.5 * inverse[1, 1], -inverse[0, 1]], bias


def _write_card(folder: Path, names: Sequence[str]) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("card.toml", SIGNATURE))
    files = "\n".join(f'"{path.relative_to(folder)}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"' for path in paths)
    card = _CARD.format(
        pitch=PITCH_MM,
        stride=CELL_PX,
        top_share=TOP_SHARE,
        a=SLOPE,
        b=OFFSET,
        load_at=LOAD_AT,
        names=json.dumps(list(names)),
        ids=json.dumps([f"goods.{name}" for name in names]),
        background=json.dumps(list(BACKGROUND)),
        files=files,
    )
    (folder / "card.toml").write_text(card)
    sign_bundle(folder, TEST_KEY)


def _write_input(golden: Path) -> None:
    high = np.full((60, 160), 20_000, dtype=np.uint16)
    np.savez_compressed(golden / "one.npz", high=high, low=high // 2)
    case = {"subject": "cargo", "pitch_mm": [PITCH_MM, PITCH_MM], "declared": [], "why": "the same matter everywhere"}
    (golden / "one.json").write_text(json.dumps(case))


def _seen(root: Path, folder: Path) -> str:
    """Give what the golden case gives through the runtime."""
    loaded = load_models(root, DevicePolicy.CPU, TEST_TRUST)
    (bundle,) = (one for one in loaded.bundles if one.folder == folder)
    (golden,) = golden_cases(bundle).values()
    return observe(loaded, bundle, *golden, one_by_one).model_dump_json()
