"""Architectures, one folder each, and the vocabulary that they are written in."""

from pyhades.llm.models.checkpoint import Checkpoint
from pyhades.llm.models.opening import open_checkpoint

__all__ = ["Checkpoint", "open_checkpoint"]
