"""Animations and pages: all frames in, all frames out, with their times."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation import Cutout
from pyhades.segmentation.bulk import Rendering, SessionPool
from pyhades.segmentation.bulk.chain import render
from pyhades.segmentation.compose import Background
from pyhades.segmentation.cutout import encode_frames
from pyhades.segmentation.image.frames import frames
from pyhades.segmentation.image.loaded import Frame, LoadedImage
from pyhades.segmentation.image.write import WriteOptions

TIMES = [40, 100, 70]
ANIMATED = [".png", ".webp", ".gif", ".avif"]


def shapes():
    """Three frames with a bright square at another place in each."""
    result = np.full((3, 32, 48, 3), 20, np.uint8)
    for index in range(3):
        result[index, 8:24, 4 + 12 * index : 16 + 12 * index] = (250, 240, 230 + index)
    return result


def animation(kind="GIF", **extra):
    first, *others = map(Image.fromarray, shapes())
    data = io.BytesIO()
    timing = {} if kind == "TIFF" else {"duration": TIMES, "loop": 0}
    first.save(data, kind, save_all=True, append_images=others, **timing | extra)
    return data.getvalue()


@pytest.mark.parametrize("suffix", ANIMATED)
@pytest.mark.parametrize("source", ["GIF", "WEBP", "PNG"])
def test_all_frames_come_out(source, suffix, remover):
    data = render(remover, animation(source), Rendering(suffix=suffix)).data
    found = list(frames(data))
    assert [each.frame.duration for each in found] == TIMES
    for index, each in enumerate(found):
        middle = each.alpha[16]
        assert middle[10 + 12 * index] > 200
        assert middle[40 - 30 * (index > 1)] < 60


@pytest.mark.parametrize("loop", [0, 3])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_it_is_played_as_often(suffix, loop, remover):
    data = render(remover, animation("WEBP", loop=loop), Rendering(suffix=suffix)).data
    assert Image.open(io.BytesIO(data)).info["loop"] == loop


def test_on_a_background(remover):
    rendering = Rendering("rgba", Background("red"), ".gif")
    for index, each in enumerate(frames(render(remover, animation(), rendering).data)):
        assert each.alpha is None or each.alpha.all()
        assert np.abs(each.rgb[2, 2].astype(int) - [255, 0, 0]).max() < 60
        assert each.rgb[16, 10 + 12 * index].min() > 200


def test_masks_too(remover):
    data = render(remover, animation(), Rendering("mask", suffix=".png")).data
    assert [each.rgb[16, 10].min() > 128 for each in frames(data)] == [True, False, False]


def test_pages_stay_pages(remover_with):
    data = render(remover_with(np.ones((8, 8))), animation("TIFF"), Rendering(suffix=".tif")).data
    found = list(frames(data))
    assert len(found) == 3 and all(each.frame.duration is None for each in found)
    np.testing.assert_array_equal(found[1].rgb[16, 20], [250, 240, 231])


def test_pages_of_16_bits(remover_with):
    remover = remover_with(np.ones((8, 8)))
    rendering = Rendering(suffix=".tif", options=WriteOptions(bits=16))
    found = list(frames(render(remover, animation("TIFF"), rendering).data))
    assert [each.deep[16, 10 + 12 * i].tolist() for i, each in enumerate(found)] == [
        [250 * 257, 240 * 257, (230 + i) * 257] for i in range(3)
    ]


def test_apng_of_16_bits(remover):
    rendering = Rendering(suffix=".png", options=WriteOptions(bits=16))
    image = Image.open(io.BytesIO(render(remover, animation(), rendering).data))
    assert image.n_frames == 3


@pytest.mark.parametrize(
    ("source", "suffix", "words"),
    [
        ("TIFF", ".png", r"^a\.gif: 3 pages without durations .* write TIFF, or take the first"),
        ("TIFF", ".gif", r"3 pages"),
        ("GIF", ".bmp", r"3 frames, and BMP holds one; write PNG, WEBP"),
        ("PNG", ".jpg", r"3 frames, and JPEG holds one"),
    ],
)
def test_what_cannot_hold_them_is_refused_before_the_network(
    source, suffix, words, remover, network
):
    rendering = Rendering("rgba", Background("white"), suffix)
    with pytest.raises(ImageError, match=words):
        render(remover, animation(source), rendering, name="a.gif")
    assert not network.inputs


def test_more_frames_than_are_kept_are_refused(remover, network, monkeypatch):
    monkeypatch.setattr("pyhades.segmentation.image.write.frames.MOST_KEPT", 32 * 48 * 2)
    with pytest.raises(ImageError, match=r"a\.gif: 3 frames are 4,608 pixels, and WEBP .* PNG"):
        render(remover, animation(), Rendering(suffix=".webp"), name="a.gif")
    assert not network.inputs
    assert render(remover, animation(), Rendering(suffix=".png"))


def test_the_first_alone(remover):
    rendering = Rendering(suffix=".png", first_frame=True)
    image = Image.open(io.BytesIO(render(remover, animation(), rendering).data))
    assert getattr(image, "n_frames", 1) == 1


def test_pictures_that_are_too_large_never_reach_the_network(remover, network):
    with pytest.raises(ImageError, match="16383"):
        render(remover, np.zeros((1, 17_000, 3), np.uint8), Rendering(suffix=".webp"))
    assert not network.inputs


@pytest.mark.parametrize("crews", [{}, {"decoders": 1}, {"encoders": 1}])
def test_bulk_gives_the_same(crews, remover):
    items = [animation(), shapes()[0], animation("WEBP"), animation("TIFF")]
    with SessionPool(remover, workers=1, **crews) as pool:
        outcomes = [result for _, result in pool.run(items, Rendering())]
    for item, outcome in zip(items[:3], outcomes, strict=False):
        assert outcome.data == render(remover, item, Rendering()).data
        assert outcome.size == (32, 48) and 0 < outcome.foreground < 1
    assert isinstance(outcomes[3], ImageError)


def test_frames_one_by_one(remover):
    cutouts = remover.cut_frames(animation())
    first = next(cutouts)
    assert isinstance(first, Cutout) and first.image.frame.count == 3
    assert len(list(cutouts)) == 2


def test_a_file_without_seeking(remover):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError("a pipe")

    data = render(remover, Pipe(animation()), Rendering()).data
    assert len(list(frames(data))) == 3


def test_frames_of_different_sizes_are_no_animation(remover):
    def cutouts():
        for index, size in enumerate([(8, 8), (8, 9)]):
            image = LoadedImage(np.zeros((*size, 3), np.uint8), frame=Frame(index, 2, 40.0))
            yield Cutout(image, np.full(size, 255, np.uint8))

    for suffix in ANIMATED:
        with pytest.raises(ImageError, match="another size"):
            encode_frames(cutouts(), suffix=suffix)
    assert encode_frames(cutouts(), suffix=".tif")


def test_wrong_combinations_are_refused(remover):
    with pytest.raises(ArgumentError, match="no transparency"):
        encode_frames(remover.cut_frames(animation()), suffix=".jpg")
