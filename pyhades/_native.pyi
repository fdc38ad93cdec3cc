from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Buffer = memoryview | bytes | bytearray | np.ndarray[Any, Any]
Operand = tuple[int, int, str, Sequence[int], Sequence[int]] | None
AttributeValue = int | float | str | Sequence[int] | Sequence[float]

class Implementation(NamedTuple):
    family: str
    function: str
    name: str
    is_supported: bool

class FunctionInfo(NamedTuple):
    operands: int
    number: int
    in_programs: bool
    dtypes: frozenset[str]
    is_predicate: bool
    is_activation: bool

class Instruction(NamedTuple):
    op: str
    label: str
    kernel: str
    flops: float
    bytes: float
    is_most: bool

class Timing(NamedTuple):
    seconds: float
    flops: float
    bytes: float

def tiers() -> list[str]: ...
def supported_tiers() -> list[str]: ...
def tier_name(isa: str | None = None) -> str: ...
def implementations() -> list[Implementation]: ...
def selected(function: str, isa: str | None = None) -> str: ...
def element_functions() -> dict[str, FunctionInfo]: ...
def team_of(threads: int | None = None) -> Team: ...

class Packed:
    layout: str
    nbytes: int

def pack(
    op: str, inputs: list[Any], outputs: list[Any], index: int, isa: str | None = None
) -> Packed: ...
def call(
    op: str,
    inputs: list[Any],
    outputs: list[Any],
    attributes: Mapping[str, AttributeValue] | None = None,
    constants: Iterable[int] = (),
    threads: int | None = None,
    isa: str | None = None,
) -> str: ...
def measure_peak_gflops(isa: str | None = None, threads: int = 1) -> float: ...
def measure_peak_int8_gops(isa: str | None = None, threads: int = 1) -> float: ...
def measure_bandwidth_gbs(
    isa: str | None = None, threads: int = 1, nbytes: int = ..., passes: int = ...
) -> float: ...

class Team:
    def __init__(self, threads: int) -> None: ...
    @property
    def threads(self) -> int: ...

class ProgramBuilder:
    ARENA: int
    def __init__(self, isa: str | None = None) -> None: ...
    def constant(self, data: Buffer, key: str, source: str = "memory") -> int: ...
    def io(self, name: str, nbytes: int) -> int: ...
    def emit(
        self,
        op: str,
        inputs: list[Operand],
        outputs: list[Operand],
        attributes: Mapping[str, AttributeValue],
        label: str,
    ) -> int: ...
    def build(self, arena_bytes: int) -> Program: ...

class Program:
    @property
    def instructions(self) -> list[Instruction]: ...
    @property
    def constant_bytes(self) -> int: ...
    @property
    def arena_bytes(self) -> int: ...
    @property
    def isa(self) -> str: ...

class Context:
    def __init__(self, program: Program, team: Team) -> None: ...
    @property
    def program(self) -> Program: ...
    @property
    def team(self) -> Team: ...
    @property
    def arena(self) -> memoryview: ...
    def run(
        self, bindings: Mapping[int, Buffer] | None = None, first: int = 0, last: int = -1
    ) -> None: ...
    def trace(self, bindings: Mapping[int, Buffer] | None = None) -> list[Timing]: ...
    def cancel(self) -> None: ...
    def close(self) -> None: ...
