"""The machine, what limits its use and the plan for it, together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from pyhades.tables import as_html
from pyhades.topology.affinity import Placed, memory_policy
from pyhades.topology.limits import Limits, read_limits
from pyhades.topology.machine import Machine
from pyhades.topology.plan import Plan
from pyhades.topology.planner import plan_workers
from pyhades.topology.reader import read_machine


@dataclass(frozen=True)
class Survey:
    """What :func:`survey` found; prints as a table."""

    machine: Machine
    limits: Limits
    policy: Placed
    plan: Plan

    def rows(self) -> list[tuple[str, str]]:
        """Names and values: the machine, its nodes, limits, what policies of memory come to."""
        policy = str(self.policy).removeprefix("policy: ")
        return [*self.machine.rows(), *self.limits.rows(), ("policy", policy)]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it; CPUs and nodes as lists of the kernel's form."""
        return {
            "machine": self.machine.to_dict(),
            "limits": self.limits.to_dict(),
            "policy": dataclasses.asdict(self.policy),
            "plan": self.plan.to_dict(),
        }

    def __str__(self) -> str:
        facts = "\n".join(f"{name:<11} {value}" for name, value in self.rows())
        return f"{facts}\n\n{self.plan}"

    def _repr_html_(self) -> str:
        return as_html([["", ""], *(list(row) for row in self.rows())]) + self.plan._repr_html_()


def survey() -> Survey:
    """Look at this machine, what this process may use of it, and the plan that follows.

    Returns
    -------
    Survey
        Prints as tables.

    Examples
    --------
    >>> survey().plan.threads >= 1
    True
    """
    machine = read_machine()
    limits = read_limits(machine)
    return Survey(machine, limits, memory_policy(), plan_workers(machine, limits))
