"""The call of rembg, computed by pyhades: ``from pyhades.rembg import remove, new_session``.

Keywords and results are those of rembg 2.0; docs/how-to/come_from_rembg.md tells the differences.
"""

from pyhades.segmentation.rembg.removing import remove
from pyhades.segmentation.rembg.session import Session, new_session

__all__ = ["Session", "new_session", "remove"]
