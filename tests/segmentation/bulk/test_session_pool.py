"""Many workers give what one remover gives, byte by byte."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError, ImageError
from pyhades.segmentation.bulk import Rendering, SessionPool, calibrate
from pyhades.segmentation.compose import Background
from pyhades.segmentation.image.png import encode_png
from pyhades.topology import ProcessPlan, plan_workers


def picture(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pictures of many sizes and kinds."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for number in range(14):
        array = picture(number, 60 + 17 * number, 90 + 11 * (number % 5))
        path = folder / f"{number}.{'jpg' if number % 3 else 'png'}"
        image = Image.fromarray(array)
        if number == 3:
            image.putalpha(Image.fromarray(array[..., 0]))
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 4 else 1
        image.save(path, exif=exif, **({"quality": 90} if number % 3 else {}))
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def remover():
    with pyhades.Remover(threads=1) as remover:
        yield remover


@pytest.mark.parametrize(
    "crews",
    [{}, {"decoders": 1}, {"encoders": 2}, {"decoders": 2, "encoders": 1}],
    ids=["whole", "decoders", "encoders", "both"],
)
@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_those_of_a_remover(files, remover, workers, crews):
    expected = [remover.cut(path).encode() for path in files]
    plan = plan_workers(workers=workers, threads_per_worker=1, processes="one")
    with SessionPool(remover, plan=plan, **crews) as pool:
        outcomes = list(pool.run(files))
        assert [path for path, _ in outcomes] == files
        assert [rendered.data for _, rendered in outcomes] == expected
        stages = pool.stages.stages
    assert set(stages) == {"read", "decode", "preprocess", "network", "matte", "encode", "look"}
    assert {times.count for name, times in stages.items() if name != "matte"} == {len(files)}


@pytest.mark.slow
def test_a_file_does_not_depend_on_where_memory_lies(files, remover):
    """isal's own streams do: three of 4000 of this picture differ from the others."""
    pixels = remover.cut(files[7]).rgba()
    first, moved = encode_png(pixels), []
    for _ in range(4000):
        moved.append(np.empty(70_000, np.uint8))
        assert encode_png(pixels) == first


def test_what_is_made_of_a_cutout(files, remover):
    rendering = Rendering("rgba", Background("white"), ".jpg")
    with SessionPool(remover, workers=2) as pool:
        for path, rendered in pool.run(files[:4], rendering):
            shown = Image.open(io.BytesIO(rendered.data))
            assert shown.format == "JPEG" and shown.size == rendered.size[::-1]
            expected = remover.cut(path).encode("rgba", Background("white"), suffix=".jpg")
            assert rendered.data == expected
    with SessionPool(remover, workers=2) as pool:
        (_, mask), *_ = pool.run(files[:1], Rendering("mask"))
    pixels = np.asarray(Image.open(io.BytesIO(mask.data)))
    assert mask.foreground == pytest.approx(pixels.mean() / 255)


def test_a_broken_picture_is_named_and_the_others_are_not_touched(tmp_path, files, remover):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(files[1].read_bytes()[:200])
    missing = tmp_path / "missing.jpg"
    items = [files[0], broken, files[1], missing, files[2]]
    with SessionPool(remover, workers=2) as pool:
        outcomes = [outcome for _, outcome in pool.run(items)]
    for at, path in ((1, broken), (3, missing)):
        assert isinstance(outcomes[at], ImageError) and str(path) in str(outcomes[at])
    assert outcomes[2].data == remover.cut(files[1]).encode()


def test_items_may_be_anything_that_can_be_read(remover):
    arrays = {number: picture(number, 40, 50) for number in range(5)}
    with SessionPool(remover, workers=2) as pool:
        for number, rendered in pool.run(arrays, read=arrays.__getitem__):
            assert rendered.data == remover.cut(arrays[number]).encode()


def test_a_producer_may_use_one_array_again(remover):
    pictures = [picture(number, 40, 50) for number in range(6)]

    def frames():
        array = np.empty_like(pictures[0])
        for each in pictures:
            array[:] = each
            yield array

    with SessionPool(remover, workers=2) as pool:
        results = [rendered.data for _, rendered in pool.run(frames())]
        with pytest.raises(ArgumentTypeError, match="got one"):
            pool.run("photo.jpg")
    assert results == [remover.cut(each).encode() for each in pictures]


@pytest.mark.parametrize("crews", [{}, {"decoders": 1}, {"decoders": 1, "encoders": 1}], ids=len)
def test_times_of_a_picture_are_told(files, remover, crews):
    with SessionPool(remover, workers=2, **crews) as pool:
        results = [result for _, result in pool.run(files)]
        whole = pool.stages.stages
    for result in results:
        assert list(result.stages) == [
            "read", "decode", "preprocess", "network", "matte", "encode", "look",
        ]  # fmt: skip
    for name, times in whole.items():
        assert sum(result.stages[name] for result in results) == pytest.approx(times.total)


def test_doubt_is_told(files, remover):
    with SessionPool(remover, workers=1) as pool:
        outcomes = pool.run(files[:2], look=lambda alpha: f"of {alpha.shape[0]} rows")
        assert [r.doubt for _, r in outcomes] == [f"of {r.size[0]} rows" for _, r in
                                                  pool.run(files[:2])]  # fmt: skip


def test_the_fastest_choice_is_taken(files, remover):
    seen = []
    found = calibrate(remover, files[:3], seconds=0.05, report=seen.append)
    assert tuple(seen) == found.cells and found.chosen in found.cells
    assert all(cell.rate > 0 and cell.seconds > 0 for cell in found.cells)
    assert found.chosen.rate >= 0.97 * max(cell.rate for cell in found.cells)
    assert "chosen" in str(found) and "pictures/s" in found._repr_html_()


def test_nodes_have_weights_of_their_own(remover):
    """They are packed again, once a node, and give the same."""
    planes = np.random.default_rng(0).random((1, 3, *remover.manifest.input_size), np.float32)
    network = remover._sessions.network
    sessions = [network.session(1, replica) for replica in ("", "node 1", "node 1", "")]
    results = [session(planes).copy() for session in sessions]
    assert all(np.array_equal(result, results[0]) for result in results)
    programs = {id(program) for session in sessions for program, _ in session._programs.values()}
    assert len(programs) == 2
    plan = plan_workers(workers=2, threads_per_worker=1, processes="one")
    workers = [dataclasses.replace(w, node=node) for node, w in enumerate(plan.workers)]
    two_nodes = dataclasses.replace(
        plan, processes=(ProcessPlan(tuple(workers)),), steal_order={0: (1,), 1: (0,)}
    )
    pictures = [picture(number, 40, 50) for number in range(6)]
    with SessionPool(remover, plan=two_nodes) as pool:
        for given, rendered in pool.run(pictures):
            assert rendered.data == remover.cut(given).encode()


def test_wrong_arguments(remover):
    with pytest.raises(ArgumentTypeError):
        SessionPool("u2net.onnx")
    for wrong in ({"workers": 0}, {"decoders": -1}, {"threads_per_worker": 0}):
        with pytest.raises(ArgumentError):
            SessionPool(remover, **wrong)
