"""A model on onnxruntime: pictures by IOBinding, several at once where that gives the same."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyhades.engines.engine import Model
from pyhades.engines.feeding import fed_picture, first_states
from pyhades.engines.interrupting import interruptibly
from pyhades.engines.network import Network, Remembering, States
from pyhades.engines.onnx_session import open_session
from pyhades.errors import ClosedError, EngineError, ModelError

if TYPE_CHECKING:
    from pyhades.engines.onnxruntime import OnnxRuntime

log = logging.getLogger(__name__)

DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(int32)": np.int32,
    "tensor(int64)": np.int64, "tensor(bool)": np.bool_,
}  # fmt: skip
"""Of inputs, by what onnxruntime calls them."""

SAME = 0.02
"""Of the range of a prediction: what pictures in a batch may differ by from those alone."""


class OnnxNetwork:
    """A network on onnxruntime, whose sessions share their weights where they can.

    Parameters
    ----------
    engine
        How it is to run.
    model
        What is run.

    Attributes
    ----------
    batch
        Most pictures at once: that of the engine, or 1 where the file fixes its batch or a trial
        shows that pictures of a batch influence one another.
    """

    def __init__(self, engine: OnnxRuntime, model: Model) -> None:
        self._engine = engine
        self._model = model
        self._lock = threading.Lock()
        self._sessions: dict[int, Any] = {}
        self._closed = False
        self._threads = engine.threads or model.options.threads_used
        session = self.opened(self._threads)
        self._dtypes = {i.name: _dtype(i, model) for i in session.get_inputs()}
        self.batch = 1
        self._padded = 0
        self._choose_batch()

    @property
    def arena_bytes(self) -> int:
        """Not known: onnxruntime grows its arena as it runs."""
        return 0

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        """Predict from float32 ``[n, 3, h, w]``."""
        return self._run(planes, self._first_states())[0]

    def sequence(self) -> Network:
        """A network that carries what it saw from call to call."""
        return Remembering(self._run, self._first_states)

    def session(self, threads: int, replica: str = "") -> Network:
        """The network for one caller; ``replica`` has no meaning here."""
        return _OnnxSession(self, self._engine.threads or threads)

    def opened(self, threads: int) -> Any:
        """The session of so many threads: any number of callers may run it at a time.

        Several threads of one session are shared, so that whoever wants more than one thread gets
        a session of its own.
        """
        shared = threads if self._engine.on_cpu else 0
        with self._lock:
            if self._closed:
                raise ClosedError("the network was closed")
            if shared not in self._sessions:
                self._sessions[shared] = open_session(self._engine, self._model, threads)
            return self._sessions[shared]

    def own(self, threads: int) -> Any:
        """A session for one caller at a time; threads of one are not shared with others."""
        if threads == 1 or not self._engine.on_cpu:
            return self.opened(threads)
        return open_session(self._engine, self._model, threads)

    def run(
        self, session: Any, planes: NDArray[np.float32], states: States, options: Any = None
    ) -> tuple[NDArray[Any], States]:
        """Predict on a session; pictures that are missing in a batch of fixed size are repeated."""
        count, plan = len(planes), self._model.plan
        if self._padded > count:
            planes = np.concatenate([planes, *[planes[-1:]] * (self._padded - count)])
        feeds: dict[str, NDArray[Any]] = {plan.picture: fed_picture(planes, plan)}
        feeds |= {s.input: state for s, state in zip(plan.states, states, strict=True)}
        feeds |= dict(plan.constants)
        names = [self._model.output_name, *(state.output for state in plan.states)]
        binding = session.io_binding()
        fed = {  # held until the run is over: a binding on the CPU does not copy
            name: np.ascontiguousarray(array, self._dtypes[name]) for name, array in feeds.items()
        }
        for name, array in fed.items():
            binding.bind_cpu_input(name, array)
        for name in names:
            binding.bind_output(name)
        try:
            interruptibly(
                lambda: session.run_with_iobinding(binding, options), lambda: _terminate(options)
            )
        except Exception as error:  # its own classes have no base of their own
            raise EngineError(f"{self._engine.label}: {str(error).strip()}") from error
        prediction, *after = binding.copy_outputs_to_cpu()
        if prediction.dtype == np.float16:
            prediction = prediction.astype(np.float32)
        is_batch = prediction.ndim == 4 or self.batch > 1
        return prediction[:count] if is_batch else prediction, after

    def _run(self, planes: NDArray[np.float32], states: States) -> tuple[NDArray[Any], States]:
        return self.run(self.opened(self._threads), planes, states, run_options())

    def _first_states(self) -> States:
        return first_states(self._model.plan, self._model.graph)

    def _choose_batch(self) -> None:
        """What the file fixes; else what is asked for, where a trial shows that it works."""
        plan, wanted = self._model.plan, self._engine.batch
        fixed = plan.extents[0]
        if fixed is not None:
            self._padded = fixed  # of one picture, as often as the file wants it
        if wanted == 1:
            return
        if fixed is not None:
            problem = f"the file fixes its batch at {fixed}"
        elif plan.states:
            problem = "it is recurrent"
        else:
            problem = self._trial(wanted)
        if problem:
            log.warning(
                "%s: %s runs its pictures one by one: %s",
                self._model.where, self._engine.label, problem,
            )  # fmt: skip
            return
        self.batch = wanted
        if not self._engine.on_cpu:
            self._padded = wanted  # devices search for algorithms, or compile, for every shape

    def _trial(self, batch: int) -> str:
        """What is wrong with so many pictures at once; empty where each comes out as it is alone.

        Files whose batch is open may fix it inside, or take a minimum over all pictures.
        """
        noise = np.random.default_rng(0).random((batch, 3, *self._model.size), np.float32)
        noise *= np.linspace(0.2, 1, batch, dtype=np.float32)[:, None, None, None]
        alone = [self(noise[:1]), self(noise[-1:])]
        try:
            together = self(noise)
        except EngineError as error:
            return f"{batch} at once fail ({error})"
        if together.shape != (batch, *alone[0].shape[1:]):
            return f"{batch} at once give {together.shape}"
        reach = max(float(np.ptp(each)) for each in alone)
        pairs = zip(alone, (together[:1], together[-1:]), strict=True)
        gap = max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in pairs)
        return "they influence one another" if gap > SAME * max(reach, 1e-6) else ""

    def close(self) -> None:
        """Give the sessions back."""
        with self._lock:
            self._closed = True
            self._sessions.clear()


class _OnnxSession:
    """A network for one caller at a time, whose run another thread may end."""

    def __init__(self, network: OnnxNetwork, threads: int) -> None:
        self._network = network
        self._session = network.own(threads)
        self._options: Any = None

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        return self._run(planes, self._network._first_states())[0]

    def sequence(self) -> Network:
        """The same network, which carries what it saw from call to call."""
        return Remembering(self._run, self._network._first_states)

    def _run(self, planes: NDArray[np.float32], states: States) -> tuple[NDArray[Any], States]:
        if self._session is None:
            raise ClosedError("the network was closed")
        self._options = options = run_options()
        return self._network.run(self._session, planes, states, options)

    def cancel(self) -> None:
        """Ask the run that another thread has begun to end after its current operator."""
        _terminate(self._options)

    def close(self) -> None:
        """Let the session go."""
        self._session = None


def run_options() -> Any:
    """Of one run."""
    from onnxruntime import RunOptions

    return RunOptions()


def _terminate(options: Any) -> None:
    """End the run of these options after its current operator."""
    if options is not None:
        options.terminate = True


def _dtype(given: Any, model: Model) -> type[np.generic]:
    if given.type not in DTYPES:
        raise ModelError(
            f"{model.where}: input {given.name!r} is {given.type}, which cannot be fed to "
            "onnxruntime from Python; use our own engine"
        )
    return DTYPES[given.type]
