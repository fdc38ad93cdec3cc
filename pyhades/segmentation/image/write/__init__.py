"""Writing pictures: a table of formats, options, and one module for each family of formats."""

from pyhades.segmentation.image.write.formats import FILE_FORMATS, FORMATS, WriteFormat, format_of
from pyhades.segmentation.image.write.frames import WrittenFrame, check_frames, write_frames
from pyhades.segmentation.image.write.image import write_image
from pyhades.segmentation.image.write.info import Info
from pyhades.segmentation.image.write.options import Bits, WriteOptions, check_output, check_size

__all__ = [
    "FILE_FORMATS",
    "FORMATS",
    "Bits",
    "Info",
    "WriteFormat",
    "WriteOptions",
    "WrittenFrame",
    "check_frames",
    "check_output",
    "check_size",
    "format_of",
    "write_frames",
    "write_image",
]
