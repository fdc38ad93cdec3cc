"""Which kinds of files are pictures, and which of them are opened.

Decoders with a long record of security holes are left out. What somebody has registered with
Pillow beside its own plug-ins was meant to be used, and is.
"""

from __future__ import annotations

import importlib
import threading
from importlib.util import find_spec
from pathlib import PurePath

from PIL import Image

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "QOI", "ICO"]
"""Formats of Pillow that are opened, by its names for them."""
if find_spec("PIL.AvifImagePlugin"):  # since Pillow 11.3
    FORMATS.append("AVIF")

_BY_SUFFIX = {suffix: "TGA" for suffix in (".tga", ".icb", ".vda", ".vst")}
"""Formats without a signature: a file is only taken for one if its name says so."""
_NO_PICTURES = {"BUFR", "GRIB", "HDF5", "MPEG"}
"""Of these Pillow knows the suffix and nothing else."""

HEIF_SUFFIXES = frozenset((".heic", ".heics", ".heif", ".heifs", ".hif"))
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIF_BRANDS |= {b"mif1", b"msf1"}
_HEIF_PACKAGES = ("pillow_heif", "pi_heif")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_registering = threading.Lock()


def picture_suffixes() -> frozenset[str]:
    """Suffixes, in lower case, of files that are pictures; of those, too, that are not opened.

    Whoever looks for pictures in a folder finds all that Pillow knows, so that none is passed over
    in silence.

    Examples
    --------
    >>> {".jpg", ".jfif", ".heic", ".psd"} <= picture_suffixes()
    True
    """
    known = Image.registered_extensions()
    kinds = Image.OPEN.keys() - _NO_PICTURES | {"MPO"}  # which the opener of JPEG reads
    return frozenset(suffix for suffix, kind in known.items() if kind in kinds) | HEIF_SUFFIXES


def opened_suffixes() -> frozenset[str]:
    """Suffixes, in lower case, of the pictures among them that are opened.

    Examples
    --------
    >>> ".jfif" in opened_suffixes(), ".psd" in opened_suffixes()
    (True, False)
    """
    known = Image.registered_extensions()
    kinds = {*FORMATS, *_registered(), *_BY_SUFFIX.values(), "MPO"}
    found = frozenset(suffix for suffix, kind in known.items() if kind in kinds)
    return found | HEIF_SUFFIXES if any(map(find_spec, _HEIF_PACKAGES)) else found


def formats_for(name: str) -> list[str]:
    """Formats that a file of this name may have, in the order in which they are tried."""
    by_suffix = _BY_SUFFIX.get(_suffix(name))
    return [*FORMATS, *_registered(), *([by_suffix] if by_suffix else [])]


def is_heif(start: bytes) -> bool:
    """Whether a file that begins so is HEIC."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def register_heif() -> bool:
    """Make Pillow know HEIC, with the package that the extra brings; whether it does now."""
    with _registering:
        for package in _HEIF_PACKAGES:
            if "HEIF" not in Image.OPEN and find_spec(package):
                importlib.import_module(package).register_heif_opener()
    return "HEIF" in Image.OPEN


def why_not(name: str, start: bytes) -> str:
    """What to say of a file that nothing opens."""
    if is_heif(start):
        return (
            "HEIC files need the extra 'heif' (pip install 'pyhades[heif]'), "
            "or an opener that is registered with Pillow"
        )
    kind = Image.registered_extensions().get(_suffix(name), "")
    if kind in Image.OPEN and kind not in formats_for(name) and kind != "MPO":
        return (
            f"{kind} files are not opened, to keep to decoders that are in wide use; convert the "
            "file to PNG or TIFF, or open it with Pillow and give its image"
        )
    if start.startswith(_TIFF_STARTS):
        return "a TIFF with a layout that is not supported; save it as 8- or 16-bit RGB or grey"
    known = ", ".join(each for each in formats_for(name) if each != "DIB")
    return f"not an image in a supported format ({known})"


def _registered() -> list[str]:
    """Formats whose opener does not come from Pillow itself."""
    return [
        kind
        for kind, (factory, _) in list(Image.OPEN.items())
        if kind not in FORMATS and not getattr(factory, "__module__", "PIL.").startswith("PIL.")
    ]


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()
