"""Writes the plans that are committed: ``python -m tests.topology.write_plans``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from pyhades.topology import Limits, Machine, plan_workers, read_limits, read_machine
from tests.topology.known_machines import MACHINES, WISHES

FOLDER = Path(__file__).with_name("plans")


def planned(name: str, machine: Machine, limits: Limits) -> dict[str, Any]:
    """The machine, its limits and its plans, as they are committed."""
    plans = [
        {"wishes": wishes, "plan": plan_workers(machine, limits, **wishes).to_dict()}
        for wishes in WISHES[name]
    ]
    return {"machine": machine.to_dict(), "limits": limits.to_dict(), "plans": plans}


def written(value: Any, indent: str = "") -> str:
    """JSON, with what holds no other lists or objects on a line of its own."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(part, (dict, list)) and part for part in inner):
        return json.dumps(value)
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {written(part, deeper)}" for key, part in value.items()]
    else:
        parts = [written(part, deeper) for part in value]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return f"{begin}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{end}"


def main() -> None:
    """Write every plan."""
    FOLDER.mkdir(exist_ok=True)
    for name, fake in MACHINES.items():
        with tempfile.TemporaryDirectory() as root:
            machine = read_machine(fake.write(Path(root)))
            found = planned(name, machine, read_limits(machine, root))
        (FOLDER / f"{name}.json").write_text(written(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
