"""Containers of tensors: memory-mapped readers of safetensors and GGUF, a writer of safetensors.

They know bytes, names, shapes and types, and nothing of models.
"""

from pyhades.formats.entry import TensorEntry
from pyhades.formats.gguf import GgufFile
from pyhades.formats.mapped import MappedFile
from pyhades.formats.safetensors import SafetensorsFile, SafetensorsWriter

__all__ = ["GgufFile", "MappedFile", "SafetensorsFile", "SafetensorsWriter", "TensorEntry"]
