"""Known machines, each written and read once."""

from __future__ import annotations

import functools

import pytest

from pyhades.topology import read_limits, read_machine
from tests.topology.known_machines import MACHINES


@pytest.fixture(scope="session")
def known(tmp_path_factory):
    """A known machine and what limits its use, by name."""

    @functools.cache
    def read(name):
        root = MACHINES[name].write(tmp_path_factory.mktemp(name))
        machine = read_machine(root)
        return machine, read_limits(machine, root)

    return read
