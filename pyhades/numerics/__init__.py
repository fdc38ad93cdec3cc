"""The mathematics of every operator in NumPy, once: the specification.

Functions take arrays and plain numbers, check nothing and compute in the dtype that they are given:
float64 arrays are computed in float64. The operators of :mod:`pyhades.ir` and the references of
:mod:`pyhades.kernels.reference` check their arguments, choose the dtype and round the result.
Weight formats are specified by :mod:`pyhades.quant`.
"""
