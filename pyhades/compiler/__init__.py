"""The compiler: passes, lowering to native instructions, memory plan, and the runnable Program."""

from pyhades.compiler.program import Memory, Program, compile
from pyhades.compiler.trace import Trace

__all__ = ["Memory", "Program", "Trace", "compile"]
