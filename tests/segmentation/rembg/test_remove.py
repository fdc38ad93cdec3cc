"""The keywords of rembg, without rembg."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from pyhades.errors import ArgumentError, ArgumentTypeError, ModelError
from pyhades.options import EngineOptions
from pyhades.rembg import Session, new_session, remove
from pyhades.segmentation.rembg import removing


@pytest.fixture
def session(stored):
    stored("u2netp")
    with new_session("u2netp") as made:
        yield made


@pytest.fixture
def mask(session, picture):
    return np.asarray(remove(picture, session=session, only_mask=True))


def file_of(image, **how):
    file = io.BytesIO()
    image.save(file, "PNG", **how)
    return file.getvalue()


def test_the_kind_that_goes_in_comes_out(session, picture):
    image = remove(picture, session=session)
    array = remove(np.asarray(picture), session=session)
    data = remove(file_of(picture), session=session)
    assert isinstance(image, Image.Image) and isinstance(array, np.ndarray)
    assert isinstance(data, bytes) and Image.open(io.BytesIO(data)).format == "PNG"
    assert image.mode == "RGBA" and image.size == picture.size
    for other in (array, Image.open(io.BytesIO(data))):
        np.testing.assert_array_equal(np.asarray(image), np.asarray(other))
    for given in (picture, np.asarray(picture)):
        assert remove(given, session=session, force_return_bytes=True) == data
    assert remove(bytearray(file_of(picture)), session=session) == data


def test_kinds_that_rembg_does_not_take(session):
    with pytest.raises(ArgumentError, match="data is str; expected the bytes"):
        remove("photo.jpg", session=session)


def test_opacity_of_the_picture_stays(session, veiled):
    alpha = np.asarray(veiled)[..., 3].astype(int)
    mask = np.asarray(remove(veiled, session=session, only_mask=True))
    for keywords in ({}, {"putalpha": True}, {"decontaminate": True}):
        cut = np.asarray(remove(veiled, session=session, **keywords))
        assert np.abs(cut[..., 3] - mask * alpha / 255).max() <= 1
    np.testing.assert_array_equal(
        np.asarray(remove(veiled, session=session, putalpha=True))[..., :3],
        np.asarray(veiled)[..., :3],
    )


def test_matting_keeps_to_what_is_sure(session, picture, mask):
    matte = np.asarray(remove(picture, session=session, alpha_matting=True))[..., 3]
    changed = (matte != mask).mean()
    kept = np.asarray(
        remove(
            picture, session=session, alpha_matting=True, alpha_matting_foreground_threshold=128,
            alpha_matting_background_threshold=128, alpha_matting_erode_size=0,
        )
    )[..., 3]  # fmt: skip
    assert changed > 0
    assert (kept[mask > 128] == 255).all() and (kept[mask < 128] == 0).all()


def test_a_background(session, picture):
    on_red = np.asarray(remove(picture, session=session, bgcolor=[255, 0, 0, 255]))
    assert (on_red[..., 3] == 255).all()
    assert remove(picture, session=session, bgcolor=(1, 2, 3, 4), only_mask=True).mode == "L"
    for colour in ((1, 2), (1, 2, 3, 256), "red", (0.5, 0, 0, 1)):
        with pytest.raises(ArgumentError, match=r"bgcolor=.*four integers"):
            remove(picture, session=session, bgcolor=colour)


def test_profile_and_resolution_stay(session, picture):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = file_of(picture, icc_profile=profile, dpi=(300, 300))
    result = Image.open(io.BytesIO(remove(data, session=session)))
    assert result.info["icc_profile"] == profile
    assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    mask = remove(Image.open(io.BytesIO(data)), session=session, only_mask=True)
    assert "icc_profile" not in mask.info


def test_what_cannot_be_honoured_is_refused(session, picture):
    for keywords in ({"vitmatte": True}, {"vitmatte_model": "small-distinctions-646"}):
        with pytest.raises(ArgumentError, match="vitmatte needs a network of its own"):
            remove(picture, session=session, **keywords)
    with pytest.raises(ArgumentTypeError, match=r"remove\(\) got sam_prompt: no session"):
        remove(picture, session=session, sam_prompt=[])
    with pytest.raises(ArgumentTypeError, match=r"new_session\(\) got api_key"):
        new_session("u2netp", api_key="")
    with pytest.raises(ArgumentError, match="alpha_matting_erode_size=-1"):
        remove(picture, session=session, alpha_matting=True, alpha_matting_erode_size=-1)
    with pytest.raises(ArgumentTypeError, match="session is Remover"):
        remove(picture, session=session._remover)


def test_keywords_of_the_other_function_are_told(session, picture):
    with pytest.warns(UserWarning, match=r"remove\(\): model_path are for new_session"):
        remove(picture, session=session, model_path="x.onnx")
    with pytest.warns(UserWarning, match=r"new_session\(\): alpha_matting are for remove"):
        new_session("u2netp", alpha_matting=True).close()


def test_a_session_of_somebody_else(picture, mask):
    class Theirs:
        def predict(self, img):
            assert img.mode == "RGB"
            return [Image.fromarray(mask)] * 2

    stacked = remove(picture, session=Theirs(), only_mask=True)
    assert stacked.size == (240, 320)
    np.testing.assert_array_equal(np.asarray(stacked)[160:], mask)
    Theirs.predict = lambda self, img: [Image.new("L", (3, 3))]
    with pytest.raises(ArgumentError, match=r"gave masks of \[\(3, 3\)\]"):
        remove(picture, session=Theirs())


def test_without_a_session_one_is_kept(stored, picture):
    stored("u2net")
    removing._kept_session.cache_clear()
    providers = [("CPUExecutionProvider", {})]
    first = remove(picture, providers=providers)
    np.testing.assert_array_equal(np.asarray(remove(picture, providers=providers)), first)
    assert removing._kept_session.cache_info().misses == 1
    removing._kept_session.cache_clear()


@pytest.mark.parametrize("name", ["sam", "u2net_cloth_seg", "withoutbg", "atlascloud"])
def test_models_that_are_not_had(name):
    with pytest.raises(ArgumentError, match=f"model_name='{name}': "):
        new_session(name)


def test_models_that_are_not_here(home, tmp_path):
    with pytest.raises(ArgumentError, match="pyhades models pull silueta"):
        new_session("silueta")
    with pytest.raises(ArgumentError, match="needs model_path="):
        new_session("u2net_custom")
    with pytest.raises(ArgumentError, match="there is no such file"):
        new_session("u2net_custom", model_path=tmp_path / "none.onnx")
    with pytest.raises(ArgumentError, match="is no model that model_path="):
        new_session("mine", model_path=tmp_path / "none.onnx")
    with pytest.raises(ArgumentError, match="did you mean"):
        new_session("u2nett")


def test_a_checksum_is_asked_for(stored, monkeypatch):
    stored("u2netp")
    monkeypatch.delenv("MODEL_CHECKSUM_DISABLED")
    with pytest.raises(ArgumentError, match="is not on this machine"):
        new_session("u2netp")


def test_a_file_by_its_path(stored, picture):
    path = stored("u2netp")
    (path.parent / "u2netp.onnx.json").write_text('{"name": "mine", "input_size": [320, 320]}')
    with new_session(str(path)) as session:
        assert isinstance(session, Session) and session.predict(picture)[0].size == picture.size
    broken = path.with_name("broken.onnx")
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError):
        new_session(str(broken))


def test_threads_and_providers(stored):
    stored("u2netp")

    class Options:
        intra_op_num_threads = 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with new_session("u2netp", ["CPUExecutionProvider"], sess_opts=Options()) as session:
            assert session._remover.threads == 1
        options = EngineOptions(threads=2)
        with new_session("u2netp", sess_opts=Options(), options=options) as session:
            assert session._remover.threads == 2
    with pytest.warns(RuntimeWarning, match="CUDAExecutionProvider is not used"):
        new_session("u2netp", providers=["CUDAExecutionProvider", "CPUExecutionProvider"]).close()
    with pytest.raises(ArgumentTypeError, match="expected a list"):
        new_session("u2netp", providers="CPUExecutionProvider")
    with pytest.raises(ArgumentError, match="precision='int8'"):
        new_session("u2netp", options=EngineOptions(precision="int8"))
