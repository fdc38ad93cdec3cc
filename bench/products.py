"""One product with its weights packed, as a Program: what benchmarks of single operators run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bench.compute import benchmark_compute
from bench.roof import float_peak
from pyhades import _native
from pyhades.kernels.conv import output_size

View = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape and strides of an operand, in elements."""

MATRICES = {
    "swin_in": (9216, 128, 512),
    "swin_out": (9216, 512, 128),
    "swin_deep": (2304, 1024, 256),
    "swin_deepest": (576, 512, 2048),
}
"""Rows, depth and columns of Swin-B's products."""


class Convolution(NamedTuple):
    """A convolution of square channels-last images."""

    channels: int
    outputs: int
    size: int
    kernel: int
    stride: int
    pad: int
    dilation: int
    groups: int

    @property
    def side(self) -> int:
        """Of the image that it makes, in pixels."""
        return output_size(
            (self.size,) * 2, (self.kernel,) * 2, (self.stride,) * 2, (self.pad,) * 4,
            (self.dilation,) * 2,
        )[0]  # fmt: skip

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Of the image that it reads, of the weights, and of the image that it makes."""
        weights = (self.outputs, self.channels // self.groups, self.kernel, self.kernel)
        return (self.size,) * 2 + (self.channels,), weights, (self.side,) * 2 + (self.outputs,)

    @property
    def views(self) -> list[View]:
        """Of both images."""
        return [_image(self.size, self.channels), _image(self.side, self.outputs)]

    @property
    def attributes(self) -> dict[str, Any]:
        """As the native operator takes them."""
        return {
            "strides": [self.stride] * 2, "pads": [self.pad] * 4,
            "dilations": [self.dilation] * 2, "groups": self.groups,
        }  # fmt: skip


def _image(size: int, channels: int) -> View:
    pixels = size * channels
    return (1, channels, size, size), (size * pixels, 1, pixels, channels)


def matrix_views(m: int, k: int, n: int) -> list[View]:
    """Of the matrix that a product reads, and of the one that it makes."""
    return [((m, k), (k, 1)), ((m, n), (n, 1))]


class Product:
    """A Program of one operator on one tier, with the arrays that it reads and writes.

    Parameters
    ----------
    op
        Native operator.
    x, y
        Arrays that it reads and writes.
    views
        How it sees these.
    constants
        Its other operands, the weights first; None for one that is left out.
    attributes
        Of the operator.
    """

    def __init__(
        self, op: str, x: NDArray[Any], y: NDArray[Any], views: Sequence[View],
        constants: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any], isa: str,
        threads: int,
    ) -> None:  # fmt: skip
        builder = _native.ProgramBuilder(isa=isa)
        x_slot, y_slot = builder.io("x", x.nbytes), builder.io("y", y.nbytes)
        fixed = [
            None if array is None else _dense(builder.constant(array, f"bench/{op}/{n}"), array)
            for n, array in enumerate(constants)
        ]
        builder.emit(
            op,
            [(x_slot, 0, x.dtype.name, *views[0]), *fixed],
            [(y_slot, 0, y.dtype.name, *views[1])],
            {**attributes, "activation": "relu"},
            op,
        )
        weights = constants[0]
        assert weights is not None
        self.operations = 2.0 * y.size * weights.size / y.shape[-1]
        self.bindings = {x_slot: x, y_slot: y}
        self.context = _native.Context(builder.build(0), _native.team_of(threads))

    def run(self) -> None:
        """Compute it once."""
        self.context.run(self.bindings)


def _dense(slot: int, array: NDArray[Any]) -> tuple[object, ...]:
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return (slot, 0, array.dtype.name, array.shape, strides)


def benchmark_product(
    benchmark: Any,
    make: Callable[..., Product],
    name: str,
    isa: str,
    threads: int,
    peak: Callable[[str, int], float] = float_peak,
) -> None:
    """Time the product of a name beside the scalar tier, and note which kernel runs it."""
    product, slow = make(name, isa, threads), make(name, "scalar")
    benchmark.group = name
    scalar = None if benchmark.disabled else (slow.run, slow.operations)
    benchmark_compute(benchmark, product.run, product.operations, isa, threads, scalar, peak)
    benchmark.extra_info["kernel"] = product.context.program.instructions[0].kernel
