"""All that is peculiar to gpt-oss.

Source: OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card", 2025, and the reference implementation that
comes with it.
"""

from functools import partial

from pyhades.llm.grammar.harmony import harmony_turn
from pyhades.llm.models.architecture import Architecture, ChatFormat, GgufLayout, Layout
from pyhades.llm.models.gpt_oss import gguf, huggingface, original
from pyhades.llm.models.gpt_oss.model import build_step, gate
from pyhades.llm.models.gpt_oss.outline import layer_shapes
from pyhades.llm.models.gpt_oss.settings import from_huggingface, from_original
from pyhades.llm.models.gpt_oss.weights import GptOssLayer
from pyhades.llm.text.harmony import harmony_prompt

ARCHITECTURE = Architecture(
    model_type="gpt_oss",
    layer_shapes=layer_shapes,
    layer_weights=GptOssLayer,
    build_step=build_step,
    gate=gate,
    product_labels={
        "qkv": "self_attn.qkv_proj",
        "attention_output": "self_attn.o_proj",
        "gate_up": "mlp.router",  # takes the same rows in, never rounded to int8
    },
    chat=ChatFormat(harmony_prompt, harmony_turn),
    huggingface=Layout(from_huggingface, huggingface.collect),
    others=(Layout(from_original, original.collect, original.MARK),),
    gguf={
        "gpt-oss": GgufLayout(
            gguf.read_config, partial(gguf.collect, is_ollama=False), gguf.common_name
        ),
        "gptoss": GgufLayout(
            gguf.read_config, partial(gguf.collect, is_ollama=True), gguf.common_name
        ),
    },
)

__all__ = ["ARCHITECTURE"]
