"""``precision="auto"``: errors are measured, the budget is kept, and bytes fall as it rises."""

from __future__ import annotations

import json
import math
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pyhades import kernels, quant
from pyhades.errors import ArgumentError, ModelError
from pyhades.llm import LLM
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.evaluation import compare, recorded
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.outline import EMBEDDING, HEAD
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.precision import adaptive, calibration, measuring
from pyhades.llm.precision.adaptive import adapt, choose
from pyhades.llm.precision.calibration import capture, dense_labels
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.loading import load_weights, pack_by
from pyhades.llm.precision.measuring import expert_options, matrix_options
from pyhades.llm.precision.report import Option, PrecisionReport, TensorChoice
from pyhades.quant import to_bf16
from tests.llm import test_convert
from tests.llm.test_loading import assert_equal
from tests.support.tiny_checkpoints import (
    Stored,
    TinyModel,
    random_model,
    tiny_config,
    write_huggingface,
)
from tests.support.tiny_gguf import write_gguf

GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())
BUDGETS = (0.0, 0.005, 0.01, 0.03, 0.05, 0.06, 0.07, 0.08, 0.2)
per_fixture = pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_huggingface(random_model(), tmp_path_factory.mktemp("tiny") / "model")


def load(path: Path, error_budget: float | None = None, **keywords) -> ModelWeights:
    return load_weights(open_checkpoint(path), "auto", False, error_budget=error_budget, **keywords)


def random_options(seed: int, tensors: int = 12) -> dict[str, tuple[Option, ...]]:
    random = np.random.default_rng(seed)
    options = {}
    for index in range(tensors):
        size = int(random.integers(1, 100))
        errors = [0.0, *random.uniform(0, [0.02, 0.3])][: random.integers(1, 4)]
        formats = [("bf16", 32), ("int8_g32", 17), ("int4_g32", 9)]
        options[f"t{index}"] = tuple(
            Option(name, size * bits, error)
            for (name, bits), error in zip(formats, errors, strict=False)
        )
    return options


def report_of(options, budget: float) -> PrecisionReport:
    return PrecisionReport(budget, 1, choose(options, budget))


class TestChoose:
    @pytest.mark.parametrize("seed", range(20))
    def test_budget_is_kept_and_bytes_fall(self, seed):
        options = random_options(seed)
        reports = [report_of(options, budget) for budget in [0, *np.geomspace(1e-4, 0.4, 300)]]
        assert all(report.error <= report.error_budget for report in reports)
        sizes = [report.nbytes for report in reports]
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) > 5
        assert reports[0].nbytes == reports[0].stored_nbytes

    def test_room_is_used(self):
        """The next step at its price would not have fitted."""
        options = {f"t{i}": (Option("bf16", 32, 0.0), Option("int8_g32", 17, 0.01 * (i + 1)))
                   for i in range(9)}  # fmt: skip
        for budget in (0.005, 0.01, 0.02):
            report = report_of(options, budget)
            taken = [tensor for tensor in report.tensors if tensor.chosen]
            assert [tensor.name for tensor in taken] == [f"t{i}" for i in range(len(taken))]
            following = options[f"t{len(taken)}"][1].error
            assert math.sqrt(report.error**2 + following**2 / 9) > budget

    def test_error_per_byte_decides(self):
        small = (Option("bf16", 20, 0.0), Option("int8_g32", 10, 0.010))
        large = (Option("bf16", 2000, 0.0), Option("int8_g32", 1000, 0.012))
        formats = report_of({"small": small, "large": large}, 0.009).formats
        assert formats == {"small": "bf16", "large": "int8_g32"}

    def test_eight_bits_are_skipped_where_four_cost_as_much(self):
        options = (
            Option("bf16", 32, 0.0),
            Option("int8_g32", 17, 0.01),
            Option("int4_g32", 9, 0.01),
        )
        assert report_of({"t": options}, 0.01).formats == {"t": "int4_g32"}

    def test_order_of_the_tensors_has_no_influence(self):
        options = random_options(1)
        backwards = dict(reversed(options.items()))
        for budget in BUDGETS:
            assert choose(options, budget) == choose(backwards, budget)


class TestErrors:
    """Of a product, against NumPy."""

    @staticmethod
    def options(tmp_path, weight: np.ndarray, rows: np.ndarray) -> tuple[Option, ...]:
        name = "model.layers.0.self_attn.o_proj.weight"
        model = random_model(tiny_config(num_hidden_layers=1))
        tensors = model.tensors | {name: Stored("BF16", to_bf16(weight))}
        checkpoint = open_checkpoint(write_huggingface(TinyModel(model.config, tensors), tmp_path))
        return matrix_options(checkpoint.tensors["layers.0.attention_output.weight"], rows)

    @pytest.fixture
    def rows(self):
        return to_bf16(np.random.default_rng(0).standard_normal((50, 128)))

    @pytest.fixture
    def weight(self):
        return np.random.default_rng(1).standard_normal((64, 128)).astype(np.float32)

    def test_are_those_of_the_product(self, tmp_path, weight, rows):
        exact, *narrower = self.options(tmp_path, weight, rows)
        assert (exact.format, exact.error) == ("bf16", 0)
        x, w = quant.from_bf16(rows).astype(np.float64), quant.from_bf16(to_bf16(weight))
        y = x @ w.T
        q8 = quant.from_q8(quant.to_q8(quant.from_bf16(rows)), 128)
        for option in narrower:
            difference = q8 @ quant.dequantize(quant.quantize(w, option.format)).T - y
            expected = np.linalg.norm(difference) / np.linalg.norm(y)
            assert option.error == pytest.approx(expected, rel=1e-3)
            packed = kernels.pack_weight(quant.quantize(w, option.format))
            assert option.nbytes == packed.nbytes
        assert [option.format for option in narrower] == ["int8_g32", "int4_g32"]
        assert 0.001 < narrower[0].error < 0.02 < narrower[1].error < 0.2

    def test_follow_the_inputs(self, tmp_path, weight, rows):
        """The column whose weights are rounded worst matters only if something enters it."""
        weight[:, 5] *= 100
        without = quant.from_bf16(rows)
        without[:, 5] = 0
        loud = self.options(tmp_path, weight, rows)
        silent = self.options(tmp_path, weight, to_bf16(without))
        assert silent[2].error > 2 * loud[2].error

    def test_pieces_have_no_influence(self, tmp_path, weight, rows, monkeypatch):
        whole = self.options(tmp_path, weight, rows)
        monkeypatch.setattr(measuring, "_PIECE", 7 * 128)
        pieces = self.options(tmp_path, weight, rows)
        for ours, theirs in zip(whole, pieces, strict=True):
            assert ours.error == pytest.approx(theirs.error, rel=1e-12)

    def test_a_matrix_of_zeros(self, tmp_path, rows):
        options = self.options(tmp_path, np.zeros((64, 128), np.float32), rows)
        assert [option.error for option in options] == [0, 0, 0]


class TestInputs:
    def test_are_what_enters_the_products(self, path):
        checkpoint = open_checkpoint(path)
        config, tokens = checkpoint.config, list(range(40))
        weights = load_weights(checkpoint, "exact", progress=False)
        inputs = capture(config, weights, tokens).rows
        assert inputs.keys() == dense_labels(config).keys()
        x = kernels.embed(tokens, weights.embedding.values)
        norm = weights.layers[0].attention_norm
        first = kernels.rms_norm_quantize(x, norm, config.rms_norm_eps, "bf16")
        np.testing.assert_array_equal(inputs["layers.0.qkv.weight"], first)
        runner = Runner(config, weights, 64, 1)
        logits = runner.run([Piece(runner.cache.sequence(), tokens, 40)])[0]
        np.testing.assert_array_equal(kernels.qgemm(inputs[HEAD], weights.head.weight), logits)
        assert inputs["layers.3.attention_output.weight"].shape == (40, config.query_size)

    def test_do_not_depend_on_steps(self, path, monkeypatch):
        checkpoint = open_checkpoint(path)
        weights = load_weights(checkpoint, "balanced", progress=False)
        tokens = list(range(100))
        wanted = capture(checkpoint.config, weights, tokens)
        monkeypatch.setattr(calibration, "STEP_TOKENS", 48)
        got = capture(checkpoint.config, weights, tokens)
        np.testing.assert_array_equal(got.chosen, wanted.chosen)
        assert got.chosen.shape == (4, 100, 4)
        for name in dense_labels(checkpoint.config).keys() - {HEAD}:
            np.testing.assert_array_equal(got.rows[name], wanted.rows[name])

    def test_the_model_is_given_back_before_tensors_are_measured(self, path, monkeypatch):
        made = []

        def pack(recipe):
            weights = pack_by(open_checkpoint(path), recipe, False)
            made.append(weakref.ref(weights.layers[0].gate_up.weight.data.base))
            return weights

        def measured(stored, rows):
            assert made[0]() is None
            return matrix_options(stored, rows)

        monkeypatch.setattr(adaptive, "matrix_options", measured)
        recipe = adapt(open_checkpoint(path), pack, progress=False)
        assert recipe.report is not None and len(made) == 1


class TestModel:
    def test_without_a_budget_all_stays_as_stored(self, path):
        weights = load(path, 0)
        exact = load_weights(open_checkpoint(path), "exact", progress=False)
        assert_equal(weights, exact)
        assert (weights.activations, weights.report.error) == ("q8", 0)
        assert set(weights.report.formats.values()) == {"bf16"}

    def test_a_generous_budget_is_fast(self, path):
        weights = load(path, 9)
        assert_equal(weights, load_weights(open_checkpoint(path), "fast", progress=False))
        narrowest = {name: "int4_g32" for name in dense_labels(open_checkpoint(path).config)}
        assert weights.report.formats == narrowest | {EMBEDDING: "int8_g32"}

    @per_fixture
    def test_bytes_fall_and_errors_rise(self, folder):
        loaded = [load(folder, budget) for budget in BUDGETS]
        reports = [weights.report for weights in loaded]
        sizes = [weights.nbytes for weights in loaded]
        assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) >= 5
        assert all(report.error <= report.error_budget for report in reports)
        for weights, report in zip(loaded, reports, strict=True):
            assert sizes[0] - weights.nbytes == report.stored_nbytes - report.nbytes
            assert weights.head.weight.format == report.formats[HEAD]

    @per_fixture
    def test_predictions_are_between_those_of_exact_and_fast(self, folder):
        with np.load(folder / "expected.npz") as expected:
            texts = [expected["tokens"][:400].tolist()]
        found = []
        with (
            LLM(folder, precision="exact", threads=1, progress=False) as exact,
            recorded(exact, texts) as recording,
        ):
            for budget in (0, 0.02, 9):
                options = {"precision": "auto", "threads": 1, "error_budget": budget}
                with LLM(folder, **options, progress=False) as other:
                    found.append(compare(recording, other, texts).kl_mean)
        assert (found[0] == 0) == folder.name.startswith("bf16")  # MXFP4 experts take int8 in
        assert 0 <= found[0] < 5e-4 and found[0] < found[1] < found[2] < 0.1

    def test_a_tensor_that_suffers_keeps_its_bits(self, tmp_path):
        name = "model.layers.1.self_attn.o_proj.weight"
        model = random_model()
        weight = model.floats(name).copy()
        weight[:, ::32] *= 30
        tensors = model.tensors | {name: Stored("BF16", to_bf16(weight))}
        # Large weights meet small inputs: what is rounded away is what counts.
        for kind in ("weight", "bias"):
            values = f"model.layers.1.self_attn.v_proj.{kind}"
            array = model.floats(values).copy()
            array[::16] *= 0.01
            tensors[values] = Stored("BF16", to_bf16(array))
        path = write_huggingface(TinyModel(model.config, tensors), tmp_path)
        report = load(path, 0.085).report
        wide = [t.name for t in report.tensors if t.choice.format == "int8_g32"]
        assert wide == [EMBEDDING, "layers.1.attention_output.weight"]

    def test_the_same_every_time_on_any_threads(self, path, monkeypatch):
        first = load(path)
        monkeypatch.setattr(measuring, "thread_count", lambda _: SimpleNamespace(count=3))
        again = load(path)
        assert first.report == again.report
        assert_equal(first, again)

    def test_errors_are_those_of_the_given_tokens(self, path):
        first, second = (load(path, calibration=tokens).report for tokens in ([1, 2, 3], [7] * 9))
        assert (first.calibration_tokens, second.calibration_tokens) == (3, 9)
        assert first.tensors[1].options[1].error != second.tensors[1].options[1].error

    def test_narrow_formats_stay(self, tmp_path):
        stored = {"Q8_0": ["int8_g32", "int4_g32"], "Q4_0": ["int4_g32"]}
        for kind, formats in stored.items():
            file = write_gguf(random_model(), tmp_path / f"{kind}.gguf", dense=kind)
            for tensor in load(file, 0).report.tensors:
                if tensor.name == EMBEDDING:
                    assert [option.format for option in tensor.options] == ["int8_g32"]
                else:
                    assert [option.format for option in tensor.options] == formats
                assert tensor.chosen == 0


class TestExperts:
    """Those that are not in MXFP4 are chosen as well."""

    @pytest.fixture(params=["BF16", "F16"])
    def path(self, request, tmp_path):
        model = random_model(tiny_config(num_hidden_layers=2), experts=request.param)
        return write_huggingface(model, tmp_path / "model")

    def test_without_a_budget_they_stay(self, path):
        exact = load_weights(open_checkpoint(path), "exact", progress=False)
        assert_equal(load(path, 0), exact)
        with (
            LLM(path, precision="auto", threads=1, error_budget=0, progress=False) as llm,
            LLM(path, precision="exact", threads=1, progress=False) as same,
        ):
            np.testing.assert_array_equal(llm.logits([1, 2, 3]), same.logits([1, 2, 3]))

    def test_a_generous_budget_is_fast(self, path):
        fast = load_weights(open_checkpoint(path), "fast", progress=False)
        assert_equal(load(path, 9), fast)

    def test_formats_may_differ(self, path, monkeypatch):
        """A wide matrix beside a narrow one: the experts take bfloat16 in."""
        wide = "layers.1.down.weight"

        def chosen(options, budget):
            return tuple(
                TensorChoice(name, of, 0 if name == wide else len(of) - 1)
                for name, of in sorted(options.items())
            )

        monkeypatch.setattr(adaptive, "choose", chosen)
        layer = load(path).layers[1]
        assert layer.down.weight.format in ("bf16", "f32")
        assert layer.gate_up.weight.format == "int4_g32"
        with (
            LLM(path, precision="exact", threads=1, progress=False) as exact,
            LLM(path, precision="auto", threads=1, progress=False) as mixed,
        ):
            expected = exact.logits(range(50))
            error = np.abs(mixed.logits(range(50)) - expected).mean() / expected.std()
        assert 0 < error < 0.3

    def test_errors_are_those_of_the_products(self, path):
        checkpoint = open_checkpoint(path)
        tensors, config = checkpoint.tensors, checkpoint.config
        random = np.random.default_rng(0)
        rows = to_bf16(random.standard_normal((30, 64)))
        chosen = random.permuted(np.tile(np.arange(8, dtype=np.int32), (30, 1)), axis=1)[:, :4]
        names = ("layers.0.gate_up.weight", "layers.0.gate_up.bias", "layers.0.down.weight")
        first, bias, second = (tensors[name].floats() for name in names)
        got = expert_options(tensors[names[0]], bias, tensors[names[2]], rows, chosen, config)
        sums = np.zeros((2, 2))
        for expert in range(8):
            x = quant.from_bf16(rows[(chosen == expert).any(1)])
            y = x @ first[expert].T + bias[expert]
            gate, up = np.minimum(y[:, ::2], 7), np.clip(y[:, 1::2], -7, 7)
            hidden = gate / (1 + np.exp(-1.702 * gate)) * (up + 1)
            for index, (a, w) in enumerate(((x, first[expert]), (hidden, second[expert]))):
                rounded = quant.from_q8(quant.to_q8(a.astype(np.float32)), a.shape[1])
                difference = rounded @ quant.dequantize(quant.quantize(w, "int4")).T - a @ w.T
                sums[index] += np.square(difference).sum(), np.square(a @ w.T).sum()
        for options, (difference, reference) in zip(got, sums, strict=True):
            assert options[2].error == pytest.approx(math.sqrt(difference / reference), rel=0.02)
            assert [option.format for option in options][1:] == ["int8_g32", "int4_g32"]
        fast = load_weights(checkpoint, "fast", progress=False).layers[0]
        assert got[0][2].nbytes == fast.gate_up.weight.nbytes
        assert got[1][2].nbytes == fast.down.weight.nbytes


class TestArguments:
    @pytest.mark.parametrize("budget", [-0.1, math.nan, math.inf])
    def test_budget(self, path, budget):
        with pytest.raises(ArgumentError, match=rf"error_budget={budget}"):
            load(path, budget)

    @pytest.mark.parametrize(
        ("tokens", "complaint"), [([], "at least one token"), ([10**6], "not in the vocabulary")]
    )
    def test_calibration(self, path, tokens, complaint):
        with pytest.raises(ArgumentError, match=complaint):
            load(path, calibration=tokens)

    @pytest.mark.parametrize("keywords", [{"error_budget": 0.1}, {"calibration": [1]}])
    def test_only_auto_has_a_budget(self, path, keywords):
        with pytest.raises(ArgumentError, match="are for precision='auto', not 'fast'"):
            load_weights(open_checkpoint(path), "fast", **keywords)

    def test_a_tensor_that_is_no_number_is_named(self, tmp_path):
        model = random_model()
        name = "model.layers.1.self_attn.o_proj.weight"
        array = model.tensors[name].array.copy()
        array[3, 5] = 0x7F80  # infinity
        broken = TinyModel(model.config, model.tensors | {name: Stored("BF16", array)})
        path = write_huggingface(broken, tmp_path)
        with pytest.raises(ModelError, match=r"layers\.1\.attention_output\.weight.*infinite"):
            load(path)


class TestPackedAuto:
    def test_file_has_the_same_weights_and_report(self, path, tmp_path):
        file = convert(path, tmp_path / "m.safetensors", "auto", error_budget=0.06, progress=False)
        wanted = load(path, 0.06)
        packed = open_checkpoint(file)
        weights = load_weights(packed, "auto", False)
        assert_equal(weights, wanted)
        assert weights.report == wanted.report and weights.precision == "auto"
        with (
            LLM(file, threads=1, progress=False) as llm,
            LLM(path, precision="auto", threads=1, error_budget=0.06, progress=False) as other,
        ):
            assert llm.precision_report == wanted.report
            np.testing.assert_array_equal(llm.logits([1, 2, 3]), other.logits([1, 2, 3]))
        with pytest.raises(ArgumentError, match="cannot be chosen anew"):
            load_weights(packed, "auto", error_budget=0.1)

    @pytest.mark.parametrize("text", ["{", "[]", '{"tensors": [{"name": "head"}]}', "{}"])
    def test_a_damaged_report_is_named(self, path, tmp_path, text):
        file = convert(path, tmp_path / "m.safetensors", "auto", progress=False)
        test_convert.TestPackedFile.edit(file, lambda h: h["__metadata__"].update({"report": text}))
        with pytest.raises(
            ModelError, match=r"m\.safetensors: the metadata 'report'.*pyhades conv"
        ):
            load_weights(open_checkpoint(file))


class TestReport:
    REPORT = PrecisionReport(
        0.05, 8,
        (TensorChoice("head", (Option("bf16", 3_000_000, 0.0), Option("int8_g32", 10**6, 0.01)), 1),
         TensorChoice("layers.0.qkv.weight", (Option("int4_g32", 10**6, 0.0),), 0)),
    )  # fmt: skip

    def test_prints_as_a_table(self):
        text = str(self.REPORT)
        assert "4.00 MB as stored, 2.00 MB as chosen; error 0.0071 of at most 0.05" in text
        assert "head" in text and "<td>int8_g32</td>" in self.REPORT._repr_html_()

    def test_json(self):
        assert PrecisionReport.from_json(self.REPORT.to_json()) == self.REPORT
        values = json.loads(self.REPORT.to_json())
        values["tensors"][0]["chosen"] = 2
        with pytest.raises(ValueError, match="option 2 of head"):
            PrecisionReport.from_json(json.dumps(values))


def test_a_step_that_keeps_nothing_says_so(path):
    checkpoint = open_checkpoint(path)
    runner = Runner(checkpoint.config, load_weights(checkpoint, progress=False), 64, 1)
    with pytest.raises(ArgumentError, match="keeps no input of a product 'lm_head'"):
        runner.step.matrix_inputs(["lm_head"])
