"""Masks of our engine beside those of another, and beside masks that people drew.

:mod:`~pyhades.segmentation.verification.fidelity` measures how far two predictions are apart,
:mod:`~pyhades.segmentation.verification.quality` how good one is, and
:mod:`~pyhades.segmentation.verification.verify` does both for a model and a folder of pictures.
"""

from pyhades.segmentation.verification.fidelity import Fidelity
from pyhades.segmentation.verification.quality import Quality
from pyhades.segmentation.verification.verify import Verification, verify

__all__ = ["Fidelity", "Quality", "Verification", "verify"]
