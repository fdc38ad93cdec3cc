"""What a model file is, what pyhades makes of it, and why."""

from pyhades.segmentation.inspection.inspect import inspect
from pyhades.segmentation.inspection.report import Inspection, KernelUse, Port

__all__ = ["Inspection", "KernelUse", "Port", "inspect"]
