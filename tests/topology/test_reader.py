"""Machines are read as they are, and whatever a machine does not tell is no error."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess

import pytest

from pyhades.topology import read_limits, read_machine
from pyhades.topology.files import format_cpus, parse_cpus
from tests.support.machines import GIB, FakeMachine, paired
from tests.topology.known_machines import MACHINES


@pytest.mark.parametrize("text", ["", "0", "0-3", "0-1,4,6-9", "3,1-2"])
def test_lists_of_cpus_are_read_and_written(text):
    numbers = parse_cpus(text)
    assert list(numbers) == sorted(set(numbers))
    assert not numbers or parse_cpus(format_cpus(numbers)) == numbers


@pytest.mark.parametrize("text", ["-", "3-1", "a", "0-", "0-99999999999", "1;2", "-1"])
def test_lists_that_are_none_are_refused(text):
    if text == "0-":  # the kernel writes no such thing; it reads as the number alone
        assert parse_cpus(text) == (0,)
    else:
        with pytest.raises(ValueError):
            parse_cpus(text)


def test_two_sockets_with_siblings(known):
    machine, _ = known("nps4_384_threads")
    assert len(machine.online) == 384 and len(machine.cores) == 192 and machine.packages == (0, 1)
    assert [len(node.cpus) for node in machine.nodes] == [48] * 8
    assert machine.nodes[1].cpus == (*range(24, 48), *range(216, 240))
    assert machine.cores[5].cpus == (5, 197)
    assert {len(group.cpus) for group in machine.groups} == {16} and len(machine.groups) == 24
    assert machine.nearest(5) == (4, 6, 7, 0, 1, 2, 3)
    assert machine.memory_bytes == 8 * 96 * GIB


def test_siblings_may_be_counted_in_pairs(tmp_path):
    fake = FakeMachine(packages=2, groups=2, cores=4, threads=2, numbers=paired(16))
    machine = read_machine(fake.write(tmp_path))
    assert [core.cpus for core in machine.cores] == [(cpu, cpu + 1) for cpu in range(0, 32, 2)]
    assert machine.nodes[1].cpus == tuple(range(16, 32))


def test_a_cache_is_cut_at_the_borders_of_nodes(known):
    machine, _ = known("snc_four_nodes")
    assert [group.node for group in machine.groups] == [0, 1, 2, 3]
    assert all(group.cpus == machine.nodes[group.node].cpus for group in machine.groups)


def test_nodes_without_cpus_are_memory(known):
    machine, _ = known("cxl_node")
    assert machine.nodes[1].cpus == () and machine.nodes[1].memory_bytes == 256 * GIB
    assert {group.node for group in machine.groups} == {0}
    assert "no CPUs" in str(machine)


def test_offline_cpus_are_in_no_core(known):
    machine, _ = known("offline_cpus")
    assert machine.offline == MACHINES["offline_cpus"].offline
    assert not set(machine.offline) & set(machine.online)
    assert sorted(cpu for core in machine.cores for cpu in core.cpus) == list(machine.online)
    assert (22,) in [core.cpus for core in machine.cores]  # its first sibling is offline


def test_offline_nodes_are_left_out(tmp_path):
    root = FakeMachine(packages=2).write(tmp_path)
    (root / "sys/devices/system/node/online").write_text("0\n")
    machine = read_machine(root)
    assert [node.number for node in machine.nodes] == [0]
    assert {group.node for group in machine.groups} == {0}
    assert sum(len(group.cpus) for group in machine.groups) == 4


def test_without_caches_a_node_is_a_group(tmp_path):
    machine = read_machine(FakeMachine(packages=2, groups=2, cores=2, l3="").write(tmp_path))
    assert [(group.shared, len(group.cpus)) for group in machine.groups] == [("node", 4)] * 2


def test_without_nodes_a_package_is_a_group(tmp_path):
    fake = FakeMachine(packages=2, cores=4, l3="", tells_nodes=False)
    machine = read_machine(fake.write(tmp_path))
    assert [(group.shared, len(group.cpus)) for group in machine.groups] == [("package", 4)] * 2
    assert len(machine.nodes) == 1 and machine.memory_bytes == 16 * GIB


def test_cpus_without_a_third_level_stand_apart(tmp_path):
    """As the low-power cores of some laptops do."""
    root = FakeMachine(cores=4).write(tmp_path)
    for cpu in (2, 3):
        shutil.rmtree(root / f"sys/devices/system/cpu/cpu{cpu}/cache")
    for cpu in (0, 1):
        cache = root / f"sys/devices/system/cpu/cpu{cpu}/cache/index3/shared_cpu_list"
        cache.write_text("0-1\n")
    groups = read_machine(root).groups
    assert [(group.shared, group.cpus) for group in groups] == [("L3", (0, 1)), ("node", (2, 3))]


def test_an_empty_tree_is_a_machine_of_one_cpu(tmp_path):
    machine = read_machine(tmp_path)
    assert machine.online == (0,) and len(machine.cores) == len(machine.groups) == 1
    assert machine.memory_bytes is None and "memory unknown" in str(machine)
    assert read_limits(machine, tmp_path).cpus == (0,)


def test_cpus_are_known_from_the_affinity_at_last(tmp_path):
    status = tmp_path / "proc/self/status"
    status.parent.mkdir(parents=True)
    status.write_text("Cpus_allowed_list:\t0-3,6\n")
    assert read_machine(tmp_path).online == tuple(range(7))


@pytest.mark.parametrize("seed", range(40))
def test_missing_and_damaged_files_are_no_error(tmp_path, seed):
    """Whatever is missing, every online CPU is in one core, one group, and of one node."""
    rng = random.Random(seed)
    root = FakeMachine(packages=2, groups=2, cores=2, threads=2).write(tmp_path)
    for path in sorted(root.rglob("*")):
        choice = rng.random()
        if path.is_file() and choice < 0.2:
            path.unlink()
        elif path.is_file() and choice < 0.4:
            path.write_bytes(rng.choice([b"", b"\xff\x00", b"-3", b"7-2", b"x", b"0-63", b"1 2 3"]))
    machine = read_machine(root)
    for parts in (machine.cores, machine.groups):
        assert sorted(cpu for part in parts for cpu in part.cpus) == sorted(machine.online)
    nodes = {node.number for node in machine.nodes}
    assert {group.node for group in machine.groups} <= nodes
    assert set(read_limits(machine, root).cpus) <= set(machine.online)
    assert str(machine) and json.dumps(machine.to_dict())


def test_this_machine_is_what_lscpu_says():
    lscpu = shutil.which("lscpu")
    if lscpu is None:
        pytest.skip("needs lscpu")
    done = subprocess.run([lscpu, "-J", "-e=CPU,NODE,SOCKET,CORE,ONLINE"], capture_output=True)
    if done.returncode:
        pytest.skip("lscpu does not know these columns")
    rows = [row for row in json.loads(done.stdout)["cpus"] if row.get("online", True)]
    machine = read_machine()
    assert list(machine.online) == sorted(int(row["cpu"]) for row in rows)
    assert len(machine.cores) == len({(row["socket"], row["core"]) for row in rows})
    if all(row.get("node") is not None for row in rows):
        of_node = {cpu: node.number for node in machine.nodes for cpu in node.cpus}
        assert of_node == {int(row["cpu"]): int(row["node"]) for row in rows}


def test_what_this_process_may_use_is_its_affinity():
    limits = read_limits(read_machine())
    assert set(limits.cpus) == os.sched_getaffinity(0)
