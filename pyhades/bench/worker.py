"""One engine with one model in a process of its own: ``python -m pyhades.bench.worker ...``.

Peak memory is only comparable between processes that hold nothing but the engine. The process
answers in JSON lines: once when it is ready, then the milliseconds of a run for every line that it
reads, and its peak memory when its input ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.bench.memory import high_water_mark

Run = Callable[[], object]

ONEDNN_TIERS = {
    "scalar": "SSE41",
    "avx2": "AVX2",
    "avx512": "AVX512_CORE",
    "avx512_vnni": "AVX512_CORE_VNNI",
    "avx512_bf16": "AVX512_CORE_BF16",
}
"""What OpenVINO's kernels call the tiers that they may be held to. onnxruntime cannot be held."""


def load_pyhades(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """Compile the model; how to run it, and what is known about it."""
    import pyhades

    # An int8 file is computed as it is.
    precision = None if options.precision == "int8" else options.precision
    program = pyhades.compile(
        pyhades.load_onnx(options.model),
        threads=options.threads,
        isa=options.isa,
        precision=precision,
        tune=options.tune,
    )
    feeds = {name: random_input(kind.static_shape) for name, kind in program.inputs.items()}
    flops = sum(line.flops for line in program.lines)
    return lambda: program.run(feeds), {"flops": flops, "isa": program.isa}


def load_onnxruntime(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """Open a session with the same number of threads and otherwise default options."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        options.model, settings, providers=["CPUExecutionProvider"]
    )
    feeds = {node.name: random_input(node.shape) for node in session.get_inputs()}
    return lambda: session.run(None, feeds), {"version": onnxruntime.__version__}


def load_openvino(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """Compile for the least latency with the same number of threads, in float32 unless told."""
    if options.isa is not None:
        os.environ["ONEDNN_MAX_CPU_ISA"] = ONEDNN_TIERS[options.isa]
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": options.threads,
        "INFERENCE_PRECISION_HINT": "bf16" if options.precision == "bf16" else "f32",
    }
    compiled = openvino.Core().compile_model(options.model, "CPU", settings)
    request = compiled.create_infer_request()
    feeds = {port: random_input(list(port.shape)) for port in compiled.inputs}
    facts = {"version": openvino.__version__, "isa": options.isa}
    return lambda: request.infer(feeds, share_inputs=True), facts


ENGINES = {
    "pyhades": load_pyhades,
    "onnxruntime": load_onnxruntime,
    "openvino": load_openvino,
}


def random_input(shape: tuple[int, ...] | list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Normalised noise, the same for every engine."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def main() -> None:
    """Serve one engine until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isa")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    run, facts = ENGINES[options.engine](options)
    print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        run()
        print(json.dumps({"ms": (time.perf_counter() - started) * 1e3}), flush=True)
    print(json.dumps({"peak_rss_mb": high_water_mark() / 2**20}), flush=True)


if __name__ == "__main__":
    main()
