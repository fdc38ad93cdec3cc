"""What a remover is given, and what happens to it meanwhile."""

from __future__ import annotations

import io
import pickle
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from pyhades import Remover, remove_background
from pyhades.errors import ArgumentTypeError, ClosedError, ImageError, ModelError
from pyhades.segmentation import ModelManifest
from pyhades.segmentation.image.frames import frames
from pyhades.segmentation.remover import DEFAULT_MODEL
from tests.support.segmentation_models import model, node


def bars(count=6):
    """One array, in which a bright bar moves on."""
    array = np.zeros((32, 10 * count, 3), np.uint8)
    for index in range(count):
        array[:] = 10
        array[:, 10 * index : 10 * index + 10] = 250
        yield array


def where_bright(results):
    return [int(np.asarray(each).mean(axis=0).argmax()) // 10 for each in results]


@pytest.mark.parametrize("method", ["map", "frames"])
@pytest.mark.parametrize(
    "form",
    [lambda a: a, Image.fromarray, lambda a: a.astype(np.uint16) * 257],
    ids=["uint8", "PIL", "uint16"],
)
def test_a_producer_may_use_one_array_again(remover, method, form):
    results = getattr(remover, method)(map(form, bars()), "mask", ahead=4)
    assert where_bright(results) == list(range(6))


def test_a_producer_may_paint_on_one_image_again(remover):
    def pictures():
        image = Image.new("RGB", (60, 32))
        for array in bars():
            image.paste(Image.fromarray(array))
            yield image

    assert where_bright(remover.map(pictures(), "mask", ahead=4)) == list(range(6))


def test_a_producer_may_fill_one_block_of_bytes_again(remover):
    def files():
        block = bytearray(100_000)
        for array in bars():
            file = io.BytesIO()
            Image.fromarray(array).save(file, "PNG")
            block[: file.tell()] = file.getvalue()
            yield memoryview(block)

    assert where_bright(remover.map(files(), "mask", ahead=4)) == list(range(6))


@pytest.mark.parametrize(
    "opened", [Image.open, lambda path: path.open("rb")], ids=["image", "file"]
)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_producer_may_close_what_it_has_given(remover, tmp_path, opened, file_format):
    def pictures():
        for index, array in enumerate(bars()):
            path = tmp_path / f"{index}.img"
            Image.fromarray(array).save(path, file_format, quality=95)
            with opened(path) as one:
                yield one

    assert where_bright(remover.map(pictures(), "mask", ahead=4)) == list(range(6))


def test_files_that_cannot_be_read_are_errors_of_their_own(remover, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with broken.open("rb") as file, broken.open() as text:
        given = [file, text, io.BytesIO(), np.zeros((4, 4, 3), np.uint8)]
        found = list(remover.map(given, on_error="return"))
    assert [type(each) for each in found[:3]] == [ImageError, ArgumentTypeError, ImageError]
    assert "broken.png" in str(found[0]) and "'rb'" in str(found[1])
    assert isinstance(found[3], Image.Image)


def test_frames_of_one_image_of_pillow(remover):
    first, *others = (Image.fromarray(array) for array in bars())
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others)
    opened = Image.open(file)
    assert where_bright(remover.map(ImageSequence.Iterator(opened), "mask")) == list(range(6))
    assert where_bright(remover.frames(frames(file.getvalue()), "mask")) == list(range(6))


def test_a_cutout_does_not_follow_the_array(remover):
    array = np.full((8, 8, 3), 200, np.uint8)
    cutout = remover.cut(array)
    array[:] = 0
    assert (np.asarray(cutout.to_pil())[..., :3] == 200).all()


@pytest.mark.parametrize(
    "one",
    ["photo.jpg", Path("photo.jpg"), b"bytes", io.BytesIO(), Image.new("RGB", (2, 2)),
     np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
@pytest.mark.parametrize("method", ["map", "frames"])
def test_one_image_is_not_several(remover, method, one):
    with pytest.raises(ArgumentTypeError, match="expected several images, got one"):
        getattr(remover, method)(one)


@pytest.mark.parametrize("nothing", [None, 5])
def test_nothing_that_gives_images(remover, nothing):
    with pytest.raises(ArgumentTypeError, match="something that gives images"):
        remover.map(nothing)


def test_a_stack_of_arrays_is_several(remover):
    assert len(list(remover.map(np.zeros((3, 8, 8, 3), np.uint8)))) == 3


def test_floats_with_a_range(remover):
    share = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    expected = np.asarray(remover((share * 255).round().astype(np.uint8), "mask"))
    for found in (
        remover(share, "mask", value_range=(0, 1)),
        remover.matte(share, value_range=(0, 1)),
        next(remover.map([share], "mask", value_range=(0, 1))),
        next(remover.frames([share], "mask", value_range=(0, 1))),
    ):
        assert np.abs(np.asarray(found).astype(int) - expected).max() <= 1
    with pytest.raises(ImageError, match="value_range"):
        remover(share)


def test_closing_while_others_work():
    """Whoever is inside ends with its result or with ClosedError, and nothing else."""
    inside, go_on, ends = threading.Event(), threading.Event(), []

    class Slow:
        def __call__(self, planes):
            inside.set()
            go_on.wait(10)
            return planes[:, :1]

        def close(self):
            pass

    remover = Remover.from_network(Slow(), ModelManifest("slow", (16, 16)))

    def work():
        try:
            while True:
                remover(np.zeros((8, 8, 3), np.uint8))
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert inside.wait(10)
    remover.close()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [type(end) for end in ends] == [ClosedError] * 3


def test_closing_a_compiled_network_while_others_work():
    for _ in range(5):
        remover, ends = Remover(), []
        started = threading.Barrier(3)

        def work(remover=remover, started=started, ends=ends):
            started.wait(10)
            try:
                while True:
                    remover(np.zeros((8, 8, 3), np.uint8))
            except Exception as error:
                ends.append(error)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        started.wait(10)
        remover.close()
        for thread in threads:
            thread.join(10)
        assert [type(end) for end in ends] == [ClosedError] * 2


def test_a_replaced_model_is_loaded_anew(tmp_path):
    path, other = tmp_path / "model.onnx", tmp_path / "other"
    shutil.copy(DEFAULT_MODEL, path)
    photo = np.zeros((8, 8, 3), np.uint8)
    remove_background(photo, model=path)
    remover = Remover(path)
    kept = pickle.dumps(remover)
    pickle.loads(kept).close()
    other.write_bytes(b"another model")
    other.replace(path)
    with pytest.raises(ModelError):
        remove_background(photo, model=path)
    assert remover(photo).size == (8, 8)  # what was loaded stays what it was
    with pytest.raises(ModelError, match="was replaced"):
        pickle.loads(kept)


def test_a_model_that_is_written_over_is_not_read_again(tmp_path):
    """Weights are read from the mapped file for every new size; a shorter file ends the process."""
    path, other = tmp_path / "model.onnx", tmp_path / "other"
    bright = model([node("ReduceMean", "x", "y", axes=[1])], [1, 1, "h", "w"], opset=17,
                   inputs={"x": [1, 3, "h", "w"]})  # fmt: skip
    path.write_bytes(bright)
    remover = Remover(path, policy="short-side", input_size=(32, 32), multiple_of=8, check=False)
    assert remover(np.zeros((32, 32, 3), np.uint8)).size == (32, 32)
    other.write_bytes(bright)
    other.replace(path)
    assert remover(np.zeros((32, 48, 3), np.uint8)).size == (48, 32)
    again = Remover(path, policy="short-side", input_size=(32, 32), multiple_of=8, check=False)
    path.write_bytes(bright[:100])
    with pytest.raises(ModelError, match="was written over"):
        again(np.zeros((32, 64, 3), np.uint8))
