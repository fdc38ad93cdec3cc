"""onnxruntime as an engine: a factory that can be pickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyhades.arguments import check_count
from pyhades.config import thread_count
from pyhades.engines.engine import Model
from pyhades.engines.network import EngineNetwork
from pyhades.engines.providers import CPU, full_name, installed_version, short_name
from pyhades.errors import ArgumentError, ArgumentTypeError

DEVICE_BATCH = 8
"""Pictures at once on what is no CPU."""


class OnnxRuntime:
    """onnxruntime with execution providers that are named; none is replaced silently.

    Parameters
    ----------
    providers
        One or several, in the order in which they take nodes: ``"cpu"``, ``"cuda"``,
        ``"tensorrt"``, ``"openvino"``, or their full names. What the first ones do not take goes to
        the CPU only where ``"cpu"`` is among them; else the model is refused.
    provider_options
        By the name of a provider, what it is set to beside our defaults.
    batch
        Most pictures at once; by default 1 on the CPU and 8 elsewhere. Models that fix it are run
        with what they fix.
    session_options
        Entries of onnxruntime's ``SessionOptions``, such as
        ``{"session.use_device_allocator_for_initializers": "1"}``.
    libraries
        Of custom operators, by their paths.
    threads
        Of the CPU provider; by default those of the remover, or of the pool's workers.

    Raises
    ------
    ArgumentError
        There is no such provider.

    Examples
    --------
    >>> OnnxRuntime("cuda", batch=16).label
    'onnxruntime:cuda'
    >>> OnnxRuntime("cuda").providers
    ('CUDAExecutionProvider',)
    """

    def __init__(
        self,
        providers: str | Sequence[str] = ("cpu",),
        *,
        provider_options: Mapping[str, Mapping[str, Any]] | None = None,
        batch: int | None = None,
        session_options: Mapping[str, Any] | None = None,
        libraries: Sequence[str | Path] = (),
        threads: int | None = None,
    ) -> None:
        given = [providers] if isinstance(providers, str) else providers
        self.providers = tuple(dict.fromkeys(map(full_name, given)))
        if not self.providers:
            raise ArgumentError("providers is empty; name one, such as 'cpu' or 'cuda'")
        usual = 1 if self.on_cpu else DEVICE_BATCH
        self._batch = check_count("batch", usual if batch is None else batch)
        self.threads = None if threads is None else check_count("threads", threads)
        told = _mapping("provider_options", provider_options).items()
        self.provider_options = {
            full_name(name): _mapping(f"provider_options[{name!r}]", options)
            for name, options in told
        }
        for name in self.provider_options:
            if name not in self.providers:
                raise ArgumentError(
                    f"provider_options has {short_name(name)!r}, which is not among the providers"
                )
        self.session_options = _mapping("session_options", session_options)
        self.libraries = tuple(map(str, libraries))

    @property
    def name(self) -> str:
        """``"onnxruntime"``."""
        return "onnxruntime"

    @property
    def label(self) -> str:
        """With the providers: ``"onnxruntime:cpu"``, ``"onnxruntime:cuda@1"`` on a second GPU."""
        return f"{self.name}:{'+'.join(map(self._told, self.providers))}"

    def _told(self, provider: str) -> str:
        device = self.provider_options.get(provider, {}).get("device_id")
        return short_name(provider) if device is None else f"{short_name(provider)}@{device}"

    @property
    def batch(self) -> int:
        """Most pictures at once."""
        return self._batch

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU provider comes first, and computes everything."""
        return self.providers[0] == CPU

    @property
    def cores(self) -> int:
        """Its threads; half of the machine's where nobody has said how many."""
        if not self.on_cpu:
            return 0
        return self.threads or max(1, thread_count().count // 2)

    @property
    def takes_foreign(self) -> bool:
        """Yes: whether it has an operator is for onnxruntime to say."""
        return True

    def lanes(self, workers: int, beside: bool) -> int:
        """One on a device, which does one run after the other; else one for each worker."""
        return 1 if beside or not self.on_cpu else workers

    def network(self, model: Model) -> EngineNetwork:
        """Open a session of the model."""
        from pyhades.engines.onnx_network import OnnxNetwork

        return OnnxNetwork(self, model)

    def _key(self) -> tuple[Any, ...]:
        options = tuple((name, *sorted(of.items())) for name, of in self.provider_options.items())
        session = tuple(sorted(self.session_options.items()))
        return self.providers, options, self._batch, self.threads, session, self.libraries

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnnxRuntime) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        on = "+".join(map(self._told, self.providers))
        threads = "threads as given" if self.threads is None else f"{self.threads} threads"
        beside = f", {threads}" if self.on_cpu else ""
        return f"OnnxRuntime({installed_version()}, {on}, batch {self._batch}{beside})"


def _mapping(what: str, given: Any) -> dict[str, str]:
    if not isinstance(given, Mapping | None):
        raise ArgumentTypeError(f"{what} is {type(given).__name__}; expected a dict by name")
    return {} if given is None else dict(given)
