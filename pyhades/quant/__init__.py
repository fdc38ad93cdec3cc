"""Weight formats: codecs in NumPy, the specification of the native ones."""

from pyhades.quant.formats import BLOCK, FORMATS, LAYOUT, TILE, Format, format_named
from pyhades.quant.tensor import PackedWeight, QuantizedTensor

__all__ = [
    "BLOCK",
    "FORMATS",
    "LAYOUT",
    "TILE",
    "Format",
    "PackedWeight",
    "QuantizedTensor",
    "format_named",
]
