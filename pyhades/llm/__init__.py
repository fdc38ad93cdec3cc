"""Language models on the same kernels as everything else.

:class:`LLM` and :class:`Conversation` are what users see; the rooms below them look down only, see
docs/explanation/architecture.md.
"""

from pyhades.llm import moved
from pyhades.llm.conversation import Conversation
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.llm import LLM
from pyhades.llm.measure.evaluation import Comparison, compare
from pyhades.llm.text.chat import ChatAnswer, ChatDelta
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

moved.install()
