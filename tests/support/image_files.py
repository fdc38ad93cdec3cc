"""Image files that Pillow does not write: of any depth, with any key, in planes, with profiles."""

from __future__ import annotations

import functools
import io
import struct
import zlib

import numpy as np
from PIL import ImageCms


def encoded(image, file_format="PNG", **options):
    """The content of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_chunk(kind, data):
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples, depth, colour_type, key=None, profile=None):
    """A PNG of ``samples``, [h, w] or [h, w, channels], which are 0 to 2 ** depth - 1."""
    height, width = samples.shape[:2]
    bits = (samples.reshape(height, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
    rows = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    content = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", header)]
    if profile is not None:
        parts.append(png_chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)))
    if key is not None:
        parts.append(png_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)))
    parts += [png_chunk(b"IDAT", zlib.compress(content)), png_chunk(b"IEND", b"")]
    return b"".join(parts)


def tiff(
    samples, bits, photometric, *, order="<", extra=None, compressed=False, predictor=1, planes=1
):
    """A TIFF of ``samples``, [h, w, channels]; ``extra`` says what the fourth channel is."""
    height, width, channels = samples.shape
    pieces = [samples] if planes == 1 else [samples[..., c : c + 1] for c in range(channels)]
    strips = [_strip(p.astype(np.int64), bits, order, compressed, predictor) for p in pieces]
    offsets = np.cumsum([8, *map(len, strips)])[:-1]
    tags = {
        256: (3, [width]), 257: (3, [height]), 258: (3, [bits] * channels),
        259: (3, [8 if compressed else 1]), 262: (3, [photometric]), 273: (4, offsets),
        277: (3, [channels]), 278: (3, [height]), 279: (4, [len(s) for s in strips]),
        284: (3, [planes]), 317: (3, [predictor]), 338: (3, [extra]),
    }  # fmt: skip
    if extra is None:
        del tags[338]
    body = b"".join(strips)
    start = 8 + len(body)
    entries, values = b"", b""
    for tag, (kind, numbers) in tags.items():
        value = struct.pack(f"{order}{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(value) > 4:
            place = start + 2 + 12 * len(tags) + 4 + len(values)
            value, values = struct.pack(f"{order}I", place), values + value
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def _strip(samples, bits, order, compressed, predictor):
    if predictor == 2:
        samples = np.diff(samples, axis=1, prepend=0) % (1 << bits)
    content = samples.astype(f"{order}u{bits // 8}").tobytes()
    content += bytes(len(content) % 2)
    return zlib.compress(content) if compressed else content


@functools.cache  # a profile says when it was made
def srgb_profile():
    """The profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile():
    """A profile with the primaries of Display P3 and the curve of sRGB."""
    profile = bytearray(srgb_profile())
    primaries = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    (count,) = struct.unpack_from(">I", profile, 128)
    for at in range(132, 132 + 12 * count, 12):
        name, place, _ = struct.unpack_from(">4sII", profile, at)
        if name in primaries:
            fixed = [round(value * 65536) for value in primaries[name]]
            struct.pack_into(">3i", profile, place + 8, *fixed)
    return bytes(profile)


def grey_profile(curve):
    """A grey profile with a curve: the bytes of its tag ``kTRC``, or a gamma."""
    if isinstance(curve, int | float):
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(curve * 256))
    d50 = struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1, 0.8249)))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(79)
    tags = {b"desc": text, b"wtpt": b"XYZ \0\0\0\0" + d50, b"kTRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        place = 132 + 12 * len(tags) + len(body)
        table += struct.pack(">4sII", name, place, len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + d50
    return head.ljust(128, b"\0") + table + body
