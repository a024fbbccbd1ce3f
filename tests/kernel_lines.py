# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of the kernel's reports that several test files use."""

HEADER = "x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0"
KILL = "Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
GROUP = "Tasks in /g are going to be killed due to memory.oom.group set"


def memcg_kill(pid):
    return f"Memory cgroup out of memory: Killed process {pid} (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


def summary(pid):
    return (
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom"
        f",task_memcg=/u,task=x,pid={pid},uid=0"
    )


def announcement(pid):
    """Return what kernels up to 5.0 print before a kill."""
    return f"Memory cgroup out of memory: Kill process {pid} (x) score 9 or sacrifice child"
