"""The compiler: from a graph or an assembly to native instructions, a memory plan, a runnable."""

from pyhades.compiler.executable import Memory
from pyhades.compiler.program import Program, compile
from pyhades.compiler.trace import Trace

__all__ = ["Memory", "Program", "Trace", "compile"]
