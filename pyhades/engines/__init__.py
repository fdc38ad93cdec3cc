"""What runs networks: our own engine, onnxruntime, and several side by side.

An engine is a factory that can be pickled: it says its name, how many pictures it takes at once and
what it is in words, and makes a network of a model. :class:`pyhades.Remover` takes one by its name
or as an object.
"""

from pyhades.engines.engine import Engine, Model
from pyhades.engines.hybrid import Hybrid
from pyhades.engines.naming import EngineLike, engine_of
from pyhades.engines.onnxruntime import OnnxRuntime
from pyhades.engines.ours import Pyhades
from pyhades.engines.patience import Patience, Tally

__all__ = [
    "Engine",
    "EngineLike",
    "Hybrid",
    "Model",
    "OnnxRuntime",
    "Patience",
    "Pyhades",
    "Tally",
    "engine_of",
]
