"""A model on a device: the only module that imports onnxruntime.

Settings follow measurements (``docs/explanation/performance.md``): on the CPU one shared session, one thread an inference, as
many calling threads as cores; on CUDA the heuristic convolution search, for the exhaustive one tunes for seconds at each shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge_agent.errors import BundleIncompatible, DeviceLost, DeviceOutOfMemory, DeviceRequired, InferenceFailed
from edge_agent.inference.bundle import Bundle

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_NO_FOLDER = "/dev/null"
"""Where onnxruntime is told to look for weights that a graph keeps in other files: no file can lie there."""

_NUMBERS = {
    f"tensor({kind})" for kind in ("float", "float16", "double", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
}

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.EngineError,
    ort_errors.RuntimeException,
    ort_errors.NotImplemented,
    ort_errors.EPFail,
)


class DevicePolicy(StrEnum):
    """What to do where there is no working CUDA device."""

    REQUIRE_GPU = "require-gpu"
    PREFER_GPU = "prefer-gpu"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a session really runs, as the session itself says."""

    runtime: str
    provider: str
    device: str


class Session:
    """One ONNX graph on one device. ``run`` may be called from several threads at once."""

    def __init__(self, model: bytes, policy: DevicePolicy) -> None:
        """Load ``model``, all of whose weights are in these bytes.

        Raises:
            BundleIncompatible: onnxruntime refuses the graph, or it keeps weights in other files, which nobody signed.
            DeviceRequired: the policy wants a GPU and the session is on the CPU.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Left alone, onnxruntime reads such files from the working directory, whatever they hold.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NO_FOLDER)
        options.log_severity_level = 4  # a refused CUDA library is not noise for the journal; the provider is checked below
        providers: list[str | tuple[str, dict[str, str]]] = [CPU]
        if policy is not DevicePolicy.CPU and CUDA in ort.get_available_providers() and _has_nvidia_device():
            ort.preload_dlls()
            providers.insert(0, (CUDA, {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}))
        try:
            self._session = ort.InferenceSession(model, options, providers=providers)
        except _ORT_ERRORS as problem:
            raise BundleIncompatible(_refusal(problem)) from problem
        self._session.disable_fallback()
        provider = self._session.get_providers()[0]
        if policy is DevicePolicy.REQUIRE_GPU and provider != CUDA:
            raise DeviceRequired(f"policy is require-gpu, but the session runs on {provider}")
        self.placement = Placement(f"onnxruntime {ort.__version__}", provider, "cuda:0" if provider == CUDA else "cpu")
        self.inputs = {node.name: tuple(node.shape) for node in self._session.get_inputs()}
        self.outputs = {node.name: tuple(node.shape) for node in self._session.get_outputs()}
        self.input_types = {node.name: str(node.type) for node in self._session.get_inputs()}
        """As onnxruntime writes them: ``tensor(float)``, ``tensor(float16)``, ``tensor(uint8)``, ..."""
        self.output_types = {node.name: str(node.type) for node in self._session.get_outputs()}

    def run(self, names: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Give the named outputs.

        Raises:
            InferenceFailed: the graph failed on the CPU, or an output is not finite.
            DeviceLost, DeviceOutOfMemory: the accelerator failed; its context is gone.
        """
        try:
            outputs: list[NDArray[Any]] = self._session.run(list(names), dict(feeds))
        except _ORT_ERRORS as problem:
            raise self._mapped(problem) from problem
        for name, value in zip(names, outputs, strict=True):
            if not np.isfinite(value).all():
                raise InferenceFailed(f"output {name} holds values that are not numbers", {"output": name})
        return outputs

    def _mapped(self, problem: Exception) -> InferenceFailed | DeviceLost | DeviceOutOfMemory:
        detail = _first_line(problem)
        if self.placement.provider == CPU:
            return InferenceFailed(detail)
        return DeviceOutOfMemory(detail) if "memory" in detail.lower() else DeviceLost(detail)


def expect(bundle: Bundle, session: Session, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Check that the graph has the tensors that the card names, and that its outputs are numbers.

    Raises:
        BundleIncompatible: saying what was expected and what was found.
    """
    for kind, wanted, found in (("inputs", inputs, session.inputs), ("outputs", outputs, session.outputs)):
        if not set(wanted) <= set(found):
            raise BundleIncompatible(f"{bundle.ref}: card wants {kind} {sorted(wanted)}, graph has {sorted(found)}")
    for name in outputs:
        if session.output_types[name] not in _NUMBERS:
            raise BundleIncompatible(
                f"{bundle.ref}: output {name}: expected a tensor of numbers, the graph gives {session.output_types[name]}"
            )


def _has_nvidia_device() -> bool:
    """Tell whether a driver offers a device at all; asking onnxruntime for CUDA without one only fills the log with its complaints."""
    return any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/dxg"))


def _refusal(problem: Exception) -> str:
    detail = _first_line(problem)
    if "external data" not in detail.lower():
        return f"onnxruntime refuses the graph: {detail}"
    return (
        "the graph keeps weights in other files beside it, which no hash and no signature covers; expected all of it in one file: "
        f"save it again with `onnx.save(onnx.load(PATH), WHOLE)` where those files are ({detail})"
    )


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0][:300]
