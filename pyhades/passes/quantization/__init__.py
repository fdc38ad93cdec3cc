"""Quantised files of every family become float operators between edges on grids.

:func:`merge_quantization` finds what the integers stand for: those that are only carried from one
operator to another become numbers on a grid (``FakeQuantize``, and constants whose type names the
grid). Integers that someone wants to see, an output of the graph say, stay integers.
:func:`emulate_quantization` computes the grids in floats, where no kernel computes with the
integers themselves.
"""

from pyhades.passes.quantization.emulate import emulate_quantization
from pyhades.passes.quantization.merge import merge_quantization
from pyhades.passes.quantization.presence import is_quantised

__all__ = ["emulate_quantization", "is_quantised", "merge_quantization"]
