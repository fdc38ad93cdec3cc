"""The kernels of :mod:`pyhades.kernels` in NumPy, with the same signatures: the specification."""

from pyhades.kernels.reference.cutout import cut_out
from pyhades.kernels.reference.layout import copy, fill, pad, transpose

__all__ = ["copy", "cut_out", "fill", "pad", "transpose"]
