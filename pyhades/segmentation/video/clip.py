"""Reading a clip: its frames as pictures, their times, and its sound as it is stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ConfigurationError, ImageError, MissingImageError

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".3gp", ".wmv",
    ".flv", ".ogv",
})  # fmt: skip

_UNTOLD = 2
"""FFmpeg's number of a colour space that nobody has told."""
_HIGH = 720
"""Lines from which on such a picture is taken for one of HDTV."""


def pyav() -> Any:
    """The package ``av``; ConfigurationError, with what to install, where it is missing."""
    try:
        import av
    except ImportError as error:
        raise ConfigurationError("clips need PyAV: pip install 'pyhades[video]'") from error
    return av


class Clip:
    """A clip that is open.

    Parameters
    ----------
    path
        Of its file.

    Attributes
    ----------
    video, audio
        PyAV's streams: the first of pictures, and the first of sound or None.
    times
        Of the frames that were given out, in units of ``video.time_base``; whoever takes a frame
        takes its time.
    sound
        Packets that were met between those frames, likewise.

    Raises
    ------
    ConfigurationError
        PyAV is not installed.
    ImageError
        There are no moving pictures in the file, or there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._av = pyav()
        self._path = path
        if not path.exists():
            raise MissingImageError(f"{path}: there is no such file")
        try:
            self._container = self._av.open(str(path))
        except self._av.FFmpegError as error:
            raise ImageError(f"{path}: not a clip ({error.strerror})") from error
        if not self._container.streams.video:
            self.close()
            raise ImageError(f"{path}: there are no pictures in it")
        self.video = self._container.streams.video[0]
        self.video.thread_type = "AUTO"
        self.audio = next(iter(self._container.streams.audio), None)
        self.times: deque[int] = deque()
        self.sound: deque[Any] = deque()

    @property
    def count(self) -> int | None:
        """How many frames there are; None where the file does not say."""
        return self.video.frames or None

    @property
    def rate(self) -> Fraction:
        """Frames per second, on average."""
        return Fraction(self.video.average_rate or self.video.guessed_rate or 25)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Upright frames in the order of time; uint8 ``[height, width, 3]``."""
        streams = [stream for stream in (self.video, self.audio) if stream is not None]
        step = max(1, round(1 / (self.rate * self.video.time_base)))
        last = -step
        try:
            for packet in self._container.demux(*streams):
                if packet.stream.type == "audio":
                    self.sound.append(packet)
                    continue
                for frame in packet.decode():
                    last = last + step if frame.pts is None else frame.pts
                    self.times.append(last)
                    yield _upright(frame)
        except self._av.FFmpegError as error:
            raise ImageError(f"{self._path}: broken ({error.strerror})") from error

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _upright(frame: Any) -> NDArray[np.uint8]:
    """Colours of a frame, turned as the file says that it is to be shown."""
    how = {"src_colorspace": "ITU709"} if _is_untold_hdtv(frame) else {}
    rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", **how)
    turns = round(frame.rotation / 90)  # counted against the clock, as NumPy does
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _is_untold_hdtv(frame: Any) -> bool:
    return bool(frame.colorspace == _UNTOLD and min(frame.width, frame.height) >= _HIGH)
