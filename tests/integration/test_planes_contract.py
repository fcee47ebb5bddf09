"""Contents and weight graphs that are not what their cards say: refused when they are loaded, before any scan."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_agent.errors import BundleIncompatible
from edge_agent.inference.bundle import sign_bundle
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.testing.bundles import TEST_KEY, TEST_TRUST
from edge_agent.testing.contents_bundle import BACKGROUND, Gaussian, gaussian_graph, write_contents_bundle
from edge_agent.testing.weight_bundle import scale_graph, write_weight_bundle

HEADINGS = {"empty": ("0000",), "beef": ("0202",), "tyres": ("4011",)}


def looks(*names: str) -> Mapping[str, Gaussian]:
    return {name: Gaussian(np.full(2, at / 10), np.eye(2) * 0.01) for at, name in enumerate((*names, *BACKGROUND))}


@pytest.fixture
def contents(tmp_path: Path) -> Path:
    return write_contents_bundle(tmp_path, looks(*HEADINGS), HEADINGS)


def loaded(folder: Path) -> LoadedModels:
    return load_models(folder.parents[1], DevicePolicy.CPU, TEST_TRUST)


def with_graph(folder: Path, graph: bytes) -> Path:
    return with_file(folder, "model.onnx", graph)


def with_file(folder: Path, name: str, content: bytes) -> Path:
    """Put another file into a bundle, as one that was made wrongly and signed all the same."""
    file, card = folder / name, folder / "card.toml"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(content)
    card.write_text(card.read_text().replace(before, hashlib.sha256(content).hexdigest()))
    sign_bundle(folder, TEST_KEY)
    return folder


def renamed(graph: bytes, names: Mapping[str, str]) -> bytes:
    """Give a graph whose outputs have swapped their names."""
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in model.graph.output:
        value.name = names.get(value.name, value.name)
    serialised: bytes = model.SerializeToString()
    return serialised


def test_graphs_that_are_what_their_cards_say_are_loaded(contents: Path) -> None:
    write_weight_bundle(contents.parents[1])
    models = loaded(contents).models
    assert models.contents is not None
    assert models.weight is not None


@pytest.mark.parametrize(
    ("families", "said"),
    [
        (("empty",), r"output product: expected \[1, 3\] .* gives \[1, 1\]"),
        (("empty", "beef"), r"dry run, fed with image \[1, 2, 64, 72\], declared \[1, 3\]: "),
        (("empty", "beef", "tyres", "scrap"), r"dry run, fed with image \[1, 2, 64, 72\], declared \[1, 3\]: "),
    ],
    ids=["one", "two", "four"],
)
def test_a_contents_graph_of_other_classes_than_three_is_refused(contents: Path, families: tuple[str, ...], said: str) -> None:
    graph = gaussian_graph(list(looks(*families).values()), 0)
    with pytest.raises(BundleIncompatible, match=said):
        loaded(with_graph(contents, graph))


def test_a_map_of_another_fineness_is_refused(contents: Path) -> None:
    card = contents / "card.toml"
    card.write_text(card.read_text().replace("stride = 4", "stride = 8"))
    sign_bundle(contents, TEST_KEY)
    with pytest.raises(BundleIncompatible, match=r"output heatmap: expected \[1, 1, 8, 9\] .* the graph gives \[1, 1, 16, 18\]"):
        loaded(contents)


def test_a_product_taken_for_the_goods_map_is_refused(contents: Path) -> None:
    swapped = {"product": "goods_map", "goods_map": "product"}
    with pytest.raises(BundleIncompatible, match=r"output product: expected \[1, 3\] .* gives \[1, 5, 16, 18\]"):
        loaded(with_graph(contents, renamed((contents / "model.onnx").read_bytes(), swapped)))


def test_a_constant_of_the_formula_that_is_no_number_is_refused(contents: Path) -> None:
    card = contents / "card.toml"
    card.write_text(card.read_text().replace("b = -15.0", "b = nan"))
    with pytest.raises(BundleIncompatible, match=r"contents.b: Input should be a finite number"):
        loaded(contents)


def test_goods_nested_too_deeply_to_be_read_are_refused_and_no_crash(contents: Path) -> None:
    with pytest.raises(BundleIncompatible, match=r"goods\.toml of gaussians/1\.0\.0"):
        loaded(with_file(contents, "goods.toml", b"a = " + b"[" * 5000))


def test_a_look_alike_that_is_no_family_is_refused(contents: Path) -> None:
    card = contents / "card.toml"
    card.write_text(card.read_text().replace("[labels]", "[contents.look_alikes]\nempty = { spices = 0.1 }\n\n[labels]"))
    with pytest.raises(BundleIncompatible, match=r"look_alikes names \['spices'\], which are not among the families in \[labels\]"):
        loaded(contents)


def test_a_weight_graph_without_its_three_quantiles_is_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(scale_graph())
    shares = next(one for one in model.graph.initializer if one.name == "shares")
    nothing = next(one for one in model.graph.initializer if one.name == "nothing")
    for one in (shares, nothing):
        one.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(one)[:, :2], one.name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2
    folder = with_graph(write_weight_bundle(tmp_path), model.SerializeToString())
    with pytest.raises(BundleIncompatible, match=r"output mass_kg: expected \[1, 3\] .* the graph gives \[1, 2\]"):
        loaded(folder)
