"""Background removal for photographs.

:class:`Remover` holds a model; :func:`remove_background` is the short way.
"""

from pyhades.segmentation.cutout import Cutout
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.remover import Remover, remove_background

__all__ = ["Cutout", "ModelManifest", "Remover", "remove_background"]
