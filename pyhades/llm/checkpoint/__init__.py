"""Checkpoints of gpt-oss, whatever they are stored in, read in one way."""

from pyhades.llm.checkpoint.checkpoint import Checkpoint
from pyhades.llm.checkpoint.opening import open_checkpoint
from pyhades.llm.checkpoint.stored import StoredTensor

__all__ = ["Checkpoint", "StoredTensor", "open_checkpoint"]
