"""Finding out where a compiled network goes wrong."""

from pyhades.debug.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
