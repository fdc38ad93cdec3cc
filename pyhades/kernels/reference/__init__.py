"""The kernels of :mod:`pyhades.kernels` in NumPy, with the same signatures: the specification."""

from pyhades.kernels.reference.cutout import cut_out

__all__ = ["cut_out"]
