# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.task_memory import (
    TaskMemory,
    has_other_threads,
    parse_task_memory,
)

# Linux 6.18 prints all of them, with others in between.
STATUS = b"""\
Name:	a\\nVmRSS:	1 kB
State:	S (sleeping)
Uid:	1000	33	0	0
VmPeak:	   13060 kB
VmRSS:	    1696 kB
RssAnon:	     116 kB
RssFile:	    1576 kB
RssShmem:	       4 kB
VmPTE:	      40 kB
VmPMD:	       8 kB
VmSwap:	      12 kB
Threads:	1
CapEff:	000001fffeffffff
Mems_allowed_list:	0-1
"""


def test_each_field():
    assert parse_task_memory(STATUS) == TaskMemory(33, 1696, 116, 1576, 4, 12, 40, 8, True, "0-1")


@pytest.mark.parametrize("capabilities, root", [(b"0000000000000000", False), (b"0000000000200000", True)])
def test_only_one_capability_counts(capabilities, root):
    assert parse_task_memory(STATUS.replace(b"000001fffeffffff", capabilities)).root is root


def test_kernels_before_4_5_do_not_split_what_is_resident():
    old = b"Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t    1696 kB\nVmPTE:\t      40 kB\n"
    assert parse_task_memory(old) == TaskMemory(0, 1696, 1696, 0, 0, 0, 40, 0, False, "")


def test_a_zombie_has_no_memory():
    assert parse_task_memory(b"Name:\tx\nUid:\t0\t0\t0\t0\nThreads:\t1\n") is None


@pytest.mark.parametrize("threads, others", [(b"0", False), (b"1", False), (b"2", True), (b"17", True)])
def test_threads(threads, others):
    assert has_other_threads(STATUS.replace(b"Threads:\t1", b"Threads:\t" + threads)) is others
