"""Programs in stages: networks whose sizes, or whose course, depend on data.

A graph is cut behind what can be compiled. That part is one native program; what it makes is looked
at, operators whose sizes depend on data run in Python, and what follows is compiled for what was
found. See docs/explanation/stages.md.
"""

from pyhades.compiler.stages.cutting import is_static, lacks_kernel
from pyhades.compiler.stages.staged_program import StagedProgram

__all__ = ["StagedProgram", "is_static", "lacks_kernel"]
