"""All that is peculiar to the mixtures of experts among Qwen3.

Source: Qwen Team, "Qwen3 Technical Report", 2025, and the implementation in transformers.
"""

from pyhades.llm.models.architecture import Architecture, ChatFormat, GgufLayout, Layout
from pyhades.llm.models.qwen3_moe import gguf
from pyhades.llm.models.qwen3_moe.chat import chatml_prompt
from pyhades.llm.models.qwen3_moe.config import from_huggingface
from pyhades.llm.models.qwen3_moe.model import build_step, gate
from pyhades.llm.models.qwen3_moe.names import collect
from pyhades.llm.models.qwen3_moe.turn import chatml_turn
from pyhades.llm.models.qwen3_moe.weights import Qwen3MoeLayer, layer_shapes

ARCHITECTURE = Architecture(
    model_type="qwen3_moe",
    layer_shapes=layer_shapes,
    layer_weights=Qwen3MoeLayer,
    build_step=build_step,
    gate=gate,
    product_labels={
        "qkv": "self_attn.qkv_proj",
        "attention_output": "self_attn.o_proj",
        "gate_up": "mlp.router",  # takes the same rows in, never rounded to int8
    },
    chat=ChatFormat(chatml_prompt, chatml_turn),
    huggingface=Layout(from_huggingface, collect),
    gguf={"qwen3moe": GgufLayout(gguf.read_config, gguf.collect)},
)

__all__ = ["ARCHITECTURE"]
