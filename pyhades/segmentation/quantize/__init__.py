"""Float segmentation models to int8, by looking at pictures.

:func:`quantize` is the whole way; :class:`Recipe` says how, :class:`Budget` what may be lost.
"""

from pyhades.segmentation.quantize.face import quantize
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.result import Layer, Quantized
from pyhades.segmentation.quantize.scores import Budget, Score

__all__ = ["Budget", "Layer", "Quantized", "Recipe", "Score", "quantize"]
