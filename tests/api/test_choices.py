"""Every argument that takes a name of a list refuses others: by its own name, with the list."""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

import pyhades
import pyhades.ray
from pyhades import kernels, networks, quant
from pyhades.compiler.assembly import Assembly
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError
from pyhades.formats import TensorEntry
from pyhades.llm import ChatAnswer, ChatDelta, Completion, Conversation, Delta
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.checkpoint.stored import PlainTensor, StoredTensor
from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.checkpoint import PackedShape
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.listing import Kept
from pyhades.llm.precision.loading import load_weights
from pyhades.llm.precision.recipe import Recipe, recipe_named
from pyhades.llm.precision.report import Option
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.harmony import HarmonyParser
from pyhades.segmentation import Cutout, Finish, ModelManifest
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.quantize import Recipe as QuantizeRecipe
from tests.support.kernel_calls import CALLS, KEYWORDS
from tests.support.surface import Parameter, parameters, public_functions
from tests.support.toy_tokenizer import toy_tokenizer

WRONG = "no such value"
NAMES = ("activation", "family", "format", "function", "isa", "precision")
"""Parameters that take a name of a list that no annotation can hold: it is made at run time."""
EXEMPT = {
    "pyhades.kernels.gemm.PackedMatrix: isa": "made by pack_matrix, which has checked it",
    "pyhades.options.EngineOptions.changed: precision": "each engine checks its own names",
    "pyhades.options.EngineOptions: precision": "each engine checks its own names",
    "pyhades.llm.models.checkpoint.PackedModel: precision": "the name of what somebody packed by",
    "pyhades.llm.models.weights.ModelWeights: precision": "the name of what somebody made",
    "pyhades.llm.text.chat_prompt.ChatParser.finish: reason": "a protocol; parsers check it",
    "pyhades.segmentation.quantize.result.Layer: precision": "told by what was quantised",
}


@dataclasses.dataclass(frozen=True)
class Call:
    """Something public with valid arguments, to which one that is wrong is added."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = dataclasses.field(default_factory=dict)


class Instant:
    """A network that sees foreground everywhere."""

    def __call__(self, planes):
        return np.ones((1, 1, *planes.shape[2:]), np.float32)

    def close(self):
        pass


PHOTO = np.zeros((8, 8, 3), np.uint8)
MATRIX = np.ones((32, 32), np.float32)
MANIFEST = ModelManifest("instant", (8, 8))


@functools.cache
def llm() -> pyhades.LLM:
    config = tiny_config()
    return pyhades.LLM.from_weights(config, random_weights(config), toy_tokenizer(), threads=1)


def remover(method: str, given: Any = PHOTO) -> Call:
    return Call(getattr(pyhades.Remover.from_network(Instant(), MANIFEST), method), (given,))


def cutout(method: str) -> Call:
    return Call(getattr(Cutout(LoadedImage(PHOTO), PHOTO[..., 0]), method))


def small_network() -> Any:
    return networks.u2net(32, small=True)


def weights_call() -> Call:
    config = tiny_config()
    return Call(pyhades.LLM.from_weights, (config, random_weights(config)))


def packed_weight(**changes: Any) -> quant.PackedWeight:
    given = {"data": np.zeros(1088, np.uint8), "format": "int8_g32", "shape": (32, 32)}
    return quant.PackedWeight(**(given | changes))


def recipe(**changes: Any) -> Recipe:
    """``formats`` is a mapping; the wrong name stands in it."""
    if "formats" in changes:
        changes["formats"] = {"formats": changes["formats"]}
    return Recipe(**({"precision": "fast", "activations": "q8", "widest": None} | changes))


MESSAGES = [{"role": "user", "content": "Hi"}]


def stored() -> StoredTensor:
    """A matrix as a checkpoint has it."""
    data = np.zeros(128, np.uint8)
    return PlainTensor(TensorEntry("weight", Path("model.gguf"), "F32", (1, 32), data))


def bulk_run_call() -> Call:
    remover = pyhades.Remover.from_network(Instant(), MANIFEST)
    return Call(pyhades.BulkRun, (Path(__file__).parent, "nowhere"), {"remover": remover})


OTHERS: dict[str, Callable[[], Call]] = {
    "pyhades.compiler.assembly.Assembly.bound": lambda: Call(
        Assembly("nothing").bound, ("x", (1,))
    ),
    "pyhades.compiler.assembly.Assembly.scratch": lambda: Call(
        Assembly("nothing").scratch, ((1,),)
    ),
    "pyhades.compiler.assembly.Assembly.build": lambda: Call(Assembly("nothing").build),
    "pyhades.compiler.program.compile": lambda: Call(pyhades.compile, (small_network(),)),
    "pyhades.debug.compare.compare": lambda: Call(
        pyhades.debug.compare, (small_network(), {"input": np.zeros((1, 3, 32, 32), np.float32)})
    ),
    "pyhades.kernels.recurrent.recurrence": lambda: Call(
        kernels.recurrence, (np.ones((2, 3, 4), np.float32), np.ones((4, 1), np.float32))
    ),
    "pyhades.kernels.gemm.pack_matrix": lambda: Call(kernels.pack_matrix, (MATRIX,)),
    "pyhades.kernels.moe.top_k": lambda: Call(kernels.top_k, (MATRIX, 2)),
    "pyhades.kernels.ranking.rank": lambda: Call(kernels.rank, (MATRIX, 2)),
    "pyhades.kernels.sampling.sample_rows": lambda: Call(kernels.sample_rows, (MATRIX,)),
    "pyhades.kernels.suppression.suppress": lambda: Call(
        kernels.suppress, (np.zeros((1, 2, 4), np.float32), np.ones((1, 1, 2), np.float32), 2)
    ),
    "pyhades.kernels.paged_attention.cache_block_bytes": lambda: Call(
        kernels.cache_block_bytes, (1, 16)
    ),
    "pyhades.kernels.qgemm.pack_weight": lambda: Call(
        kernels.pack_weight, (quant.quantize(MATRIX),)
    ),
    "pyhades.llm.llm.LLM.share_beginning": lambda: Call(
        llm().share_beginning, ([{"role": "system", "content": "Be brief."}],)
    ),
    "pyhades.llm.grammar.constraint.Constraint": lambda: Call(Constraint, (), {"body": "{}"}),
    "pyhades.kernels.registry.implementations": lambda: Call(kernels.implementations),
    "pyhades.kernels.registry.selected": lambda: Call(
        kernels.selected, (), {"function": "softmax_f32"}
    ),
    "pyhades.quant.conversion.convert": lambda: Call(quant.convert, (quant.quantize(MATRIX),)),
    "pyhades.llm.precision.listing.Kept": lambda: Call(Kept, (), {"nbytes": 1, "is_exact": True}),
    "pyhades.llm.checkpoint.stored.StoredTensor.read_as": lambda: Call(
        stored().read_as, (slice(None),)
    ),
    "pyhades.llm.checkpoint.stored.StoredTensor.is_exact_in": lambda: Call(stored().is_exact_in),
    "pyhades.llm.conversation.Conversation": lambda: Call(Conversation, (llm(),)),
    "pyhades.llm.llm.LLM": lambda: Call(pyhades.LLM, (), {"progress": False}),
    "pyhades.llm.llm.LLM.chat": lambda: Call(llm().chat, (MESSAGES,)),
    "pyhades.llm.llm.LLM.from_weights": weights_call,
    "pyhades.llm.models.checkpoint.PackedShape": lambda: Call(
        PackedShape, (), {"format": "mxfp4", "shape": (1, 32), "row_order": "plain", "layout": ""}
    ),
    "pyhades.llm.precision.convert.convert": lambda: Call(
        convert, (toy_model(), "nowhere.safetensors"), {"progress": False}
    ),
    "pyhades.llm.precision.loading.load_weights": lambda: Call(
        load_weights, (open_checkpoint(toy_model()),), {"progress": False}
    ),
    "pyhades.llm.precision.recipe.Recipe": lambda: Call(recipe),
    "pyhades.llm.precision.recipe.Recipe.embedding_format": lambda: Call(
        recipe_named("fast").embedding_format
    ),
    "pyhades.llm.precision.recipe.Recipe.format_of": lambda: Call(
        recipe_named("fast").format_of, ("head",)
    ),
    "pyhades.llm.precision.report.Option": lambda: Call(Option, (), {"nbytes": 1, "error": 0.0}),
    "pyhades.llm.text.chat.ChatAnswer": lambda: Call(ChatAnswer, ((),)),
    "pyhades.llm.text.chat.ChatDelta": lambda: Call(ChatDelta, ("final", None, "")),
    "pyhades.llm.text.chat_options.ChatOptions": lambda: Call(ChatOptions),
    "pyhades.llm.text.harmony.parser.HarmonyParser.finish": lambda: Call(
        HarmonyParser(toy_tokenizer()).finish
    ),
    "pyhades.llm.text.outputs.Completion": lambda: Call(
        Completion, (), {"text": "", "token_ids": (), "timing": None}
    ),
    "pyhades.llm.text.outputs.Delta": lambda: Call(Delta, (0, 0, "", ())),
    "pyhades.networks.u2net.u2net": lambda: Call(networks.u2net, (32,)),
    "pyhades.networks.u2net.write_u2net": lambda: Call(networks.write_u2net, (io.BytesIO(), 32)),
    "pyhades.options.EngineOptions": lambda: Call(pyhades.EngineOptions),
    "pyhades.options.EngineOptions.changed": lambda: Call(pyhades.EngineOptions().changed),
    "pyhades.quant.codecs.from_mxfp4": lambda: Call(
        quant.from_mxfp4, (np.zeros((1, 1, 16), np.uint8), np.zeros((1, 1), np.uint8))
    ),
    "pyhades.quant.codecs.quantize": lambda: Call(quant.quantize, (MATRIX,)),
    "pyhades.quant.formats.Format": lambda: Call(
        quant.Format, (), {"block_bytes": 1, "tile_header_bytes": 0, "bits": 1.0}
    ),
    "pyhades.quant.tensor.PackedWeight": lambda: Call(packed_weight),
    "pyhades.quant.tensor.QuantizedTensor": lambda: Call(
        quant.QuantizedTensor, (), {"shape": (1, 32), "values": MATRIX[:1]}
    ),
    "pyhades.ray.removing.remove_backgrounds": lambda: Call(pyhades.ray.remove_backgrounds, ([],)),
    "pyhades.ray.serving.build_app": lambda: Call(pyhades.ray.build_app),
    "pyhades.segmentation.bulk.run.BulkRun": bulk_run_call,
    "pyhades.segmentation.cutout.Cutout.deep_pixels": lambda: cutout("deep_pixels"),
    "pyhades.segmentation.cutout.Cutout.drawn": lambda: Call(
        Cutout(LoadedImage(PHOTO), PHOTO[..., 0]).drawn, ("rgba", None, 8)
    ),
    "pyhades.segmentation.cutout.Cutout.encode": lambda: cutout("encode"),
    "pyhades.segmentation.cutout.Cutout.encode_parts": lambda: cutout("encode_parts"),
    "pyhades.segmentation.cutout.Cutout.pixels": lambda: cutout("pixels"),
    "pyhades.segmentation.cutout.Cutout.to_pil": lambda: cutout("to_pil"),
    "pyhades.segmentation.finish.finish.Finish": lambda: Call(Finish),
    "pyhades.segmentation.image.reading.load_image": lambda: Call(load_image, (PHOTO,)),
    "pyhades.segmentation.inspection.inspect.inspect": lambda: Call(pyhades.inspect),
    "pyhades.segmentation.manifest.ModelManifest": lambda: Call(ModelManifest, ("m", (8, 8))),
    "pyhades.segmentation.quantize.face.quantize": lambda: Call(pyhades.quantize),
    "pyhades.segmentation.quantize.recipe.Recipe": lambda: Call(QuantizeRecipe),
    "pyhades.segmentation.remover.Remover": lambda: Call(pyhades.Remover),
    "pyhades.segmentation.remover.Remover.__call__": lambda: remover("__call__"),
    "pyhades.segmentation.remover.Remover.cut": lambda: remover("cut"),
    "pyhades.segmentation.remover.Remover.from_network": lambda: Call(
        pyhades.Remover.from_network, (Instant(), MANIFEST)
    ),
    "pyhades.segmentation.remover.Remover.frames": lambda: remover("frames", [PHOTO]),
    "pyhades.segmentation.remover.Remover.map": lambda: remover("map", [PHOTO]),
    "pyhades.segmentation.remover.Remover.matte": lambda: remover("matte"),
    "pyhades.segmentation.remover.remove_background": lambda: Call(
        pyhades.remove_background, (PHOTO,)
    ),
}
"""Valid calls of everything public, but for kernels of one result, that takes names of lists."""


def enumerated() -> list[Parameter]:
    """Every public parameter that takes a name of a list."""
    found = []
    for name, function in public_functions().items():
        for p in parameters(name, function):
            if p.choices or p.name in NAMES or (p.name == "dtype" and p.hint == DTypeLike):
                found.append(p)
    return [p for p in found if f"{p.function}: {p.name}" not in EXEMPT]


def call_of(function: str) -> Call:
    if function in OTHERS:
        return OTHERS[function]()
    name = function.rpartition(".")[2]
    assert name in CALLS and function.startswith("pyhades.kernels."), f"{function}: add it here"
    return Call(getattr(kernels, name), CALLS[name], KEYWORDS.get(name, {}))


ENUMERATED = enumerated()


def test_the_tables_name_what_exists():
    functions = {p.function for p in ENUMERATED}
    assert len(ENUMERATED) > 130
    assert functions >= OTHERS.keys(), "take out what takes no names any more"
    every = {f"{n}: {p.name}" for n, f in public_functions().items() for p in parameters(n, f)}
    assert EXEMPT.keys() <= every


@pytest.mark.parametrize("parameter", ENUMERATED, ids=lambda p: f"{p.function}-{p.name}")
def test_refuses_what_is_not_in_the_list(parameter):
    call = call_of(parameter.function)
    function, arguments, keywords = call.function, call.arguments, call.keywords
    names = [p.name for p in parameters("called", function) if p.name != "changes"]
    if parameter.name in names[: len(arguments)]:
        at = names.index(parameter.name)
        arguments = (*arguments[:at], WRONG, *arguments[at + 1 :])
    else:
        keywords = keywords | {parameter.name: WRONG}
    with pytest.raises((ArgumentError, ArgumentTypeError, ConfigurationError)) as caught:
        function(*arguments, **keywords)
    message = str(caught.value)
    assert f"'{WRONG}'" in message
    assert parameter.name in message or "format" in message
    for choice in parameter.choices:
        assert choice in message


@pytest.mark.parametrize("value", [None, 3, ["relu"], np.zeros(2), b"NCHW"])
def test_what_is_no_name_at_all(value):
    x = np.ones((1, 1, 3, 3), np.float32)
    with pytest.raises(ArgumentError, match=r"layout=.* is none of 'NCHW', 'NHWC'"):
        kernels.conv2d(x, x, layout=value)
