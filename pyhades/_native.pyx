# distutils: language = c++
"""The native half of pyhades, see csrc/.

Two things are wrapped: single kernels (``call``, for :mod:`pyhades.kernels`) and networks
(``ProgramBuilder``, ``Program``, ``Context``, ``Team``, for :mod:`pyhades.compiler`).
"""

include "native/isa.pxi"
include "native/operands.pxi"
include "native/call.pxi"
include "native/program.pxi"
include "native/queue.pxi"
include "native/roof.pxi"
