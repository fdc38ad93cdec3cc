"""From the bytes of a file to an image of Pillow's, with errors that name the file."""

from __future__ import annotations

from typing import IO, Any, cast

from PIL import ExifTags, Image, UnidentifiedImageError

from pyhades.errors import ImageError
from pyhades.segmentation.image.formats import formats_for, is_heif, register_heif, why_not
from pyhades.segmentation.image.limits import check_pixels, limited
from pyhades.segmentation.image.sources import Reader


def open_header(data: bytes | memoryview, max_pixels: int, name: str) -> Image.Image:
    """What a file says of itself; its pixels are not decoded yet.

    Raises
    ------
    ImageError
        It is empty, no picture, of a kind that is not opened, or too large.
    """
    if not len(data):
        raise ImageError(f"{name}: the file is empty")
    start = bytes(data[:16])
    if is_heif(start):
        register_heif()
    try:
        with limited(max_pixels, name):
            file = cast(IO[bytes], Reader(data))
            header = Image.open(file, formats=formats_for(name))
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {why_not(name, start)}") from error
    except ImageError:
        raise
    except Exception as error:  # Pillow's plug-ins raise what they like on hostile headers
        raise ImageError(f"{name}: unreadable image header ({error})") from error
    check_pixels(*header.size, max_pixels, name)
    return header


def load_pixels(image: Image.Image, name: str) -> None:
    """Have Pillow decode the image, or the frame at which it stands."""
    try:
        image.load()
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(f"{name}: there is not enough memory for its pixels") from error
    except Exception as error:  # OSError, SyntaxError, ValueError, ...
        if is_closed(image):
            raise ImageError(
                f"{name}: the image was closed before its pixels were read; "
                "give it inside its with block, or call load() there"
            ) from error
        raise ImageError(f"{name}: the image data is truncated or corrupt ({error})") from error


def is_closed(image: Image.Image) -> bool:
    """Whether an image of Pillow's has lost its file, or its pixels."""
    try:
        image.im  # noqa: B018 - a property that raises
    except ValueError:
        return True
    except AssertionError:  # not decoded yet
        pass
    file = getattr(image, "fp", None)
    return bool(getattr(image, "tile", ())) and (file is None or file.closed)


def orientation_of(image: Image.Image) -> int:
    """How the pixels lie, by EXIF: 1 to 8, where 1 is upright."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block is no reason to refuse the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def dpi_of(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    """``(horizontal, vertical)`` resolution of the upright picture, where it makes sense."""
    dpi: Any = image.info.get("dpi")
    try:
        horizontal, vertical = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0 < horizontal < 1e6 and 0 < vertical < 1e6):
        return None
    return (vertical, horizontal) if orientation >= 5 else (horizontal, vertical)
