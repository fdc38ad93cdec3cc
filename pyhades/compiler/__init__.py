"""The compiler: from a graph or an assembly to native instructions, a memory plan, a runnable."""

from pyhades.compiler.face import Program
from pyhades.compiler.program import compile
from pyhades.compiler.runnable import Memory
from pyhades.compiler.trace import Trace

__all__ = ["Memory", "Program", "Trace", "compile"]
