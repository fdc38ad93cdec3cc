"""Fixtures that tests and benchmarks share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pyhades import _native
from pyhades.llm.text.tokenizer import Tokenizer
from tests.support.kernel_census import KernelCensus
from tests.support.kernel_census import count_kernels as count_kernels
from tests.support.kernel_census import kernels_run as kernels_run

ROOT = Path(__file__).parent

IS_MAIN = threading.current_thread() is threading.main_thread()
if IS_MAIN and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Begun by a shell with &: programs that tests begin would never hear of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples every time, however long they take; --hypothesis-profile=default for others.
settings.register_profile(
    "gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")
REAL_GRAPHS = ROOT.parent / "shared" / "models"


def float_tiers() -> list[str]:
    """The supported ones but the integer extensions of AVX-512, which no float kernel uses."""
    return [tier for tier in _native.supported_tiers() if not tier.startswith("avx512_")]


@pytest.fixture(params=float_tiers())
def isa(request: pytest.FixtureRequest) -> str:
    """Every tier of this CPU that has float kernels of its own."""
    return str(request.param)


@pytest.fixture(params=_native.supported_tiers())
def tier(request: pytest.FixtureRequest) -> str:
    """Every tier of this CPU that has kernels of its own."""
    return str(request.param)


@pytest.fixture(scope="session")
def architecture() -> Callable[[Path], tuple[bytes, Callable[..., dict[str, Any]]]]:
    """A graph that is stored without weights, with random ones, and what makes its inputs."""
    from tests.architectures.feeds import feeds_of
    from tests.architectures.weights import read

    return lambda path: (read(path).SerializeToString(), feeds_of)


@pytest.fixture(scope="session")
def o200k_tokenizer() -> Tokenizer:
    """The tokenizer of gpt-oss; skipped where PYHADES_O200K names no folder with its vocabulary."""
    from tests.support import o200k

    if o200k.FOLDER is None:
        pytest.skip("PYHADES_O200K names no folder with o200k_base.tiktoken")
    return o200k.tokenizer()


@pytest.fixture(scope="session")
def trained_model() -> Callable[[str], Path]:
    """Path of a trained network by its file name; the test is skipped where there is none.

    PYHADES_REAL_MODELS names their folder: ``u2netp.onnx``, ``isnet_fp16.onnx`` and
    ``isnet_int8_dynamic.onnx``, as published.
    """

    def path_of(name: str) -> Path:
        folder = os.environ.get("PYHADES_REAL_MODELS")
        if folder is None:
            pytest.skip("PYHADES_REAL_MODELS does not name the folder of trained networks")
        path = Path(folder, name)
        if not path.exists():
            pytest.skip(f"no {name} in {folder}, which PYHADES_REAL_MODELS names")
        return path

    return path_of


@pytest.fixture(scope="session")
def real_graph(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Path of a real graph, by name; the test is skipped where the graphs are not there.

    PYHADES_GRAPHS names their folder. Stored without their weights, they get random ones, once.
    """
    folder = Path(os.environ.get("PYHADES_GRAPHS", REAL_GRAPHS))
    base = tmp_path_factory.getbasetemp()
    # The workers of a parallel run share what one of them has made.
    refilled = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "graphs"
    refilled.mkdir(exist_ok=True)

    def path_of(name: str) -> Path:
        for ready in (folder / f"{name}.onnx", refilled / f"{name}.onnx"):
            if ready.exists():
                return ready
        source = next(iter(folder.glob(f"{name}*.onnx.xz")), None)
        if source is None:
            pytest.skip(f"no {name} in {folder}; PYHADES_GRAPHS names the folder of the graphs")
        target, part = refilled / f"{name}.onnx", refilled / f"{name}.{os.getpid()}.onnx"
        refill = [sys.executable, str(folder / "refill.py"), str(source), str(part)]
        subprocess.run(refill, check=True, capture_output=True)
        return part.replace(target)

    return path_of


def pytest_configure(config: pytest.Config) -> None:
    """Count kernels in tests, and in benchmarks where they run without being timed."""
    folder = ROOT / "tests" / "kernels"
    tests = KernelCensus(folder, set(folder.glob("test_*.py")), "test that covers it")
    config.pluginmanager.register(tests, "census of tested kernels")
    if config.getoption("benchmark_disable", default=False):
        families = {kernel.family for kernel in _native.implementations()}
        modules = {ROOT / "bench" / f"bench_{family}.py" for family in families}
        benchmarks = KernelCensus(ROOT / "bench", modules, "benchmark")
        config.pluginmanager.register(benchmarks, "census of benchmarked kernels")
