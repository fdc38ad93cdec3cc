"""Fourier transforms as products with constant matrices, of factors of the length if it is long."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.signal import Dft
from pyhades.ir.registry import Array, attribute, operator
from pyhades.ir.shapes import integers_of, shape
from pyhades.numerics.signal import fourier_matrix
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source

_LONGEST_MATRIX = 256
"""Points up to which one matrix does the transform."""


def _has_constant_length(node: Node) -> bool:
    return all(value is None or value.data is not None for value in node.inputs[1:])


@rule("DFT", when=_has_constant_length)
def _dft(build: Builder, node: Node) -> None:
    known = operator("DFT")
    assert isinstance(known, Dft)
    x, rank = source(node), len(shape(source(node)))
    wanted, stated = (_number(node, index) for index in (1, 2))
    axis = known.axis(node, rank, stated)
    length = known.length(node, shape(x)[axis], wanted)
    inverse, onesided = bool(attribute(node, "inverse")), bool(attribute(node, "onesided"))
    order = [a for a in range(rank) if a not in (axis, rank - 1)]
    moved = build.transpose(x, (*order, axis, rank - 1))
    stack = shape(moved)[:-2]
    points = length // 2 + 1 if inverse and onesided else length
    rows = build.reshape(moved, (int(np.prod(stack)), *shape(moved)[-2:]), "rows")
    rows = _fitted(build, rows, points)
    y = _Transform(build, inverse).run(rows, length, onesided)
    y = build.reshape(y, (*stack, *shape(y)[1:]), "spectrum")
    back = np.argsort([*order, axis, rank - 1]).tolist()
    build.become_reshape(build.transpose(y, back))


def _number(node: Node, index: int) -> int | None:
    numbers = integers_of(node, index)
    return numbers[0] if numbers else None


def _fitted(build: Builder, x: Value, points: int) -> Value:
    """``x`` [m, n, parts] cut or padded with zeros to ``points``."""
    missing = points - shape(x)[1]
    if missing <= 0:
        return build.slice(x, 1, 0, points, "cut") if missing else x
    return build.apply("Pad", x, build.integers("missing", [0, 0, 0, 0, missing, 0]), suffix="long")


class _Transform:
    """Transforms rows [m, n, parts] of complex numbers."""

    def __init__(self, build: Builder, inverse: bool) -> None:
        self.build, self.inverse = build, inverse
        self._count = 0

    def run(self, x: Value, n: int, onesided: bool) -> Value:
        """[m, bins, parts]; ``onesided`` as :func:`pyhades.numerics.signal.fourier` has it."""
        if n <= _LONGEST_MATRIX or _factor(n) == 1:
            return self._by_matrix(x, n, onesided)
        if self.inverse and onesided:
            x = self._mirrored(x, n)
        y = self._by_factors(x, n)
        if not onesided:
            return y
        if self.inverse:
            return self.build.slice(y, 2, 0, 1, "real")
        return self.build.slice(y, 1, 0, n // 2 + 1, "half")

    def _by_matrix(self, x: Value, n: int, onesided: bool) -> Value:
        m, points, parts = shape(x)
        matrix = fourier_matrix(n, self.inverse)[:points]
        if onesided and self.inverse:
            # What is not given is the conjugate of what is: it counts twice, but for the ends.
            weights = np.full(points, 2.0)
            weights[0] = 1
            if n % 2 == 0:
                weights[n // 2] = 1
            matrix = matrix * weights[:, None]
        elif onesided:
            matrix = matrix[:, : n // 2 + 1]
        table = _real_table(matrix)[:, :parts, :, : 1 if onesided and self.inverse else 2]
        bins, outputs = table.shape[2:]
        flat = self.build.reshape(x, (m, points * parts), self._name("flat"))
        y = self.build.apply(
            "MatMul",
            flat,
            self._constant(table.reshape(points * parts, bins * outputs), x),
            suffix=self._name("product"),
        )
        return self.build.reshape(y, (m, bins, outputs), self._name("bins"))

    def _by_factors(self, x: Value, n: int) -> Value:
        """Cooley and Tukey (1965): n = a * b, b transforms of a points, then a of b points."""
        build, a = self.build, _factor(n)
        b, (m, _, parts) = n // a, shape(x)
        columns = build.reshape(x, (m, a, b, parts), self._name("grid"))
        columns = build.transpose(columns, (0, 2, 1, 3))
        first = build.reshape(columns, (m * b, a, parts), self._name("columns"))
        y = self._by_matrix(first, a, False)
        angles = np.outer(np.arange(b), np.arange(a)) * (2 * np.pi / n)
        turns = np.exp(1j * angles if self.inverse else -1j * angles)
        y = self._turned(build.reshape(y, (m, b, a, 2), self._name("turn")), turns)
        y = build.reshape(build.transpose(y, (0, 2, 1, 3)), (m * a, b, 2), self._name("rows"))
        y = build.reshape(self.run(y, b, False), (m, a, b, 2), self._name("grid"))
        return build.reshape(build.transpose(y, (0, 2, 1, 3)), (m, n, 2), self._name("bins"))

    def _turned(self, x: Value, turns: Array) -> Value:
        """The product of x [..., 2] and constant complex numbers."""
        build, name = self.build, self._name("turned")
        swapped = build.apply(
            "Concat",
            build.slice(x, 3, 1, 2, f"{name}.imaginary"),
            build.slice(x, 3, 0, 1, f"{name}.real"),
            suffix=f"{name}.swapped",
            axis=3,
        )
        cosine = np.stack([turns.real, turns.real], axis=-1)
        sine = np.stack([-turns.imag, turns.imag], axis=-1)
        return build.apply(
            "Add",
            build.apply("Mul", x, self._constant(cosine, x), suffix=f"{name}.cosine"),
            build.apply("Mul", swapped, self._constant(sine, x), suffix=f"{name}.sine"),
            suffix=name,
        )

    def _mirrored(self, x: Value, n: int) -> Value:
        """The whole spectrum of a real signal, from its first half."""
        build, have = self.build, shape(x)[1]
        positions = np.arange(n - have, 0, -1)
        mirror = constant(f"{build.name}.mirror", positions.astype(np.int64))
        rest = build.apply("Gather", x, mirror, suffix="rest", axis=1)
        conjugate = self._constant(np.array([1.0, -1.0]), x)
        rest = build.apply("Mul", rest, conjugate, suffix="conjugate")
        ends = np.ones((have, 2))
        ends[0, 1] = 0  # the imaginary parts of these are not looked at
        if n % 2 == 0:
            ends[-1, 1] = 0
        x = build.apply("Mul", x, self._constant(ends, x), suffix="hermitian")
        return build.apply("Concat", x, rest, suffix="whole", axis=1)

    def _constant(self, data: Array, like: Value) -> Value:
        return constant(f"{self.build.name}.{self._name('table')}", data.astype(dtype_of(like)))

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{what}{self._count}"


def _factor(n: int) -> int:
    """The largest factor of n that one matrix does; 1 if there is none."""
    return max((a for a in range(2, _LONGEST_MATRIX + 1) if n % a == 0), default=1)


def _real_table(matrix: Array) -> Array:
    """[points, part, bins, part]: products with a complex matrix, in real numbers."""
    real, imaginary = matrix.real, matrix.imag
    rows = [np.stack([real, imaginary], -1), np.stack([-imaginary, real], -1)]
    return np.stack(rows, axis=1)


@rule("STFT")
def _stft(build: Builder, node: Node) -> None:
    """Frames by Gather, windowed, then a transform of each."""
    x, window = source(node), node.input(2)
    (step,) = integers_of(node, 1) or [1]
    stated = integers_of(node, 3)
    length = shape(window)[0] if window is not None else (stated or [shape(x)[1]])[0]
    frames = shape(node.outputs[0])[1]
    positions = np.arange(frames)[:, None] * step + np.arange(length)
    indices = constant(f"{build.name}.frames", positions.astype(np.int64))
    y = build.apply("Gather", x, indices, suffix="framed", axis=1)
    if window is not None:
        y = build.apply("Mul", y, build.reshape(window, (length, 1), "window"), suffix="windowed")
    build.become("DFT", y, onesided=attribute(node, "onesided"))
