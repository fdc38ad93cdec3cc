"""Products that mix channels only: 1x1 convolutions, and products of tokens by a constant matrix.

They are linear maps of every pixel by itself, so they may change places with whatever treats all
channels alike: with resizes, and with views that leave the channels together.
"""

from pyhades.passes.channels.compose import compose_products
from pyhades.passes.channels.resize import multiply_before_resize

__all__ = ["compose_products", "multiply_before_resize"]
