"""Writing what comes out: a film with transparency and sound, or a folder of PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.image.png import Compression, encode_png
from pyhades.segmentation.video.clip import Clip, pyav

_HDTV = 1
"""FFmpeg's number of the colours of HDTV, which all films are written in."""
_PIXELS = {"RGBA": "rgba", "RGB": "rgb24", "L": "gray"}
"""FFmpeg's word for each of Pillow's."""


@dataclass(frozen=True)
class Kind:
    """What a container holds.

    Attributes
    ----------
    container, codec
        FFmpeg's names.
    transparent, opaque
        Formats of its pixels.
    takes
        Codecs of sound that are copied.
    sound
        The one that others become, and its rate.
    options
        Of the codec.
    """

    container: str
    codec: str
    transparent: str
    opaque: str
    takes: frozenset[str]
    sound: tuple[str, int | None]
    options: Mapping[str, str] = field(default_factory=dict)


KINDS = {
    ".webm": Kind(
        "webm", "libvpx-vp9", "yuva420p", "yuv420p", frozenset({"opus", "vorbis"}),
        ("libopus", 48_000),
        {"crf": "20", "b": "0", "row-mt": "1", "cpu-used": "4", "auto-alt-ref": "0"},
    ),
    ".mov": Kind(
        "mov", "prores_ks", "yuva444p10le", "yuv422p10le",
        frozenset({"aac", "mp3", "ac3", "alac", "pcm_s16le", "pcm_s24le"}), ("aac", None),
    ),
}  # fmt: skip
"""VP9 and ProRes 4444, which both have transparency."""


class Film:
    """A film that is being written, with the times and the sound of a clip."""

    def __init__(self, path: Path, kind: Kind, clip: Clip) -> None:
        self._av = pyav()
        self._container = self._av.open(str(path), "w", format=kind.container)
        self._kind, self._clip = kind, clip
        self._stream: Any = None
        self._sound = None if clip.audio is None else Sound(self._container, kind, clip.audio)

    def write(self, picture: Image.Image) -> None:
        """Add the next frame, and what is heard before it."""
        if self._stream is None:
            self._stream = self._begin(picture)
        if (self._stream.width, self._stream.height) != picture.size:
            raise ImageError(
                f"a frame is {picture.size}, the first was of another size; put a crop on a "
                "canvas, or write a folder of PNG files"
            )
        frame = self._av.VideoFrame.from_ndarray(np.asarray(picture), _PIXELS[picture.mode])
        frame = frame.reformat(format=self._stream.pix_fmt, dst_colorspace="ITU709")
        frame.pts, frame.time_base = self._clip.times.popleft(), self._clip.video.time_base
        self._container.mux(self._stream.encode(frame))
        self._hear()

    def finish(self) -> None:
        """Write what the codecs hold back, and the end of the file."""
        if self._stream is not None:
            self._hear()
            self._container.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish()
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _begin(self, picture: Image.Image) -> Any:
        stream = self._container.add_stream(
            self._kind.codec, rate=self._clip.rate, options=dict(self._kind.options)
        )
        stream.width, stream.height = picture.size
        stream.pix_fmt = self._kind.transparent if picture.mode == "RGBA" else self._kind.opaque
        context = stream.codec_context
        context.time_base = self._clip.video.time_base
        context.colorspace = context.color_primaries = context.color_trc = _HDTV
        aspect = self._clip.video.sample_aspect_ratio
        if aspect:
            context.sample_aspect_ratio = aspect
        return stream

    def _hear(self) -> None:
        while self._sound is not None and self._clip.sound:
            self._sound.write(self._clip.sound.popleft())


class Sound:
    """The sound of a film: copied where its container takes it, encoded anew elsewhere."""

    def __init__(self, container: Any, kind: Kind, source: Any) -> None:
        self._container = container
        self._is_copied = source.codec_context.codec.canonical_name in kind.takes
        if self._is_copied:
            self._stream = container.add_stream_from_template(source)
            return
        codec, rate = kind.sound
        self._stream = container.add_stream(codec, rate=rate or source.rate)
        self._stream.layout = source.layout

    def write(self, packet: Any) -> None:
        """Add a packet of the clip's."""
        if not self._is_copied:
            for frame in packet.decode():
                self._container.mux(self._stream.encode(frame))
        elif packet.dts is not None:  # the last one is empty
            packet.stream = self._stream
            self._container.mux(packet)

    def finish(self) -> None:
        """Write what the codec holds back."""
        if not self._is_copied:
            self._container.mux(self._stream.encode(None))


class PngFolder:
    """A folder of PNG files, numbered from 000001; it has no times and no sound."""

    def __init__(self, path: Path, clip: Clip, compression: Compression) -> None:
        path.mkdir()
        self._path, self._clip, self._compression = path, clip, compression
        self._count = 0

    def write(self, picture: Image.Image) -> None:
        """Add the next frame."""
        self._clip.times.popleft()
        self._clip.sound.clear()
        self._count += 1
        data = encode_png(np.asarray(picture), compression=self._compression)
        (self._path / f"{self._count:06}.png").write_bytes(data)

    def finish(self) -> None:
        """Nothing is left to be written."""

    def close(self) -> None:
        """Nothing is open."""
