# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import read_cgroup_memory
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import CgroupMemory

MIB = 1024 * 1024

VERSION_2 = {
    "memory.max": str(100 * MIB),
    "memory.current": str(60 * MIB),
    "memory.stat": f"anon {9 * MIB}\nfile {30 * MIB}\nfile_mapped {5 * MIB}\nshmem {3 * MIB}\n"
    f"active_file {4 * MIB}\ninactive_file {20 * MIB}\nslab_reclaimable {2 * MIB}\n",
    "memory.swap.max": str(50 * MIB),
    "memory.swap.current": str(7 * MIB),
    "memory.oom.group": "1",
    "memory.min": "0",
    "memory.low": str(10 * MIB),
}
VERSION_1 = {
    "memory.limit_in_bytes": str(100 * MIB),
    "memory.usage_in_bytes": str(60 * MIB),
    "memory.memsw.limit_in_bytes": str(150 * MIB),
    "memory.memsw.usage_in_bytes": str(67 * MIB),
    "memory.stat": f"active_file 1\ntotal_mapped_file {5 * MIB}\ntotal_shmem {3 * MIB}\n"
    f"total_active_file {4 * MIB}\ntotal_inactive_file {20 * MIB}\n",
    "memory.swappiness": "60",
    "memory.kmem.usage_in_bytes": str(2 * MIB),
    "memory.oom_control": "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n",
}
KIB = 1024
SIZES = dict(
    limit_kb=100 * KIB,
    usage_kb=60 * KIB,
    file_kb=24 * KIB,
    mapped_kb=5 * KIB,
    shmem_kb=3 * KIB,
    kernel_kb=2 * KIB,
    swap_limit_kb=50 * KIB,
    swap_usage_kb=7 * KIB,
)


@pytest.fixture
def read(tmp_path):
    def read(version, files):
        for name, text in files.items():
            (tmp_path / name).write_text(text + "\n")
        return read_cgroup_memory(str(tmp_path), "/x", version)

    return read


def test_version_2(read):
    assert read(2, VERSION_2) == CgroupMemory("/x", oom_group=True, min_kb=0, low_kb=10 * KIB, **SIZES)


@pytest.mark.parametrize("anon, stock_kb", [(30, 200), (31, 0)])
def test_what_is_charged_in_advance(read, anon, stock_kb):
    """From 5.18 on the parts of the usage are shown, and the rest is the stock of the CPUs."""
    stat = f"anon {anon * MIB}\nfile {28 * MIB}\nkernel {2 * MIB - 300 * KIB}\nsock {100 * KIB}\n"
    assert read(2, {**VERSION_2, "memory.stat": stat}).stock_kb == stock_kb


def test_version_1(read):
    assert read(1, VERSION_1) == CgroupMemory("/x", swappiness=60, kill_disabled=True, **SIZES)


@pytest.mark.parametrize("version, limit", [(2, "max"), (1, str(9223372036854771712))])
def test_without_a_limit_the_rest_is_not_read(read, version, limit):
    name = {1: "memory.limit_in_bytes", 2: "memory.max"}[version]
    assert read(version, {name: limit, "memory.stat": "junk"}) == CgroupMemory("/x", None)


def test_a_limit_of_swap_alone(read):
    """Those below it may swap no more, although it does not limit memory."""
    files = {"memory.max": "max", "memory.swap.max": str(50 * MIB), "memory.swap.current": str(7 * MIB)}
    assert read(2, files) == CgroupMemory("/x", None, swap_limit_kb=50 * KIB, swap_usage_kb=7 * KIB)
    assert read(2, dict(files, **{"memory.swap.max": "max"})) == CgroupMemory("/x", None)


@pytest.mark.parametrize("version", [1, 2])
def test_without_the_controller(read, version):
    """The controller may not be enabled below, and the root has no limit on version 2."""
    assert read(version, {}) == CgroupMemory("/x", None)


def test_version_1_without_swap_accounting(read):
    files = {name: text for name, text in VERSION_1.items() if "memsw" not in name}
    found = read(1, files)
    assert (found.swap_limit_kb, found.swap_usage_kb) == (None, 0)


def test_version_2_without_swap_accounting(read):
    files = {name: text for name, text in VERSION_2.items() if "swap" not in name}
    found = read(2, files)
    assert (found.swap_limit_kb, found.swap_usage_kb) == (None, 0)


@pytest.mark.parametrize("version, name", [(1, "memory.usage_in_bytes"), (2, "memory.current")])
def test_a_cgroup_that_is_being_removed(read, version, name):
    assert read(version, dict({1: VERSION_1, 2: VERSION_2}[version], **{name: ""})) is None


def test_a_cgroup_that_is_gone(tmp_path):
    assert read_cgroup_memory(str(tmp_path / "gone"), "/gone", 2) == CgroupMemory("/gone", None)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "memory.max").mkdir()
    assert read_cgroup_memory(str(tmp_path), "/x", 2) is None
