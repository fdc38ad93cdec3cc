"""The machine as sysfs tells it, what limits its use, and where workers are to run."""

from pyhades.topology.limits import Limit, Limits, read_limits
from pyhades.topology.machine import CacheGroup, Core, Machine, Node
from pyhades.topology.plan import Plan, ProcessPlan, WorkerPlan
from pyhades.topology.planner import plan_workers, team_sizes
from pyhades.topology.reader import read_machine

__all__ = [
    "CacheGroup",
    "Core",
    "Limit",
    "Limits",
    "Machine",
    "Node",
    "Plan",
    "ProcessPlan",
    "WorkerPlan",
    "plan_workers",
    "read_limits",
    "read_machine",
    "team_sizes",
]
