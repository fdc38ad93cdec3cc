"""Steps between the network and the file: the matte, the part that is shown, the shadow."""

from pyhades.segmentation.finish.finish import Finish
from pyhades.segmentation.finish.refine import Refinement
from pyhades.segmentation.finish.shadow import Shadow

__all__ = ["Finish", "Refinement", "Shadow"]
