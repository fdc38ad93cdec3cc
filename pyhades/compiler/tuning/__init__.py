"""Where several algorithms compute the same, the fastest on this machine, by a short measurement.

Without it a cost model chooses, which knows sizes but not the machine. What was measured is kept
per machine, so that it is measured once.
"""

from pyhades.compiler.tuning.choose import tune

__all__ = ["tune"]
