"""What limits a process is found wherever it is written, and told with its reason."""

from __future__ import annotations

import pytest

from pyhades import config
from pyhades.errors import ConfigurationError
from pyhades.topology import ControlGroups, read_limits, read_machine
from tests.support.machines import GIB, FakeMachine


@pytest.fixture
def limits_of(tmp_path):
    """What limits a process on a machine of 16 CPUs, two nodes and 16 GiB."""

    def read(**tree):
        fake = FakeMachine(packages=2, groups=2, cores=4, **tree)
        return read_limits(read_machine(fake.write(tmp_path)), tmp_path)

    return read


def reasons(limits):
    return [(limit.what, limit.said, limit.reason) for limit in limits.by]


def test_nothing_limits_a_machine_of_ones_own(limits_of):
    limits = limits_of(limits={"cpu.max": "max 100000", "memory.max": "max"})
    assert limits.by == () and limits.quota is None and limits.whole_cpus == 16
    assert limits.memory_bytes == 16 * GIB and limits.nodes == (0, 1)
    assert "the whole machine" in str(limits)


def test_the_affinity(limits_of):
    limits = limits_of(affinity="2-5")
    assert limits.cpus == (2, 3, 4, 5)
    assert reasons(limits) == [("cpus", "2-5, 4 of 16", "CPU affinity")]


def test_the_quota_is_the_least_on_the_way_up(limits_of):
    limits = limits_of(
        membership="0::/a/b/c\n",
        limits={
            "a/cpu.max": "250000 100000",
            "a/b/cpu.max": "400000 100000",
            "a/b/c/cpu.max": "max 100000",
            "other/cpu.max": "10000 100000",
        },
    )
    assert limits.quota == 2.5 and limits.whole_cpus == 2
    assert reasons(limits) == [("quota", "2.5 CPUs", "quota of the control group /a")]


def test_a_quota_of_less_than_one_gives_one(limits_of):
    assert limits_of(limits={"cpu.max": "50000 100000"}).whole_cpus == 1


def test_a_quota_beyond_the_allowed_cpus_limits_nothing(limits_of):
    limits = limits_of(affinity="0-3", limits={"cpu.max": "400000 100000"})
    assert limits.quota is None and [limit.what for limit in limits.by] == ["cpus"]


def test_version_1_is_read_beside_version_2(limits_of):
    limits = limits_of(
        membership="5:cpuset:/docker/x\n4:cpu,cpuacct:/docker/x\n3:memory:/docker/x\n0::/\n",
        limits={
            "cpuset/docker/x/cpuset.effective_cpus": "0-7",
            "cpuset/docker/x/cpuset.effective_mems": "0",
            "cpu,cpuacct/docker/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/docker/x/cpu.cfs_quota_us": "350000",
            "cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": str(2**63 - 4096),
            "memory/docker/x/memory.limit_in_bytes": str(2 * GIB),
            "unified/cgroup.procs": "1",
        },
    )
    assert limits.cpus == tuple(range(8)) and limits.quota == 3.5 and limits.nodes == (0,)
    assert limits.memory_bytes == 2 * GIB
    assert {limit.reason.split()[-1] for limit in limits.by} == {"/docker/x"}


def test_a_container_may_see_its_group_as_the_topmost(limits_of):
    """Without a namespace of groups: the path is that of the host, the mount that of the group."""
    limits = limits_of(
        membership="4:cpu:/docker/0123\n0::/system.slice/docker-0123\n",
        limits={"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"},
    )
    assert limits.quota == 1.5


def test_a_path_that_leads_out_is_not_followed(limits_of, tmp_path):
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/cpu.max").write_text("1000 100000")
    assert limits_of(membership="0::/../..\n", limits={"cpu.max": "max 1"}).quota is None


def test_nodes_whose_memory_is_not_allowed_do_not_count(limits_of):
    limits = limits_of(mems_allowed="1")
    assert limits.nodes == (1,) and limits.memory_bytes == 8 * GIB
    assert reasons(limits) == [("nodes", "1, 1 of 2", "Mems_allowed")]


def test_a_list_of_another_machine_is_passed_over(limits_of):
    limits = limits_of(affinity="100-120", limits={"cpuset.cpus.effective": "64-80"})
    assert limits.cpus == tuple(range(16)) and limits.by == ()


@pytest.mark.parametrize("text", ["", "max", "1 0", "x 100000", "100000", "\x00"])
def test_odd_quotas_limit_nothing(limits_of, text):
    assert limits_of(limits={"cpu.max": text}).quota is None


def test_threads_follow_the_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CGROUP", tmp_path)
    monkeypatch.setattr(config.os, "sched_getaffinity", lambda pid: set(range(8)))
    for name in ("PYHADES_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert config.thread_count().count == 8
    (tmp_path / "cpu.max").write_text("250000 100000")
    assert config.thread_count() == config.ThreadCount(2, "cgroup quota of 2.5 CPUs")
    assert config.thread_count(3).count == 3


def test_threads_that_are_asked_for_limit_all_workers(limits_of):
    limits = limits_of(environment={"PYHADES_NUM_THREADS": "6"})
    assert limits.threads == limits.at_a_time == 6 and limits.whole_cpus == 16
    assert reasons(limits) == [("threads", "6 in all", "environment variable PYHADES_NUM_THREADS")]
    enough = limits_of(environment={"PYHADES_NUM_THREADS": "16"})
    assert enough.threads is None and enough.at_a_time == 16 and enough.by == ()


def test_the_smaller_of_a_quota_and_threads_counts(limits_of):
    quota = {"cpu.max": "400000 100000"}
    assert limits_of(limits=quota, environment={"PYHADES_NUM_THREADS": "3"}).at_a_time == 3
    assert limits_of(limits=quota, environment={"PYHADES_NUM_THREADS": "5"}).threads is None


def test_threads_of_this_process_are_read(monkeypatch):
    machine = read_machine()
    monkeypatch.setenv("PYHADES_NUM_THREADS", "many")
    with pytest.raises(ConfigurationError, match="PYHADES_NUM_THREADS='many'"):
        read_limits(machine)
    assert read_limits(machine, environment={}).threads is None


def test_memory_follows_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CGROUP", tmp_path)
    whole = config.memory_bytes()
    (tmp_path / "memory.max").write_text("123456789")
    assert config.memory_bytes() == 123456789 < whole


def test_groups_without_files_say_nothing(tmp_path):
    groups = ControlGroups(tmp_path / "none", tmp_path / "nothing")
    assert groups.cpu_quota() is groups.memory_limit() is groups.cpus() is None
