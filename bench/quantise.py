"""int8 files of networks for ``pyhades bench segmentation --precision int8``, by each engine's own.

``python -m bench.quantise u2net_320.onnx --engine openvino`` writes ``u2net_320.openvino-int8.xml``
beside the model, ``--engine onnxruntime`` writes ``u2net_320.onnxruntime-int8.onnx``, and
``--engine pyhades`` ``u2net_320.pyhades-int8.onnx``. Ranges are taken from noise, which is what the
networks are timed on: the files are for timing, not for looking at masks, and no budget is held.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import pyhades
from pyhades.bench.segmentation import Candidate
from pyhades.bench.worker import random_input
from pyhades.segmentation.quantize import Recipe

PICTURES = 4
"""Ranges of noise are known after a few."""


def samples(name: str, shape: list[int]) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
    """Inputs to calibrate with."""
    for shift in range(PICTURES):
        yield {name: random_input(shape) + np.float32(0.1 * shift)}


def quantise_onnxruntime(model: Path, target: Path) -> None:
    """quantize_static: QDQ, int8 weights per channel, uint8 activations."""
    import onnxruntime
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = samples(source.name, source.shape)

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        q.quantize_static(
            str(prepared), str(target), Reader(), per_channel=True,
            activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
        )  # fmt: skip


def quantise_openvino(model: Path, target: Path) -> None:
    """NNCF's post-training quantisation, as for a transformer where there is attention."""
    import nncf
    import openvino

    network = openvino.Core().read_model(str(model))
    port = network.inputs[0]
    inputs = [next(iter(x.values())) for x in samples(port.any_name, list(port.shape))]
    has_attention = any(op.get_type_name() == "Softmax" for op in network.get_ops())
    quantised = nncf.quantize(
        network,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        model_type=nncf.ModelType.TRANSFORMER if has_attention else None,
    )
    openvino.save_model(quantised, str(target), compress_to_fp16=False)


def quantise_pyhades(model: Path, target: Path) -> None:
    """Our own quantiser, without what takes long and no time of a run: search, learned rounding."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (256, 256, 3), np.uint8) for _ in range(PICTURES)]
    recipe = Recipe(rounding="nearest")
    pyhades.quantize(model, images=pictures, output=target, budget="mae=1", recipe=recipe)


QUANTISERS: dict[str, Callable[[Path, Path], None]] = {
    "pyhades": quantise_pyhades,
    "onnxruntime": quantise_onnxruntime,
    "openvino": quantise_openvino,
}


def main() -> None:
    """Quantise one network for one engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--engine", choices=QUANTISERS, required=True)
    options = parser.parse_args()
    target = Candidate(options.engine, 1, "int8").file(options.model)
    QUANTISERS[options.engine](options.model, target)
    print(target)


if __name__ == "__main__":
    main()
