"""Background removal for photographs.

:class:`Remover` holds a model; :func:`remove_background` is the short way.
"""

from pyhades.segmentation.cutout import Cutout
from pyhades.segmentation.finish import Finish, Refinement, Shadow
from pyhades.segmentation.inspection import Inspection, inspect
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.remover import Remover, remove_background
from pyhades.segmentation.verification import Verification, verify

__all__ = [
    "Cutout",
    "Finish",
    "Inspection",
    "ModelManifest",
    "Refinement",
    "Remover",
    "Shadow",
    "Verification",
    "inspect",
    "remove_background",
    "verify",
]
