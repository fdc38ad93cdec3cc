"""Language models of the gpt-oss family on the same kernels as everything else."""

from pyhades.llm.conversation import Conversation
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.llm import LLM
from pyhades.llm.measure.evaluation import Comparison, compare
from pyhades.llm.text.harmony import ChatAnswer, ChatDelta
from pyhades.llm.text.outputs import Completion, Delta, Generation

__all__ = [
    "LLM",
    "ChatAnswer",
    "ChatDelta",
    "Comparison",
    "Completion",
    "Conversation",
    "Delta",
    "Generation",
    "SamplingParams",
    "compare",
]
