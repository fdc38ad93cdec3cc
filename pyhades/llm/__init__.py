"""Language models of the gpt-oss family on the same kernels as everything else."""

from pyhades.llm.conversation import Conversation
from pyhades.llm.engine import LLM
from pyhades.llm.evaluation import Comparison, compare
from pyhades.llm.harmony import ChatAnswer, ChatDelta
from pyhades.llm.outputs import Completion, Delta, Generation
from pyhades.llm.sampling import SamplingParams

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
