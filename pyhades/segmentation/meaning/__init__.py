"""What goes into a segmentation network and what comes out of it, read off its graph.

:mod:`~pyhades.engines.inputs` finds the picture among the inputs,
:mod:`~pyhades.segmentation.meaning.facts` follows every value forward from what bounds it,
:mod:`~pyhades.segmentation.meaning.outputs` says what an output is, and
:mod:`~pyhades.segmentation.meaning.choice` which of several holds the mask.
"""

from pyhades.engines.feeding import InputPlan, State
from pyhades.engines.inputs import plan_inputs
from pyhades.segmentation.meaning.choice import Meaning, understand
from pyhades.segmentation.meaning.outputs import OutputMeaning

__all__ = ["InputPlan", "Meaning", "OutputMeaning", "State", "plan_inputs", "understand"]
