"""An inspection as an object: for Python, for a terminal, for a notebook, and as JSON."""

from __future__ import annotations

import dataclasses
import html
from dataclasses import dataclass, field
from typing import Any

from pyhades.segmentation.manifest import ModelManifest
from pyhades.tables import as_html, as_lines, as_table


@dataclass(frozen=True)
class Port:
    """An input or an output."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None
    role: str = ""
    """What it is fed, or what it was found to hold."""

    @property
    def type(self) -> str:
        """Dtype and shape in one."""
        extents = "?" if self.shape is None else ", ".join(map(str, self.shape))
        return f"{self.dtype}[{extents}]"


@dataclass(frozen=True)
class KernelUse:
    """A native operator, the kernel that runs it, and how much of the work that is."""

    op: str
    kernel: str
    count: int
    gmac: float
    share: float


@dataclass(frozen=True)
class Inspection:
    """What :func:`pyhades.inspect` found.

    Attributes
    ----------
    source
        The file.
    bytes
        Its size, without external data.
    producer, opset, ir_version
        What the file says of itself.
    inputs, outputs
        See :class:`Port`.
    operators
        Nodes per operator, as the importer translated them.
    weights, weight_bytes
        Number of weights, and bytes per dtype.
    basis
        How the manifest was found.
    is_guess
        Whether it is a guess.
    manifest
        Preparation and meaning that will be used; None where the model is refused.
    reasons
        What the guess follows from.
    refusal
        Why :class:`pyhades.Remover` does not take the model; empty where it does.
    kernels
        What runs; empty where the graph could not be compiled.
    problem
        Why it could not be compiled; empty where it could.
    gmac
        10^9 multiply-adds for one picture.
    arena_bytes, constant_bytes
        Memory of the compiled network.
    compiled_for
        Shapes of its inputs.
    tier, thread_count
        What it was compiled for.
    """

    source: str
    bytes: int
    producer: str
    opset: str
    ir_version: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: dict[str, int]
    weights: int
    weight_bytes: dict[str, int]
    basis: str = ""
    is_guess: bool = False
    manifest: ModelManifest | None = None
    reasons: tuple[str, ...] = ()
    refusal: str = ""
    kernels: tuple[KernelUse, ...] = ()
    problem: str = ""
    gmac: float = 0.0
    arena_bytes: int = 0
    constant_bytes: int = 0
    compiled_for: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tier: str = ""
    thread_count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        found = dataclasses.asdict(self)
        if self.manifest is not None:
            states, constants = dict(self.manifest.states), dict(self.manifest.constants)
            found["manifest"] |= {"states": states, "constants": constants}
        return found

    def facts(self) -> list[tuple[str, str]]:
        """What is said in one line each."""
        weights = ", ".join(
            f"{size / 1e6:.1f} MB {dtype}" for dtype, size in self.weight_bytes.items()
        )
        found = [
            ("file", f"{self.source}, {self.bytes / 1e6:.1f} MB"),
            ("written by", f"{self.producer or 'unknown'}; opset {self.opset}, "
                           f"IR version {self.ir_version}"),
            ("weights", f"{self.weights / 1e6:.2f} M: {weights or 'none'}"),
            ("operators", ", ".join(f"{op} {count}" for op, count in self.operators.items())),
        ]  # fmt: skip
        if self.kernels:
            shapes = ", ".join(f"{name} {list(shape)}" for name, shape in self.compiled_for.items())
            found += [
                ("work", f"{self.gmac:.2f} GMAC for {shapes}"),
                ("memory", f"arena {self.arena_bytes / 1e6:.1f} MB, "
                           f"constants {self.constant_bytes / 1e6:.1f} MB"),
                ("runs on", f"{self.tier}, {self.thread_count} threads"),
            ]  # fmt: skip
        if self.problem:
            found.append(("not compiled", self.problem))
        if self.refusal:
            found.append(("refused", self.refusal))
        return found

    def preparation(self) -> list[tuple[str, str]]:
        """How pictures are prepared and outputs are read."""
        m = self.manifest
        if m is None:
            return []
        height, width = m.input_size
        antialias = "" if m.antialias else ", not antialiased"
        picked = f"all but {m.background}" if m.background is not None else str(m.foreground)
        licence = m.licence or "unknown"
        if m.commercial_use is not None:
            licence += ", commercial use " + ("allowed" if m.commercial_use else "NOT allowed")
        found = [
            ("manifest", f"{m.name}, {self.basis}"),
            ("picture", f"{width} x {height}, {m.policy}, {m.resample}{antialias}, "
                        f"{m.channel_order}"),
            ("numbers", f"{m.scale}, mean {_triple(m.mean)}, std {_triple(m.std)}"),
            ("output", f"{m.output!r}, {m.output_layout}, {m.output_bounds[0]:g}.."
                       f"{m.output_bounds[1]:g}, activation {m.activation}, foreground {picked}"),
            ("mask", f"range {m.range}, enlarged {m.upsample}"),
            ("licence", licence),
        ]  # fmt: skip
        if m.states:
            found.append(("memory of frames", ", ".join(f"{a} <- {b}" for a, b in m.states)))
        if m.constants:
            found.append(("always fed", ", ".join(f"{a} = {b}" for a, b in m.constants)))
        if m.source:
            found.append(("source", m.source))
        return found

    def port_rows(self) -> list[list[str]]:
        """Inputs and outputs as a table."""
        rows = [["", "name", "type", "what"]]
        for kind, ports in (("input", self.inputs), ("output", self.outputs)):
            rows += [[kind, port.name, port.type, port.role] for port in ports]
        return rows

    def kernel_rows(self) -> list[list[str]]:
        """Native operators as a table, the most work first."""
        rows = [["operator", "kernel", "count", "GMAC", "share"]]
        return rows + [
            [use.op, use.kernel, str(use.count), f"{use.gmac:.3f}", f"{use.share:.1%}"]
            for use in self.kernels
        ]

    def __str__(self) -> str:
        parts = [as_lines(self.facts()), as_table(self.port_rows())]
        if self.manifest is not None:
            parts.append(as_lines(self.preparation()))
        if self.reasons:
            title = "guessed, since" if self.is_guess else "seen in the graph"
            parts.append("\n".join([f"{title}:", *(f"  - {reason}" for reason in self.reasons)]))
        if self.kernels:
            parts.append(as_table(self.kernel_rows(), (2, 3, 4)))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        facts = "".join(
            f"<tr><th align='left'>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>"
            for key, value in [*self.facts(), *self.preparation()]
        )
        reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.reasons)
        tables = as_html(self.port_rows()) + (as_html(self.kernel_rows()) if self.kernels else "")
        return f"<table>{facts}</table><ul>{reasons}</ul>{tables}"


def _triple(values: tuple[float, float, float]) -> str:
    if len(set(values)) == 1:
        return f"{values[0]:g}"
    return " ".join(f"{value:g}" for value in values)
