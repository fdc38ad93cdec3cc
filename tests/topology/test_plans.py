"""Plans are those that are committed, and what every plan promises holds on any machine."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.topology import Limits, Plan, plan_workers, read_machine, team_sizes
from tests.support.machines import GIB, FakeMachine
from tests.topology.known_machines import MACHINES
from tests.topology.write_plans import FOLDER, planned, written


@pytest.mark.parametrize("name", MACHINES)
def test_plans_are_those_committed(name, known):
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    again = "run python -m tests.topology.write_plans and look at what has changed"
    assert committed == written(planned(name, *known(name))) + "\n", again


def test_every_committed_plan_has_a_machine():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(MACHINES)


SHAPES = [
    FakeMachine(cores=1),
    FakeMachine(packages=2, groups=2, cores=3, threads=2),
    FakeMachine(nodes=3, groups=2, cores=4),
    FakeMachine(packages=2, nodes=2, cores=5, l3="package"),
    FakeMachine(packages=3, cores=2, threads=2, l3="", tells_nodes=False),
    FakeMachine(groups=3, cores=3, threads=2, offline=(1, 5, 6, 15), memory_nodes=(GIB,)),
]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Machines of several shapes, read once."""
    return [read_machine(fake.write(tmp_path_factory.mktemp("machine"))) for fake in SHAPES]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_every_plan_promises(shapes, data):
    machine = data.draw(st.sampled_from(shapes))
    allowed = sorted(data.draw(st.sets(st.sampled_from(machine.online), min_size=1)))
    quota = data.draw(st.none() | st.floats(0.1, len(allowed), exclude_max=True))
    memory = data.draw(st.none() | st.integers(GIB, 30 * GIB))
    fewer = data.draw(st.none() | st.integers(1, 20))
    limits = Limits(tuple(allowed), quota, memory, (0,), threads=fewer)
    wishes = {
        "workers": data.draw(st.none() | st.integers(1, 20)),
        "threads_per_worker": data.draw(st.none() | st.integers(1, 4)),
        "processes": data.draw(st.sampled_from(["auto", "one", "node", "l3"])),
        "use_smt": data.draw(st.booleans()),
        "bytes_per_worker": data.draw(st.none() | st.integers(1, 20 * GIB)),
    }
    try:
        plan = plan_workers(machine, limits, **wishes)
    except ArgumentError:
        asked = wishes["threads_per_worker"]
        assert asked not in team_sizes(machine, limits, use_smt=wishes["use_smt"])
        return
    assert len(plan.workers) >= 1 and plan.threads_per_worker >= 1
    used = Counter(cpu for worker in plan.workers for cpu in worker.cpus)
    assert set(used) <= set(allowed)
    group_of = {cpu: group for group in machine.groups for cpu in group.cpus}
    for worker in plan.workers:
        if plan.threads_per_worker > 1:  # a team never spans two groups
            assert {group_of[cpu].number for cpu in worker.cpus} == {worker.l3}
        assert len(worker.cpus) >= plan.threads_per_worker
        assert not set(worker.siblings) & set(used) and set(worker.siblings) <= set(allowed)
    if plan.pinning == "cores":
        assert set(used.values()) == {1} and len(used) == plan.threads
        assert not set(plan.idle) & set(used)
    if quota is not None:
        assert plan.threads <= max(1, quota)
    if wishes["workers"] is None and wishes["threads_per_worker"] is None:
        assert plan.threads <= min(len(allowed), fewer or 20)
    elif fewer and None in (wishes["workers"], wishes["threads_per_worker"]):
        asked = wishes["workers"] or wishes["threads_per_worker"]
        assert plan.threads <= max(fewer, asked)
    if wishes["bytes_per_worker"] and memory:
        assert len(plan.workers) <= max(1, memory // wishes["bytes_per_worker"])
    cores = {core.cpus for core in machine.cores if set(core.cpus) & set(allowed)}
    assert plan.spin == (plan.threads <= min(len(cores), limits.whole_cpus))
    assert sum(len(process.workers) for process in plan.processes) == len(plan.workers)
    assert "\n" not in plan.line() and str(plan) and plan._repr_html_()
    assert json.dumps(plan.to_dict())


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("workers", [3, 4, 7, 11, 16, 31])
def test_equal_nodes_get_equal_numbers(shapes, workers, threads):
    machine = shapes[2]
    limits = Limits(machine.online, None, None, (0,))
    plan = plan_workers(machine, limits, workers=workers, threads_per_worker=threads)
    on_node = Counter(worker.node for worker in plan.workers)
    assert max(on_node.values()) - min(on_node.values()) <= 1 and len(on_node) == 3


def test_the_nearest_node_is_robbed_first(known):
    plan = plan_workers(*known("nps4_384_threads"))
    assert plan.steal_order[5] == (4, 6, 7, 0, 1, 2, 3)
    own = plan.process(5)
    assert own.workers == plan.processes[5].workers and own.steal_order == {5: ()}
    with pytest.raises(ArgumentError, match="8 processes"):
        plan.process(8)


def test_the_committed_shapes_are_those_of_the_issue(known):
    """What must hold whoever writes the files again."""
    quota = plan_workers(*known("quota_of_1.5"), workers=4)
    assert quota.threads == 1 and "quota of 1.5 CPUs allows 1" in quota.notes[0]
    big = plan_workers(*known("nps4_384_threads"))
    assert len(big.processes) == 8 and len(big.workers) == 192 and big.spin
    assert all(len(worker.siblings) == 1 for worker in big.workers)
    card = plan_workers(*known("two_sockets_eight_cores"), threads_per_worker=4)
    assert [(worker.node, len(worker.cpus)) for worker in card.workers] == [(0, 4), (1, 4)]


def test_threads_that_are_asked_for_bound_workers_times_threads(known):
    asked = known("six_threads_asked_for")
    for wishes in ({}, {"threads_per_worker": 2}, {"threads_per_worker": 4}, {"workers": 2}):
        plan = plan_workers(*asked, **wishes)
        assert plan.threads <= 6 and not plan.notes and "PYHADES_NUM_THREADS" in plan.line()
    more = plan_workers(*asked, workers=4, threads_per_worker=2)
    assert more.threads == 8 and "arguments ask for 8 threads" in more.notes[0] and more.spin
    assert max(team_sizes(*asked)) <= 6


def test_memory_makes_teams_larger_rather_than_cores_idle(known):
    plan = plan_workers(*known("two_sockets_eight_cores"), bytes_per_worker=6 * GIB)
    assert (len(plan.workers), plan.threads_per_worker) == (4, 2)
    poor = plan_workers(*known("two_sockets_eight_cores"), bytes_per_worker=60 * GIB)
    assert len(poor.workers) == 1
    asked = plan_workers(*known("two_sockets_eight_cores"), workers=8, bytes_per_worker=6 * GIB
    )  # fmt: skip
    assert len(asked.workers) == 5 and "holds 5 of 8 workers" in asked.notes[0]
    assert "holds 5 of 8 workers" in plan.notes[0] and len(plan.notes) == 1


def test_memory_that_comes_from_far_is_told(known):
    machine, limits = known("two_sockets_eight_cores")
    bound = dataclasses.replace(limits, nodes=(0,))
    assert "memory of node 1 may not be used" in plan_workers(machine, bound).notes[0]


def test_who_shares_a_machine_is_not_pinned_to_its_first_cores(known):
    """Several processes with the same plan would all sit on the same ones."""
    machine = known("two_sockets_eight_cores")
    one = plan_workers(*machine, workers=1, threads_per_worker=1)
    assert one.pinning == "none" and one.workers[0].cpus == tuple(range(8))
    assert one.workers[0].node is None and one.steal_order == {}
    two = plan_workers(*machine, workers=2, threads_per_worker=1)
    assert [worker.cpus for worker in two.workers] == [(0, 1, 2, 3), (4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        ({"workers": 0}, ArgumentError, "workers=0"),
        ({"workers": 1.5}, ArgumentTypeError, "workers=1.5"),
        ({"threads_per_worker": 5}, ArgumentError, "the 4 usable cores of a cache group"),
        ({"threads_per_worker": True}, ArgumentTypeError, "threads_per_worker=True"),
        ({"processes": "two"}, ArgumentError, "processes='two' is none of"),
        ({"use_smt": 1}, ArgumentTypeError, "use_smt=1"),
        ({"bytes_per_worker": -1}, ArgumentError, "bytes_per_worker=-1"),
    ],
)
def test_wishes_that_mean_nothing_are_refused(known, wishes, error, message):
    with pytest.raises(error, match=message):
        plan_workers(*known("two_sockets_eight_cores"), **wishes)


def test_sizes_of_teams_divide_the_groups(known):
    assert team_sizes(*known("nps1_two_sockets")) == (1, 2, 4, 8)
    assert team_sizes(*known("snc_four_nodes")) == (1, 2, 4, 7, 14, 28)
    assert team_sizes(*known("quota_of_1.5")) == (1,)


def test_this_machine_has_a_plan():
    plan = plan_workers()
    assert isinstance(plan, Plan) and 1 <= plan.threads <= len(read_machine().online)
