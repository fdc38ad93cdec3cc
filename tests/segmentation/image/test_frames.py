"""Animations and pages: all of them, or refused by name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from pyhades.errors import ImageError
from pyhades.segmentation.image.frames import frames
from pyhades.segmentation.image.loaded import Frame
from pyhades.segmentation.image.reading import load_image
from tests.support.image_files import encoded

COLOURS = ["red", "lime", "blue"]
ANIMATED = {"GIF": {}, "PNG": {}, "WEBP": {"lossless": True}}


def animation(file_format, **options):
    first, *others = (Image.new("RGB", (6, 4), colour) for colour in COLOURS)
    options = {**ANIMATED.get(file_format, {}), **options}
    return encoded(first, file_format, save_all=True, append_images=others, **options)


def colours(pictures):
    return [tuple(each.rgb[0, 0].tolist()) for each in pictures]


RGB = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize("file_format", [*ANIMATED, "TIFF"])
def test_several_frames_are_never_one_in_silence(tmp_path, file_format):
    data = animation(file_format)
    path = tmp_path / "moving.img"
    path.write_bytes(data)
    for source in (data, path, io.BytesIO(data)):
        with pytest.raises(ImageError, match=r"3 (frames|pages); .* first_frame=True"):
            load_image(source)
    first = load_image(data, first_frame=True)
    assert colours([first]) == RGB[:1]
    assert (first.frame.index, first.frame.count) == (0, 3)


@pytest.mark.parametrize("file_format", ANIMATED)
def test_frames_of_animations(file_format):
    data = animation(file_format, duration=[40, 50, 60], loop=2)
    found = list(frames(data))
    assert colours(found) == RGB
    assert [each.frame for each in found] == [Frame(i, 3, d, 2) for i, d in enumerate([40, 50, 60])]
    assert found[1].name == "image bytes[1]"


def test_pages_of_a_tiff():
    pages = [Image.new("L", (3, 4), 9), Image.new("RGB", (5, 2)), Image.new("RGBA", (1, 1))]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    found = list(frames(data))
    assert [each.size for each in found] == [(4, 3), (2, 5), (1, 1)]
    assert found[2].alpha is not None and found[0].frame == Frame(0, 3)


def test_pages_of_sixteen_bits():
    pages = [Image.fromarray(np.full((2, 3), 257 * i, np.uint16)) for i in (7, 8)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert [each.deep[0, 0, 0] for each in frames(data)] == [257 * 7, 257 * 8]


def test_smaller_copies_are_no_pages():
    """As cameras and scanners add them; they are marked by tag 254."""
    full, small = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (2, 2), "red")
    small.encoderinfo = {"tiffinfo": {254: 1}}
    data = encoded(full, "TIFF", save_all=True, append_images=[small])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert load_image(data).size == (8, 8)
    assert [each.frame for each in frames(data)] == [None]


def test_the_still_picture_of_an_animated_png_is_no_frame():
    still = Image.new("RGB", (6, 4), "white")
    others = [Image.new("RGB", (6, 4), colour) for colour in COLOURS]
    data = encoded(still, "PNG", save_all=True, append_images=others, default_image=True)
    assert colours(frames(data)) == RGB


def test_what_is_drawn_on_what_was_before():
    """A second frame that changes one pixel shows the first around it."""
    first = Image.new("RGB", (6, 4), "red")
    second = first.copy()
    second.putpixel((1, 1), (0, 0, 255))
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    later = list(frames(data))[1]
    assert colours([later]) == RGB[:1]
    assert later.rgb[1, 1].tolist() == [0, 0, 255]


def test_pictures_that_are_alone():
    picture = Image.new("RGB", (3, 2), "red")
    for source in (encoded(picture), encoded(picture, "JPEG"), np.asarray(picture), picture):
        (one,) = frames(source)
        assert one.frame is None and one.size == (2, 3)


def test_a_photo_with_views_beside_it_is_one_picture():
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert load_image(data).rgb[0, 0, 0] > 250


def test_images_of_pillow_are_the_frame_at_which_they_stand():
    image = Image.open(io.BytesIO(animation("GIF")))
    assert colours(map(load_image, ImageSequence.Iterator(image))) == RGB


def test_a_broken_frame_is_named_after_those_before_it():
    data = animation("TIFF", compression="tiff_lzw")
    offset = Image.open(io.BytesIO(data))
    offset.seek(2)
    broken = data[: offset.tag_v2[273][0]] + b"\xff" * 3 + data[offset.tag_v2[273][0] + 3 :]
    found = frames(broken, name="three.tif")
    assert colours([next(found), next(found)]) == RGB[:2]
    with pytest.raises(ImageError, match=r"three\.tif\[2\]"):
        next(found)


def test_each_frame_is_measured():
    pages = [Image.new("L", (3, 4)), Image.new("L", (30, 40))]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    found = frames(data, max_pixels=100)
    assert next(found).size == (4, 3)
    with pytest.raises(ImageError, match="max_pixels=100"):
        next(found)
