"""Where grids have 8 bits, values are bytes, and products are sums of integers.

:func:`compute_in_integers` finds the products whose operands lie on such grids, lets the bytes flow
from one to the next through whatever only moves or pools them, and leaves everything else to
:func:`~pyhades.passes.quantization.emulate_quantization`, which computes the same numbers in
floats. :func:`store_integers` runs when epilogues are fused: finished products become bytes before
they are stored.
"""

from pyhades.passes.integers.compute import compute_in_integers
from pyhades.passes.integers.storing import store_integers

__all__ = ["compute_in_integers", "store_integers"]
