"""A clip in, a clip out: transparency, times, sound, and what is refused."""

from __future__ import annotations

import sys
import wave

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ArgumentError, ConfigurationError, ImageError
from pyhades.segmentation import Finish, ModelManifest, Remover
from pyhades.segmentation.video import remove_video

av = pytest.importorskip("av")


class Brightness:
    """Bright is foreground."""

    def __call__(self, planes):
        return (planes.mean(axis=1, keepdims=True) > 0.4).astype(np.float32)

    def close(self):
        pass


@pytest.fixture
def remover():
    with Remover.from_network(Brightness(), ModelManifest("bright", (64, 96))) as made:
        yield made


def pictures(path):
    """Frames as RGBA, and their times in seconds."""
    decoder = av.CodecContext.create("libvpx-vp9", "r") if path.suffix == ".webm" else None
    frames = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            frames += decoder.decode(packet) if decoder else packet.decode()
        base = container.streams.video[0].time_base
    return [f.to_ndarray(format="rgba") for f in frames], [float(f.pts * base) for f in frames]


def sound(path):
    with av.open(str(path)) as container:
        name = container.streams.audio[0].codec_context.codec.canonical_name
        return name, sum(frame.samples for frame in container.decode(audio=0))


TIMES = [0, 1, 2, 5, 6, 10, 11, 12]


@pytest.mark.parametrize(("suffix", "heard"), [(".webm", "opus"), (".mov", "aac")])
def test_transparency_times_and_sound(remover, make_clip, tmp_path, suffix, heard):
    clip, out, told = make_clip(times=TIMES), tmp_path / f"out{suffix}", []
    assert remove_video(remover, clip, out, progress=lambda *counts: told.append(counts)) == 8
    frames, times = pictures(out)
    assert times == pytest.approx([time / 25 for time in TIMES], abs=0.001)
    assert told[-1] == (8, 8)
    for i, frame in enumerate(frames):
        middle = frame[32, 20 + 4 * i].astype(int)
        assert np.abs(middle - [250, 200, 40, 255]).max() < 12 and frame[5, 5, 3] < 6
    name, samples = sound(out)
    assert name == heard and samples == pytest.approx(48_000 * 13 / 25, abs=2048)
    if suffix == ".mov":  # copied, not encoded anew
        assert sound(clip) == (name, samples)
    assert not list(tmp_path.glob(".pyhades*"))


def test_a_background_and_a_mask_have_no_transparency(remover, make_clip, tmp_path):
    clip = make_clip(sound=None)
    remove_video(remover, clip, tmp_path / "red.mov", background="red")
    remove_video(remover, clip, tmp_path / "mask.webm", output="mask")
    (red, *_), _ = pictures(tmp_path / "red.mov")
    (mask, *_), _ = pictures(tmp_path / "mask.webm")
    assert np.abs(red[5, 5].astype(int) - [255, 0, 0, 255]).max() < 6
    assert mask[32, 20, :3].min() > 245 and mask[5, 5, :3].max() < 10
    with av.open(str(tmp_path / "red.mov")) as container:
        assert container.streams.video[0].pix_fmt.startswith("yuv422p")


def test_a_folder_of_files(remover, make_clip, tmp_path):
    clip, folder = make_clip(), tmp_path / "frames"
    folder.mkdir()
    remove_video(remover, clip, folder)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{i:06}.png" for i in range(1, 9)]
    assert Image.open(folder / names[0]).getpixel((20, 32))[3] == 255
    with pytest.raises(ArgumentError, match="a folder that holds something"):
        remove_video(remover, clip, folder, overwrite=True)


def test_finishing(remover, make_clip, tmp_path):
    clip, crop = make_clip(sound=None), Finish(crop=True)
    remove_video(remover, clip, tmp_path / "small.webm", finish=Finish(long_side=48))
    (frame, *_), _ = pictures(tmp_path / "small.webm")
    assert frame.shape == (32, 48, 4)
    remove_video(remover, clip, tmp_path / "sizes", finish=crop)
    assert Image.open(tmp_path / "sizes" / "000001.png").width < 48
    wide = make_clip("wide.mp4", sound=None, places=[20, 90])
    with pytest.raises(ImageError, match="put a crop on a canvas"):
        remove_video(remover, wide, tmp_path / "out.mov", finish=crop)
    remove_video(remover, wide, tmp_path / "out.mov", finish=Finish(crop=True, canvas=(40, 40)))
    assert pictures(tmp_path / "out.mov")[0][1].shape == (40, 40, 4)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, -1)])
def test_clips_that_lie_on_their_side(remover, make_clip, tmp_path, degrees, turns):
    clip = make_clip(rotation=degrees, sound=None)
    remove_video(remover, clip, tmp_path / "out", output="mask")
    with av.open(str(clip)) as container:
        assert next(container.decode(video=0)).rotation % 360 == turns * 90 % 360
    shown = np.asarray(Image.open(tmp_path / "out" / "000001.png"))
    upright = np.rot90(shown, -turns)
    assert upright.shape == (64, 96) and upright[32, 20] == 255 and upright[32, 90] == 0


def test_recurrent_networks_go_through_it(make_clip, tmp_path):
    from tests.segmentation.test_recurrent import FIELDS, memory

    clip = make_clip(sound=None)
    with Remover(memory(shape=[1, "c", "h", "w"]), **FIELDS) as remover:
        remove_video(remover, clip, tmp_path / "all", output="mask")
        with av.open(str(clip)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        want = [np.asarray(mask) for mask in remover.frames(frames, output="mask")]
    got = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "all").iterdir())]
    np.testing.assert_array_equal(got, want)


def test_what_is_refused(remover, make_clip, tmp_path):
    clip = make_clip()
    out = tmp_path / "out.webm"
    out.write_bytes(b"mine")
    with pytest.raises(ArgumentError, match=r"out\.webm exists"):
        remove_video(remover, clip, out)
    with pytest.raises(ArgumentError, match=r"clips are written as \.webm or \.mov"):
        remove_video(remover, clip, tmp_path / "out.mp4")
    mov = make_clip("same.mov")
    with pytest.raises(ArgumentError, match="is the clip that is read"):
        remove_video(remover, mov, mov, overwrite=True)
    for name, data, message in [
        ("text.mp4", b"no clip", "not a clip"),
        ("cut.mp4", clip.read_bytes()[:700], "not a clip"),
    ]:
        broken = tmp_path / name
        broken.write_bytes(data)
        with pytest.raises(ImageError, match=f"{name}: {message}"):
            remove_video(remover, broken, out, overwrite=True)
    with wave.open(str(tmp_path / "heard.mp4"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    with pytest.raises(ImageError, match="there are no pictures in it"):
        remove_video(remover, tmp_path / "heard.mp4", out, overwrite=True)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        remove_video(remover, tmp_path / "none.mp4", out, overwrite=True)
    assert out.read_bytes() == b"mine" and not list(tmp_path.glob(".pyhades*"))


def test_pyav_is_asked_for(remover, make_clip, tmp_path, monkeypatch):
    clip = make_clip()
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'pyhades\[video\]'"):
        remove_video(remover, clip, tmp_path / "out.webm")
