"""Other engines behind the face that the pipeline needs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph
from pyhades.ir.interpreter import interpret
from pyhades.passes import fold_constants, specialise
from pyhades.segmentation.meaning import InputPlan
from pyhades.segmentation.network import Network, fed_picture


def has_onnxruntime() -> bool:
    """Whether onnxruntime is installed."""
    return importlib.util.find_spec("onnxruntime") is not None


class _Rival:
    """Feeds a picture and, beside it, states of the first frame and constants."""

    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan

    def _feeds(self, planes: NDArray[np.float32], dtypes: dict[str, Any]) -> dict[str, Any]:
        plan = self._plan
        feeds: dict[str, Any] = {plan.picture: fed_picture(planes, plan)}
        for state, shape in zip(plan.states, plan.state_shapes, strict=True):
            feeds[state.input] = np.zeros(shape, dtypes.get(state.input, np.float32))
        return feeds | dict(plan.constants)

    def close(self) -> None:
        """Nothing to give back."""


class OnnxRuntime(_Rival):
    """A model on onnxruntime."""

    name = "onnxruntime"

    def __init__(self, source: Path | bytes, output: str, plan: InputPlan, threads: int) -> None:
        import onnxruntime

        super().__init__(plan)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        model = source if isinstance(source, bytes) else str(source)
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._output = output

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        kinds = {"tensor(float16)": np.float16, "tensor(double)": np.float64}
        dtypes = {i.name: kinds.get(i.type, np.float32) for i in self._session.get_inputs()}
        result: NDArray[Any] = self._session.run([self._output], self._feeds(planes, dtypes))[0]
        return result


class Interpreter(_Rival):
    """A graph on our NumPy specification of every operator; slow, and it shares our importer."""

    name = "the interpreter"

    def __init__(self, graph: Graph, output: str, plan: InputPlan) -> None:
        super().__init__(plan)
        self._graph, self._output = graph, output

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        dtypes = {v.name: v.type.dtype for v in self._graph.inputs if v.type is not None}
        feeds = self._feeds(planes, dtypes)
        shapes = {name: np.shape(array) for name, array in feeds.items()}
        graph = fold_constants(specialise(self._graph, shapes))
        result: NDArray[Any] = interpret(graph, feeds)[self._output]
        return result


def make_rival(
    graph: Graph, source: Path | bytes, output: int | str, plan: InputPlan, threads: int
) -> tuple[Network, str]:
    """Onnxruntime where it is installed, else the interpreter; and its name."""
    name = output if isinstance(output, str) else graph.outputs[output].name
    if has_onnxruntime():
        import onnxruntime

        return OnnxRuntime(source, name, plan, threads), f"onnxruntime {onnxruntime.__version__}"
    return Interpreter(graph, name, plan), Interpreter.name
