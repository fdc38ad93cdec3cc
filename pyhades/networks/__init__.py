"""Networks of the kinds that we run, built from code with random weights: for tests and benchmarks.

They have the operators, sizes and shapes of the real ones, so a clone without any model file
tests and measures the same work.
"""

from pyhades.networks.swin import SwinConfig, swin, write_swin
from pyhades.networks.u2net import u2net, write_u2net

__all__ = ["SwinConfig", "swin", "u2net", "write_swin", "write_u2net"]
