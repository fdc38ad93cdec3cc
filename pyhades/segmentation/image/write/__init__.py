"""Writing pictures: a table of formats, options, and one module for each family of formats."""

from pyhades.segmentation.image.write.formats import FILE_FORMATS, FORMATS, WriteFormat, format_of
from pyhades.segmentation.image.write.options import Bits, WriteOptions, check_output, check_size

__all__ = [
    "FILE_FORMATS",
    "FORMATS",
    "Bits",
    "WriteFormat",
    "WriteOptions",
    "check_output",
    "check_size",
    "format_of",
]
