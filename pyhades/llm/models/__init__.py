"""Architectures, one folder each, and the vocabulary that they are written in.

Stands on ``checkpoint`` and ``text``. What is peculiar to an architecture is in its folder alone;
the registry finds it there by the ``model_type`` of a checkpoint.
"""

from pyhades.llm.models.checkpoint import Checkpoint
from pyhades.llm.models.opening import open_checkpoint

__all__ = ["Checkpoint", "open_checkpoint"]
