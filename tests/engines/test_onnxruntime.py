"""onnxruntime behind a remover: named providers, nothing silent, and the same masks."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from pyhades import Remover
from pyhades.engines import Hybrid, OnnxRuntime, Pyhades, engine_of, onnx_session, providers
from pyhades.engines.engine import Engine, Model
from pyhades.engines.onnx_session import tensorrt_folder
from pyhades.errors import (
    ArgumentError,
    ArgumentTypeError,
    ClosedError,
    ConfigurationError,
    EngineError,
    ModelError,
    UnsupportedOperatorError,
)
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.plausibility import SAMPLES
from tests.segmentation.test_recurrent import FIELDS, expected, frames, memory
from tests.support.segmentation_models import SIDE, constant, disc, model, node, scores

onnxruntime = pytest.importorskip("onnxruntime")

SIGMOID = [*scores([[20, -10]]), node("Sigmoid", "l", "y")]
MAP = [1, 1, SIDE, SIDE]
OPEN = {"x": ["n", 3, SIDE, SIDE]}


def open_batch(nodes=SIGMOID):
    return model(nodes, ["n", 1, SIDE, SIDE], inputs=OPEN)


def remover(data, engine="onnxruntime", **options):
    return Remover(data, engine=engine, check=False, **options)


def network_of(made):
    return made._sessions.network


@pytest.mark.parametrize(
    "nodes",
    [
        model(SIGMOID, MAP),
        model([node("Transpose", "p", "x", perm=[0, 3, 1, 2]), *SIGMOID], MAP,
              inputs={"p": [1, SIDE, SIDE, 3]}),
        model([node("Cast", "b", "b1", to=1), constant("255", [255], np.float32),
               node("Div", "b1 255", "x"), *SIGMOID], MAP, inputs={"b": [1, 3, SIDE, SIDE]},
              input_dtype=onnx.TensorProto.UINT8),
        model([node("Cast", "b", "x", to=1), *scores([[20, -10]]), node("Sigmoid", "l", "s"),
               node("Cast", "s", "y", to=10)], MAP, onnx.TensorProto.FLOAT16,
              inputs={"b": [1, 3, SIDE, SIDE]}, input_dtype=onnx.TensorProto.FLOAT16),
        model(SIGMOID, ["n", 1, "h", "w"], inputs={"x": ["n", 3, "h", "w"]}),
        model([node("Identity", "x0", "x"), *SIGMOID], [4, 1, SIDE, SIDE],
              inputs={"x0": [4, 3, SIDE, SIDE]}),
    ],
    ids=["plain", "channels last", "bytes", "half", "open", "batch of four"],
)  # fmt: skip
def test_masks_are_ours(nodes):
    picture = disc()
    with remover(nodes, "pyhades", input_size=(SIDE, SIDE)) as ours:
        want = ours.cut(picture)
    with remover(nodes, input_size=(SIDE, SIDE)) as theirs:
        made = theirs.cut(picture)
    assert np.abs(want.alpha.astype(int) - made.alpha).max() <= 1 and want.alpha.std() > 50
    assert (want.engine, made.engine) == ("pyhades", "onnxruntime:cpu")


def test_what_the_remover_says():
    engine = OnnxRuntime(threads=1, batch=2)
    with Remover(engine=engine) as made:
        assert made.engine is engine and made.engine_label == "onnxruntime:cpu"
        assert f"OnnxRuntime({onnxruntime.__version__}, cpu, batch 2, 1 threads)" in repr(made)
        assert "onnxruntime" in made._repr_html_() or "OnnxRuntime" in made._repr_html_()
        assert (made.precision, made.precision_reason) == (
            "fp32", "the file's own, on onnxruntime:cpu",
        )  # fmt: skip
        session = made.session(threads=2)
        assert session.cut(load_image(disc())).engine == "onnxruntime:cpu"
        session.close()
        made.cut(disc())


def test_engines_are_pickled_with_their_remover():
    engine = OnnxRuntime(
        ["cpu"], provider_options={"cpu": {"arena_extend_strategy": "kSameAsRequested"}},
        threads=1, batch=3, session_options={"session.use_env_allocators": 0},
    )  # fmt: skip
    for each in (engine, Pyhades(), Hybrid([engine, Pyhades()])):
        copy = pickle.loads(pickle.dumps(each))
        assert copy == each and hash(copy) == hash(each) and repr(copy) == repr(each)
        assert isinstance(each, Engine)
    picture = disc()
    with Remover(engine=Hybrid([engine, Pyhades()]), threads=1) as made:
        copy = pickle.loads(pickle.dumps(made))
        want = made.cut(picture).alpha.astype(int)
    with copy:
        assert copy.engine == made.engine
        assert np.abs(copy.cut(picture).alpha - want).max() <= 1


def test_names_of_engines():
    assert engine_of(None) == engine_of("pyhades") == Pyhades()
    assert engine_of("onnxruntime:tensorrt+cuda").providers == (
        "TensorrtExecutionProvider", "CUDAExecutionProvider",
    )  # fmt: skip
    second = engine_of("onnxruntime:tensorrt@1+cuda@1")
    assert second.label == "onnxruntime:tensorrt@1+cuda@1" == engine_of(second.label).label
    assert second.provider_options["CUDAExecutionProvider"] == {"device_id": "1"}
    assert len(engine_of("onnxruntime:cuda@0,onnxruntime:cuda@1,pyhades").engines) == 3
    hybrid = engine_of(["onnxruntime:cuda", Pyhades()], batch=4)
    assert hybrid.label == "onnxruntime:cuda,pyhades" and hybrid.engines[0].batch == 4
    assert engine_of("onnxruntime:CUDAExecutionProvider") == OnnxRuntime("cuda")
    assert OnnxRuntime("cuda").batch == 8 and OnnxRuntime().batch == 1
    for wrong in ("tensorflow", "", "pyhades:cuda", "onnxruntime:quantum", "pyhades,pyhades", []):
        with pytest.raises(ArgumentError):
            engine_of(wrong)
    with pytest.raises(ArgumentTypeError, match="engine is int"):
        engine_of(3)


@pytest.mark.parametrize(
    "options",
    [{"providers": []}, {"batch": 0}, {"threads": 0}, {"provider_options": {"cuda": {}}},
     {"providers": "magic"}],
)  # fmt: skip
def test_wrong_options(options):
    with pytest.raises(ArgumentError):
        OnnxRuntime(**options)
    with pytest.raises(ArgumentTypeError):
        OnnxRuntime(provider_options=["cpu"])
    with pytest.raises(ArgumentTypeError):
        OnnxRuntime([3])


def test_onnxruntime_is_imported_where_it_runs():
    code = "import sys, pyhades.segmentation, pyhades.engines; print('onnxruntime' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


# Nothing is silent.


def test_a_provider_that_is_not_installed():
    with pytest.raises(ConfigurationError, match=r"has no CUDAExecutionProvider, only .*; pip"):
        Remover(engine="onnxruntime:cuda")


def test_wheels_that_overwrite_each_other_are_named(monkeypatch):
    """The files are those of the wheel that came last; the metadata are those of both."""
    monkeypatch.setattr(providers, "installed_wheels", lambda: ["onnxruntime", "onnxruntime-gpu"])
    with pytest.raises(ConfigurationError, match="installed and overwrite each other: pip uninst"):
        Remover(engine="onnxruntime:cuda")


def test_a_provider_that_takes_no_operators_is_refused():
    """Azure's is in every wheel, and runs none of these: they would all go to the CPU."""
    with pytest.raises(ModelError, match=r"azure does not take all.*onnxruntime:azure\+cpu"):
        Remover(engine="onnxruntime:azure")
    with Remover(engine="onnxruntime:azure+cpu") as made:  # asked for
        assert made.engine_label == "onnxruntime:azure+cpu"
        made.cut(disc())


class Broken:
    """A session that has left a provider out, as onnxruntime does without CUDA's libraries."""

    def __init__(self, *arguments, **options):
        assert options["enable_fallback"] == 0
        settings = dict(zip(options["providers"], options["provider_options"], strict=True))
        Broken.cuda = settings["CUDAExecutionProvider"]
        self.entry = arguments[1].get_session_config_entry("session.disable_cpu_ep_fallback")

    def disable_fallback(self):
        pass

    def get_providers(self):
        return ["CPUExecutionProvider"]


def test_a_provider_that_does_not_start_is_refused(monkeypatch):
    preloaded = []
    fake = types.SimpleNamespace(
        __version__="1.0", InferenceSession=Broken, SessionOptions=onnxruntime.SessionOptions,
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
        preload_dlls=lambda: preloaded.append(True),
    )  # fmt: skip
    monkeypatch.setattr(onnx_session, "require_onnxruntime", lambda: fake)
    with pytest.raises(ConfigurationError, match="CUDAExecutionProvider, which does not work"):
        Remover(engine=OnnxRuntime("cuda", provider_options={"cuda": {"device_id": 1}}))
    assert preloaded and Broken.cuda == {
        "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested",
        "device_id": "1",
    }  # fmt: skip


def test_without_onnxruntime_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(providers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "pyhades\[onnxruntime\]"'):
        Remover(engine="onnxruntime")
    monkeypatch.setattr(importlib.metadata, "distribution", _not_there)
    assert "not installed" in repr(OnnxRuntime())


def _not_there(name):
    raise importlib.metadata.PackageNotFoundError(name)


def test_tensorrt_keeps_what_it_builds_by_gpu_version_model_and_batch(tmp_path, monkeypatch):
    monkeypatch.setenv("PYHADES_CACHE", str(tmp_path))
    gpu = tmp_path / "gpus" / "0" / "information"
    gpu.parent.mkdir(parents=True)

    def folder(data=b"model", version="1.32", batch=8, name="H200", irq=7):
        gpu.write_text(f"Model: {name}\nIRQ: {irq}\n")
        made = Model(data, None, 0, None, (64, 64))
        return tensorrt_folder(made, version, batch, tmp_path)

    assert folder() == folder(irq=8) and folder().parent == tmp_path / "tensorrt"
    others = folder(b"other"), folder(version="1.33"), folder(batch=4), folder(name="B200")
    assert len({folder(), *others}) == 5
    (tmp_path / "version").write_text("595.12")
    assert folder() not in others


# Operators that are not ours.


def through_a_sequence(before, behind):
    """What a file with lists of tensors does, which the IR has not."""
    return [
        node("SequenceConstruct", before, "list"), constant("first", 0, np.int64),
        node("SequenceAt", "list first", behind),
    ]  # fmt: skip


STRANGE = {
    "behind": [*scores([[20, -10]]), node("Sigmoid", "l", "s"), *through_a_sequence("s", "y")],
    "within": [*scores([[20, -10]]), *through_a_sequence("l", "m"), node("Sigmoid", "m", "y")],
    "before": [*through_a_sequence("x0", "x"), *SIGMOID],
}


@pytest.mark.parametrize("where", STRANGE)
def test_operators_that_we_refuse_run_where_it_is_asked_for(where):
    picture = {"x0" if where == "before" else "x": [1, 3, SIDE, SIDE]}
    data = model(STRANGE[where], MAP, inputs=picture)
    refusal = r'the list.*engine="onnxruntime" \(--engine onnxruntime\) may run it'
    with pytest.raises(UnsupportedOperatorError, match=refusal):
        remover(data, "pyhades")
    told = {"mean": 0, "std": 1, "activation": "none", "range": "none"}
    with remover(data, **told) as made, remover(model(SIGMOID, MAP), "pyhades", **told) as ours:
        assert np.abs(made.cut(disc()).alpha.astype(int) - ours.cut(disc()).alpha).max() <= 1
    with remover(data) as made:
        assert made.manifest.output == 0
    with pytest.raises(UnsupportedOperatorError, match="engine="):
        remover(data, "onnxruntime,pyhades")  # ours is one of those that are to run it


def unheard():
    """An operator that nobody has."""
    stranger = helper.make_node("Unheard", ["s"], ["y"], "stranger", domain="com.acme")
    data = model([*scores([[20, -10]]), node("Sigmoid", "l", "s"), stranger], MAP)
    loaded = onnx.load_from_string(data)
    loaded.opset_import.append(helper.make_opsetid("com.acme", 1))
    return loaded.SerializeToString()


def test_operators_that_nobody_has_are_refused_there_too():
    with pytest.raises(ModelError, match="onnxruntime cannot run it"):
        remover(unheard())
    with pytest.raises(ConfigurationError, match=r"libraries='missing\.so' cannot be loaded"):
        remover(unheard(), OnnxRuntime(libraries=["missing.so"]))


@pytest.mark.parametrize(
    "options",
    [{"precision": "int8"}, {"precision": "bf16"}, {"precision": "auto"}, {"tune": True},
     {"budget": "mae=.1"}, {"calibration": [disc()]}],
)  # fmt: skip
def test_what_only_our_engine_does_is_refused(options):
    with pytest.raises(ArgumentError, match="onnxruntime:cpu"):
        remover(model(SIGMOID, MAP), **options)
    with remover(model(SIGMOID, MAP), precision="fp32") as made:
        assert made.precision == "fp32"


# Batches and frames.


def test_a_batch_that_the_file_fixes_is_said(caplog):
    with remover(model(SIGMOID, MAP), OnnxRuntime(batch=4)) as made:
        assert network_of(made).batch == 1
    assert "runs its pictures one by one: the file fixes its batch at 1" in caplog.text


def test_pictures_of_a_batch_are_those_alone():
    with remover(open_batch(), OnnxRuntime(batch=4)) as made:
        network = network_of(made)
        planes = np.random.default_rng(0).random((4, 3, SIDE, SIDE), np.float32)
        together = network(planes)
        assert network.batch == 4 and together.shape == (4, 1, SIDE, SIDE)
        for number in range(4):
            alone = network(planes[number : number + 1])
            np.testing.assert_allclose(together[number], alone[0], atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([*scores([[1, 0]]), node("ReduceMax", "l", "top", keepdims=0), node("Div", "l top", "y")],
         "they influence one another"),
        ([*scores([[1, 0]]), constant("shape", MAP, np.int64), node("Reshape", "l shape", "y")],
         "at once fail"),
        ([*scores([[1, 0]]), node("ReduceMean", "l", "y", axes=[0])], "at once give"),
    ],
    ids=["a maximum of all", "a shape inside", "one for all"],
)  # fmt: skip
def test_files_that_take_no_batch_are_found_out(nodes, why, caplog):
    data = model(nodes, ["n", 1, SIDE, SIDE], inputs=OPEN, opset=13)
    with remover(data, OnnxRuntime(batch=3)) as made:
        assert network_of(made).batch == 1
        made.cut(disc())
    assert why in caplog.text


def test_devices_get_batches_of_one_size(monkeypatch):
    monkeypatch.setattr(OnnxRuntime, "on_cpu", False)
    with remover(open_batch(), OnnxRuntime("cpu", batch=4)) as made:
        network = network_of(made)
        sizes = []
        session = network.opened(1)

        class Watching:
            def io_binding(self):
                self.binding = session.io_binding()
                return self

            def bind_cpu_input(self, name, array):
                sizes.append(len(array))
                self.binding.bind_cpu_input(name, array)

            def bind_output(self, name):
                self.binding.bind_output(name)

            def copy_outputs_to_cpu(self):
                return self.binding.copy_outputs_to_cpu()

            def run_with_iobinding(self, binding, options):
                session.run_with_iobinding(binding.binding, options)

        planes = np.random.default_rng(0).random((3, 3, SIDE, SIDE), np.float32)
        result, _ = network.run(Watching(), planes, [])
        np.testing.assert_allclose(result, network(planes), atol=1e-6)
        assert sizes == [4] and result.shape[0] == 3


def test_states_are_carried_from_frame_to_frame():
    data, pictures = memory(), frames()
    start = (1, 1, SIDE, SIDE)
    with Remover(data, engine=OnnxRuntime(batch=4), **FIELDS) as made:
        cut = list(made.frames(pictures, output="mask"))
        for mask, want in zip(cut, expected(data, pictures, start), strict=True):
            assert np.abs(np.asarray(mask) / 255 - want).max() < 0.003
    with Remover(data, engine="onnxruntime,pyhades", **FIELDS) as made:
        again = list(made.frames(pictures, output="mask"))
    assert all(np.array_equal(a, b) for a, b in zip(cut, again, strict=True))


def test_sessions_share_weights_and_end_when_told():
    with remover(model(SIGMOID, MAP)) as made:
        network = network_of(made)
        one, two, wide = network.session(1), network.session(1), network.session(2)
        assert one._session is two._session and wide._session is not one._session
        planes = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
        np.testing.assert_array_equal(one(planes), wide(planes))
        one.cancel()  # too late for anything
        one.close()
        with pytest.raises(ClosedError):
            one(planes)
    with pytest.raises(ClosedError):
        made.cut(disc())
    with pytest.raises(ClosedError):
        network(planes)


def test_a_run_that_is_told_to_end():
    with remover(model(SIGMOID, MAP)) as made:
        network = network_of(made)
        options = onnxruntime.RunOptions()
        options.terminate = True
        with pytest.raises(EngineError, match="onnxruntime:cpu"):
            network.run(network.opened(1), np.zeros((1, 3, SIDE, SIDE), np.float32), [], options)


def endless():
    """A loop that onnxruntime does not leave by itself."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Sin", ["v"], ["v2"])],
        "body",
        [helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
         helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", onnx.TensorProto.FLOAT, MAP)],
        [helper.make_tensor_value_info("c2", onnx.TensorProto.BOOL, []),
         helper.make_tensor_value_info("v2", onnx.TensorProto.FLOAT, MAP)],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["trips", "on", "l"], ["m"], body=body)
    known = constant("trips", 1 << 60, np.int64), constant("on", True, np.bool_)
    return model([*scores([[20, -10]]), *known, loop, node("Sigmoid", "m", "y")], MAP)


def test_ctrl_c_ends_a_picture_in_an_engine_that_hangs():
    told = {"mean": 0, "std": 1, "activation": "none", "range": "none"}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with remover(endless(), **told) as made, pytest.raises(KeyboardInterrupt):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            made.cut(disc())
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_file_that_was_replaced_is_not_opened_again(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model(SIGMOID, MAP))
    with remover(path) as made:
        path.unlink()
        path.write_bytes(model([*scores([[1, 0]]), node("Sigmoid", "l", "y")], MAP))
        with pytest.raises(ModelError, match="replaced"):
            network_of(made).session(2)


def test_a_damaged_model_is_refused(caplog):
    with pytest.raises(ModelError):
        remover(b"no model")


# The tolerance that docs/reference/engines.md publishes.


def test_masks_of_the_pictures_that_ship_differ_by_one_step_at_most():
    with Remover(threads=1) as ours, Remover(engine="onnxruntime", threads=1) as theirs:
        for sample in SAMPLES:
            a, b = (made.cut(sample).alpha.astype(int) for made in (ours, theirs))
            assert np.abs(a - b).max() <= 1 and np.abs(a - b).mean() <= 0.01


def test_the_page_runs(tmp_path, monkeypatch):
    """The lines of docs/how-to/use_another_engine.md, with a small model."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "use_another_engine.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").write_bytes(open_batch())
    Path("photos").mkdir()
    for number in range(6):
        Image.fromarray(disc()).save(f"photos/{number}.jpg")
    Image.fromarray(disc()).save("photo.jpg")
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(block, page.name, "exec"), {})
    assert told.getvalue().startswith("onnxruntime:cpu\nHybrid(OnnxRuntime(")
    assert "6 of 6 images done" in told.getvalue()
