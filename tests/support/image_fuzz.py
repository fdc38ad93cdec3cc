"""Image files with mistakes in them, and what reading them may and may not do.

``python -m tests.support.image_fuzz FIRST COUNT`` reads that many in this process, with bounds on
time and memory, and prints what came of it as JSON.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from itertools import islice

import numpy as np
from PIL import Image

from pyhades.bench.memory import high_water_mark
from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.image.frames import frames
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import encoded, grey_profile, png, tiff, wide_profile

MAX_PIXELS = 1_000_000
MOST_MEMORY = 400 << 20
"""Bytes that reading may add to what a process has: several copies of the largest picture."""
MOST_SECONDS = 60
"""Of a file, after which it counts as hanging."""
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds():
    """Small files of all formats, by name."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (12, 18, 3), np.uint8))
    rgba, grey = rgb.convert("RGBA"), rgb.convert("L")
    rgba.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    more = {"exif": exif, "icc_profile": wide_profile(), "dpi": (300, 200)}
    moving = {"save_all": True, "append_images": [rgb.rotate(90), rgb], "duration": 50, "loop": 1}
    found = {
        "a.jpg": encoded(rgb, "JPEG", **more),
        "grey.jpg": encoded(grey, "JPEG", icc_profile=grey_profile(1.8)),
        "progressive.jpg": encoded(rgb, "JPEG", progressive=True),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "a.mpo": encoded(rgb, "MPO", save_all=True, append_images=[rgb]),
        "a.png": encoded(rgba, "PNG", **more),
        "palette.png": encoded(rgb.convert("P"), "PNG", transparency=bytes(range(256))),
        "moving.png": encoded(rgb, "PNG", **moving),
        "a.webp": encoded(rgb, "WEBP", **{**more, "exif": exif.tobytes()}),
        "lossless.webp": encoded(rgba, "WEBP", lossless=True),
        "moving.webp": encoded(rgb, "WEBP", **moving),
        "a.gif": encoded(rgb.convert("P"), "GIF", transparency=3),
        "moving.gif": encoded(rgb, "GIF", **moving),
        "pages.tif": encoded(grey.copy(), "TIFF", save_all=True, append_images=[rgba.copy()]),
        "a.tif": encoded(rgb, "TIFF", **more), "a.bmp": encoded(rgb, "BMP"),
        "a.dib": encoded(grey, "DIB"),
        "rle.bmp": _rle_bitmap(), "a.qoi": encoded(rgb, "QOI"),
        "a.ppm": encoded(rgb, "PPM"), "a.pbm": encoded(rgb.convert("1"), "PPM"),
        "plain.pgm": b"P2 3 2 255\n1 2 3 4 5 6\n", "a.pfm": encoded(grey.convert("F"), "PPM"),
        "a.ico": encoded(rgba, "ICO"), "a.tga": encoded(rgba, "TGA", compression="tga_rle"),
    }  # fmt: skip
    for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        found[f"{kind}.tif"] = encoded(rgb, "TIFF", compression=kind)
    found["fax.tif"] = encoded(rgb.convert("1"), "TIFF", compression="group4")
    for colour_type, channels in ((0, 1), (2, 3), (4, 2), (6, 4)):
        deep = rng.integers(0, 65536, (5, 7, channels))
        found[f"{colour_type}.16.png"] = png(deep, 16, colour_type, profile=grey_profile(2.2))
    for extra in (0, 1, 2):
        deep = rng.integers(0, 65536, (5, 7, 4))
        found[f"{extra}.16.tif"] = tiff(deep, 16, 2, extra=extra, compressed=extra == 1)
    found["lab.tif"] = tiff(rng.integers(0, 256, (5, 7, 3)), 8, 8)
    found["planes.tif"] = tiff(rng.integers(0, 256, (5, 7, 3)), 8, 2, planes=2)
    for name, options in {"AVIF": {"quality": 80}, "HEIF": {}}.items():
        if name in Image.SAVE:
            found[f"a.{name.lower()}"] = encoded(rgb.resize((64, 64)), name, **options)
    return found


def mutated(number, originals):
    """The name and the content of one file; the same for the same number."""
    rng = np.random.default_rng(number)
    name = list(originals)[int(rng.integers(len(originals)))]
    data = bytearray(originals[name])
    for _ in range(int(rng.geometric(0.5))):
        _KINDS[int(rng.integers(len(_KINDS)))](rng, data, originals)
    if name.endswith(".png") and rng.random() < 0.7:
        _mend_checksums(data)
    return name, bytes(data)


def outcome(name, data):
    """What became of reading a file: a word for what is allowed; anything else raises."""
    try:
        loaded = load_image(data, name=name, max_pixels=MAX_PIXELS, first_frame=True)
        assert loaded.rgb.shape[2] == 3 and loaded.rgb.size <= 3 * MAX_PIXELS
        assert loaded.alpha is None or loaded.alpha.shape == loaded.size
        assert loaded.shown is None or loaded.shown.shape == loaded.rgb.shape
        for frame in islice(frames(data, name=name, max_pixels=MAX_PIXELS), 4):
            assert frame.rgb.size <= 3 * MAX_PIXELS
        return "read"
    except (ImageError, ArgumentError) as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError(f"{name}: more was asked for than there may be") from error
        return "refused"


def run(first, count):
    """Read files ``first`` to ``first + count``; counts of outcomes, and the largest figures."""
    warnings.simplefilter("ignore")
    originals = seeds()
    for name, data in originals.items():
        if outcome(name, data) != "read" and name != "a.pfm":
            raise AssertionError(f"{name} is refused as it is")
    before, counts, slowest = high_water_mark(), Counter(), 0.0
    least = before + 2 * MOST_MEMORY
    address_space = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
    resource.setrlimit(resource.RLIMIT_AS, (address_space + least, resource.RLIM_INFINITY))
    for number in range(first, first + count):
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        began = time.process_time()
        name, data = mutated(number, originals)
        try:
            counts[outcome(name, data)] += 1
        except BaseException as error:
            raise AssertionError(f"file {number} ({name}): {error!r}") from error
        slowest = max(slowest, time.process_time() - began)
    faulthandler.cancel_dump_traceback_later()
    grown = high_water_mark() - before
    if grown > MOST_MEMORY:
        raise AssertionError(f"memory has grown by {grown >> 20} MiB")
    return {**counts, "slowest_s": round(slowest, 3), "grown_mib": grown >> 20}


def _place(rng, data):
    """Somewhere; in the first bytes more often, as headers are there."""
    reach = len(data) if rng.random() < 0.4 else min(len(data), 120)
    return int(rng.integers(max(1, reach)))


def _set_byte(rng, data, originals):
    if data:
        data[_place(rng, data)] = int(rng.integers(256))


def _flip_bit(rng, data, originals):
    if data:
        data[_place(rng, data)] ^= 1 << int(rng.integers(8))


def _set_number(rng, data, originals):
    value, width = _NUMBERS[int(rng.integers(len(_NUMBERS)))], int(rng.choice([2, 4]))
    order = "<" if rng.random() < 0.5 else ">"
    packed = struct.pack(f"{order}I", value)
    at = _place(rng, data)
    piece = packed[:width] if order == "<" else packed[-width:]
    data[at : at + width] = piece[: max(0, len(data) - at)]


def _cut(rng, data, originals):
    del data[_place(rng, data) :]


def _repeat(rng, data, originals):
    at, length = _place(rng, data), int(rng.integers(1, 40))
    data[at:at] = data[at : at + length]


def _remove(rng, data, originals):
    at = _place(rng, data)
    del data[at : at + int(rng.integers(1, 40))]


def _splice(rng, data, originals):
    other = list(originals.values())[int(rng.integers(len(originals)))]
    at = _place(rng, data)
    data[at:] = other[at:]


_KINDS = (_set_byte, _set_byte, _flip_bit, _flip_bit, _set_number, _set_number, _set_number,
          _cut, _repeat, _remove, _splice)  # fmt: skip


def _mend_checksums(data):
    """So that what is in chunks is looked at."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4


def _rle_bitmap():
    pixels = b"\4\1\0\0" * 2 + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(pixels), 0, 0, 2, 0)
    palette = bytes(4) + b"\xff\xff\xff\0"
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + palette + pixels


if __name__ == "__main__":
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    sys.stdout.write(json.dumps(run(*map(int, sys.argv[1:3]))) + "\n")
