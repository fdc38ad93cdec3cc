"""The former place of :func:`load_image`, for code that imports it from here."""

from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ChannelOrder, ImageLike, load_image

__all__ = ["MAX_PIXELS", "ChannelOrder", "ImageLike", "LoadedImage", "load_image"]
