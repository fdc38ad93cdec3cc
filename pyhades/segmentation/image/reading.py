"""Reading images: whatever a caller has, as uint8 RGB with what must survive on the way out."""

from __future__ import annotations

import io
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from pyhades.arguments import one_of
from pyhades.errors import ArgumentTypeError, ImageError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.image.loaded import LoadedImage

ChannelOrder = Literal["rgb", "bgr"]
ImageLike = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any]
)

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"]
"""Formats that are opened; decoders with a long record of security holes are left out."""
if find_spec("PIL.AvifImagePlugin"):  # since Pillow 11.3
    FORMATS.append("AVIF")

MAX_PIXELS = 250_000_000
"""Default limit on width times height, checked before anything is decoded."""

_SUPPORTED_MODES = (
    "1, L, LA, La, I;16, I;16B, I;16L, P, PA, RGB, RGBA, RGBa, RGBX, CMYK, YCbCr, HSV"
)


def load_image(
    image: ImageLike,
    *,
    channel_order: ChannelOrder = "rgb",
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
    buffers: Buffers = FRESH,
) -> LoadedImage:
    """Decode and normalise ``image``.

    Parameters
    ----------
    image
        A path, encoded bytes, a binary file object, a PIL image, or a uint8/uint16 array of shape
        ``[h, w]``, ``[h, w, 1]``, ``[h, w, 3]`` or ``[h, w, 4]`` (straight alpha).
    channel_order
        Of arrays only: ``"bgr"`` for what OpenCV returns.
    max_pixels
        Larger images are refused before they are decoded.
    name
        Replaces the file name in messages.
    buffers
        Where memory for files and for the pixels of JPEG comes from.

    Raises
    ------
    ImageError
        The image is broken, too large, empty, or of a kind that has no clear meaning as RGB.
    ArgumentTypeError
        ``image`` is none of the above.
    """
    one_of("channel_order", channel_order, ChannelOrder)
    if isinstance(image, np.ndarray):
        return _from_array(image, channel_order, max_pixels, name or "array")
    if isinstance(image, Image.Image):
        return _from_pil(image, max_pixels, name or getattr(image, "filename", "") or "PIL image")
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        try:
            data = read_file(path, buffers)
        except OSError as error:
            raise ImageError(f"{path}: {error.strerror or error}") from error
        return _from_bytes(data, max_pixels, name or str(path), buffers)
    if isinstance(image, bytes | bytearray | memoryview):
        return _from_bytes(memoryview(image), max_pixels, name or "image bytes", buffers)
    if hasattr(image, "read"):
        name = name or str(getattr(image, "name", "file"))
        return _from_bytes(image.read(), max_pixels, name, buffers)
    raise ArgumentTypeError(
        "image: expected a path, bytes, a binary file object, a PIL image or a NumPy array, "
        f"got {type(image).__name__}"
    )


def read_file(path: Path, buffers: Buffers) -> memoryview:
    """The content of a file, read in one go into memory that is used again.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        block = buffers.array("file", (size + 1,), np.uint8).data
        read = 0
        while count := file.readinto(block[read:]):
            read += count
            if read > size:  # it grows, or does not know its size
                return memoryview(bytes(block[:read]) + file.readall())
        return block[:read]


class _Reader(io.RawIOBase):
    """Bytes as a file that does not copy them."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data).cast("B")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._data)}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, target: Any) -> int:
        piece = self._data[self._position : self._position + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _from_bytes(
    data: bytes | memoryview, max_pixels: int, name: str, buffers: Buffers
) -> LoadedImage:
    if not len(data):
        raise ImageError(f"{name}: the file is empty")
    try:
        with warnings.catch_warnings():
            # Our own limit, which names the file, replaces Pillow's.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            header = Image.open(io.BufferedReader(_Reader(data)), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: not an image in a supported format ({', '.join(FORMATS)})"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: {error}") from error
    except Exception as error:  # Pillow's plug-ins raise what they like on hostile headers
        raise ImageError(f"{name}: unreadable image header ({error})") from error
    _check_pixels(header.width, header.height, max_pixels, name)
    is_jpeg = header.format in ("JPEG", "MPO") and header.mode in ("RGB", "L")
    size = header.height, header.width
    rgb = _decode_jpeg(data, size, buffers) if is_jpeg else None
    if rgb is None:
        return _from_pil(header, max_pixels, name)
    orientation = _orientation(header)
    return LoadedImage(
        _upright(rgb, orientation), None, _rgb_profile(header), _dpi(header, orientation), name
    )


def _decode_jpeg(
    data: bytes | memoryview, size: tuple[int, int], buffers: Buffers
) -> NDArray[np.uint8] | None:
    """Decode with libjpeg-turbo; None where it is stricter than Pillow, whose turn it is then."""
    import simplejpeg

    rgb = buffers.array("rgb", (*size, 3), np.uint8)
    try:
        decoded = simplejpeg.decode_jpeg(data, "RGB", buffer=rgb, strict=True)
    except ValueError:
        return None
    return rgb if decoded.shape == rgb.shape else np.array(decoded)


def _from_pil(image: Image.Image, max_pixels: int, name: str) -> LoadedImage:
    _check_pixels(image.width, image.height, max_pixels, name)
    try:
        image.load()
    except (
        Exception
    ) as error:  # truncated or corrupt data surfaces as OSError, SyntaxError, ValueError, ...
        raise ImageError(f"{name}: the image data is truncated or corrupt ({error})") from error
    orientation = _orientation(image)
    dpi = _dpi(image, orientation)
    profile = _rgb_profile(image)
    if orientation != 1:
        image = ImageOps.exif_transpose(image)
    rgb, alpha = _split(image, name)
    return LoadedImage(rgb, alpha, profile, dpi, name)


def _split(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    mode = image.mode
    if mode.startswith("I;16") or mode == "I":
        return _split_sixteen_bit(image, name), None
    if mode == "CMYK":
        return np.array(_cmyk_to_rgb(image)), None
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        if mode in ("La", "RGBa"):
            image = image.convert({"La": "LA", "RGBa": "RGBA"}[mode])
        rgba = np.asarray(image.convert("RGBA"))
        return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    if mode in ("1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV"):
        return np.array(image if mode == "RGB" else image.convert("RGB")), None
    raise ImageError(
        f"{name}: images of mode {mode!r} have no defined range as RGB; "
        f"convert to one of {_SUPPORTED_MODES}"
    )


def _split_sixteen_bit(image: Image.Image, name: str) -> NDArray[np.uint8]:
    # Pillow opens 16-bit greyscale as I;16 or, in older files, as 32-bit I holding the same range.
    samples = np.asarray(image).astype(np.int64)
    if samples.min() < 0 or samples.max() > 65535:
        raise ImageError(
            f"{name}: samples outside 0..65535 in a {image.mode!r} image; rescale them first"
        )
    return np.repeat(_to_eight_bit(samples)[..., None], 3, axis=2)


def _to_eight_bit(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """0..65535 to 0..255, to the nearest."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError):
            converted = None  # a broken profile is as good as none
        if converted is not None:
            return converted
    return image.convert("RGB")


def _from_array(array: NDArray[Any], channel_order: str, max_pixels: int, name: str) -> LoadedImage:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"{name}: shape {array.shape}; expected [h, w], [h, w, 1], [h, w, 3] or [h, w, 4]"
        )
    if array.dtype == np.uint16:
        array = _to_eight_bit(array)
    if array.dtype != np.uint8:
        raise ImageError(
            f"{name}: dtype {array.dtype}; expected uint8 (0..255) or uint16 (0..65535). "
            "Scale floating-point images to one of these first"
        )
    _check_pixels(array.shape[1], array.shape[0], max_pixels, name)
    if array.ndim == 2 or array.shape[2] == 1:
        return LoadedImage(np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2), name=name)
    rgb = array[..., 2::-1] if channel_order == "bgr" else array[..., :3]
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return LoadedImage(np.ascontiguousarray(rgb), alpha, name=name)


def _check_pixels(width: int, height: int, max_pixels: int, name: str) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name}: the image is {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: {width} x {height} = {width * height:,} pixels, "
            f"more than max_pixels={max_pixels:,}"
        )


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block is no reason to refuse the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an EXIF orientation: 5 to 8 swap the axes, then each is one of four mirrorings."""
    if orientation == 1:
        return rgb
    if orientation >= 5:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb)


def _rgb_profile(image: Image.Image) -> bytes | None:
    """Return the ICC profile if it is for RGB; one for CMYK or grey would not fit the result."""
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile[16:20] == b"RGB " else None


def _dpi(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    dpi: Any = image.info.get("dpi")
    try:
        horizontal, vertical = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0 < horizontal < 1e6 and 0 < vertical < 1e6):
        return None
    return (vertical, horizontal) if orientation >= 5 else (horizontal, vertical)
