"""Other engines: their networks in our chain, and rembg with all of its own."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.bench.pictures.stretch import Done
from pyhades.bench.pictures.subjects import target, write_parts
from pyhades.errors import ConfigurationError
from pyhades.segmentation.bulk.crew import Crew, Seat
from pyhades.segmentation.bulk.pool import Pool
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.meaning import InputPlan
from pyhades.segmentation.network import Network, fed_picture
from pyhades.segmentation.verification.rival import OnnxRuntime

REMBG_SESSIONS = {(320, 320): "u2net_custom", (1024, 1024): "dis_custom"}
"""What rembg calls a session for a file of the caller's, by the size that the network takes."""


class OnePerThread:
    """A network for each thread that asks, made when it asks first."""

    def __init__(self, make: Callable[[], Network]) -> None:
        self._make = make
        self._own = threading.local()

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        if not hasattr(self._own, "network"):
            self._own.network = self._make()
        output: NDArray[Any] = self._own.network(planes)
        return output

    def close(self) -> None:
        """They go with their threads."""


def onnxruntime_network(model: Path, output: str, plan: InputPlan, threads: int) -> Network:
    """A session per worker, with as many threads as a worker has."""
    return OnePerThread(lambda: OnnxRuntime(model, output, plan, threads))


class OpenVino:
    """A request of a compiled model."""

    def __init__(self, compiled: Any, output: str, plan: InputPlan) -> None:
        self._request = compiled.create_infer_request()
        self._output = compiled.output(output)
        self._plan = plan

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        feeds: dict[str, Any] = {self._plan.picture: fed_picture(planes, self._plan)}
        self._request.infer(feeds | dict(self._plan.constants), share_inputs=True)
        prediction: NDArray[Any] = self._request.get_tensor(self._output).data
        return prediction

    def close(self) -> None:
        """Nothing to give back."""


def openvino_network(
    model: Path, output: str, plan: InputPlan, manifest: ModelManifest, workers: int, threads: int
) -> Network:
    """A model compiled once with a stream per worker, and a request of each worker."""
    import openvino

    core = openvino.Core()
    loaded = core.read_model(str(model))
    loaded.reshape({plan.picture: list(plan.picture_shape(manifest.input_size))})
    compiled = core.compile_model(loaded, "CPU", {
        "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": workers,
        "INFERENCE_NUM_THREADS": workers * threads, "INFERENCE_PRECISION_HINT": "f32",
    })  # fmt: skip
    return OnePerThread(lambda: OpenVino(compiled, output, plan))


class Rembg:
    """rembg's own ``remove`` on threads, with one session of the same file."""

    def __init__(
        self, model: Path, size: tuple[int, int], workers: int, threads: int, out: Path
    ) -> None:
        name = REMBG_SESSIONS.get(size)
        if name is None:
            sizes = ", ".join(f"{height}x{width}" for height, width in REMBG_SESSIONS)
            raise ConfigurationError(
                f"rembg reads files of networks that take {sizes} pixels, not {size[0]}x{size[1]}"
            )
        self.workers = workers
        self._out = out
        self._home = tempfile.TemporaryDirectory()
        self._session = _rembg_session(name, model, Path(self._home.name), threads)

    def go(self, pictures: Iterator[Path]) -> Iterator[tuple[Path, Any]]:
        """As the threads are done with them."""
        seats = [((), 0)] * self.workers
        pool: Pool[Path, Done] = Pool([Crew("rembg", self._worker, seats)])
        return pool.run(pictures, in_order=False)

    def _worker(self, seat: Seat) -> _RembgWorker:
        return _RembgWorker(seat.number, self._session, self._out)

    def facts(self) -> dict[str, Any]:
        """Its version."""
        from importlib.metadata import version

        return {"version": version("rembg"), "onnxruntime": version("onnxruntime")}

    def parts(self) -> dict[str, int]:
        """Nobody can tell."""
        return {}

    def close(self) -> None:
        """Remove the folder that it takes models from."""
        self._home.cleanup()


class _RembgWorker:
    def __init__(self, number: int, session: Any, out: Path) -> None:
        from rembg import remove

        self._number, self._session, self._out = number, session, out
        self._remove = remove

    def __call__(self, path: Path) -> Done:
        began = time.perf_counter()
        data = path.read_bytes()
        read = time.perf_counter()
        result = self._remove(data, session=self._session)
        removed = time.perf_counter()
        written = write_parts(target(self._out, self._number, path), [result])
        seconds = time.perf_counter() - began
        stages = {"read": read - began, "remove": removed - read}
        stages["write"] = began + seconds - removed
        return Done(self._number, seconds, stages, written)

    def close(self) -> None:
        """Nothing is held."""


def _rembg_session(name: str, model: Path, home: Path, threads: int) -> Any:
    """It takes files only from a folder of its own, where a link does."""
    os.environ["REMBG_HOME"] = str(home)
    os.environ.pop("U2NET_HOME", None)
    link = home / "models" / name / model.name
    link.parent.mkdir(parents=True)
    link.symlink_to(model.resolve())
    import onnxruntime
    from rembg import new_session

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return new_session(
        name, sess_opts=options, providers=["CPUExecutionProvider"], model_path=str(link)
    )
