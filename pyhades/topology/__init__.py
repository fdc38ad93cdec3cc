"""The machine as sysfs tells it, what limits its use, and where workers are to run."""

from pyhades.topology.affinity import (
    PageNodes,
    Placed,
    bind_memory,
    memory_policy,
    page_nodes,
    pin_current_thread,
    prefer_node,
)
from pyhades.topology.control_groups import ControlGroups
from pyhades.topology.limits import Limit, Limits, read_limits
from pyhades.topology.machine import CacheGroup, Core, Machine, Node
from pyhades.topology.plan import Plan, ProcessPlan, WorkerPlan
from pyhades.topology.planner import plan_workers, team_sizes
from pyhades.topology.reader import read_machine
from pyhades.topology.survey import Survey, survey

__all__ = [
    "CacheGroup",
    "ControlGroups",
    "Core",
    "Limit",
    "Limits",
    "Machine",
    "Node",
    "PageNodes",
    "Placed",
    "Plan",
    "ProcessPlan",
    "Survey",
    "WorkerPlan",
    "bind_memory",
    "memory_policy",
    "page_nodes",
    "pin_current_thread",
    "plan_workers",
    "prefer_node",
    "read_limits",
    "read_machine",
    "survey",
    "team_sizes",
]
