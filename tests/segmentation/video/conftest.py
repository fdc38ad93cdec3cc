"""Clips from code: a bright disc that wanders over a dark ground, and a tone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

WIDTH, HEIGHT = 96, 64
RATE = 25


def disc(place, size=(HEIGHT, WIDTH)):
    """A frame whose disc is at ``place`` (x)."""
    y, x = np.mgrid[: size[0], : size[1]]
    frame = np.full((*size, 3), 30, np.uint8)
    frame[np.hypot(y - 32, x - place) < 16] = (250, 200, 40)
    return frame


@pytest.fixture
def make_clip(tmp_path):
    """Write a clip; its path."""
    av = pytest.importorskip("av")

    def make(name="clip.mp4", sound="aac", times=range(8), rotation=None, places=None):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=RATE)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            if rotation is not None:
                video.set_display_rotation(rotation)
            audio = container.add_stream(sound, rate=48_000) if sound else None
            for time, place in zip(times, places or range(20, 96, 4), strict=False):
                frame = av.VideoFrame.from_ndarray(disc(place))
                frame.pts, frame.time_base = time, Fraction(1, RATE)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if audio is not None:
                count = 48_000 * (max(times, default=0) + 1) // RATE
                tone = (np.sin(np.arange(count) * 0.0576) * 9000).astype(np.int16)
                heard = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], "s16", "stereo")
                heard.sample_rate, heard.pts = 48_000, 0
                container.mux(audio.encode(heard))
                container.mux(audio.encode(None))
        return path

    return make
