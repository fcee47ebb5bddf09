"""A weight bundle whose outputs can be worked out by hand: its quantiles are 0.9, 1.0 and 1.1 times the physical estimate."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.imaging.weighing import FEATURES
from edge_agent.inference.bundle import sign_bundle
from edge_agent.inference.weight import features_of
from edge_agent.testing.bundles import TEST_KEY

_CARD = """format = "bundle/1"
name = "scale"
version = "{version}"
purpose = "weight"
head = "mass"
state = "simulated"
licence = "Apache-2.0"
research_only = false
subjects = ["cargo"]
limits = "made by hand for tests"

[input]
tensor = "features"
coarse = "coarse_kg"
features = "mass/2"

[output]
mass_kg = "mass_kg"

[labels]
names = []
ids = []

[thresholds]
weight = 0.99

[training]

[metrics]

[files]
{files}
"""


def scale_graph(features: int = FEATURES) -> bytes:
    """Give the graph: ``mass_kg`` [N, 3] = ``coarse_kg`` [N, 1] * [0.9, 1.0, 1.1]; the features [N, ``features``] add nothing."""
    constants = {
        "shares": np.array([[0.9, 1.0, 1.1]], dtype=np.float32),
        "nothing": np.zeros((features, 3), dtype=np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["coarse_kg", "shares"], ["quantiles"]),
        helper.make_node("MatMul", ["features", "nothing"], ["zeros"]),
        helper.make_node("Add", ["quantiles", "zeros"], ["mass_kg"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in (("features", features), ("coarse_kg", 1))
    ]
    output = helper.make_tensor_value_info("mass_kg", TensorProto.FLOAT, ["n", 3])
    initialisers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "scale", inputs, [output], initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def write_weight_bundle(root: Path, *, version: str = "1.0.0", features: int = FEATURES) -> Path:
    """Write ``root/scale/<version>`` with one golden case, signed with the test key, and give its folder."""
    folder = root / "scale" / version
    (folder / "golden").mkdir(parents=True)
    high = np.full((60, 200), 20000, dtype=np.uint16)
    view = View("golden", (Plane(Quantity.TRANSMISSION, Energy.HIGH, high),), (5.0, 5.0))
    np.savez_compressed(folder / "golden" / "one.npz", high=high)
    case = {"subject": "cargo", "pitch_mm": [5.0, 5.0], "declared": [], "why": "the same matter everywhere"}
    (folder / "golden" / "one.json").write_text(json.dumps(case))
    (folder / "golden" / "one.expected.json").write_text(json.dumps({"mass_kg": features_of(view).coarse_kg}))
    (folder / "model.onnx").write_bytes(scale_graph(features))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f'"{path.relative_to(folder)}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"' for path in paths]
    (folder / "card.toml").write_text(_CARD.format(version=version, files="\n".join(lines)))
    sign_bundle(folder, TEST_KEY)
    return folder
