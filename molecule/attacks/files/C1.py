# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C1: a real kill in a cgroup whose name holds the words of another kill."""

import os

from attacker import delegate_memory, die_of_memory, report

NAME = b"a,oom_memcg=/system.slice/mysql.service,task_memcg=/system.slice/mysql.service"

cgroup = delegate_memory(NAME)
pid = die_of_memory(cgroup)
report(pid=pid, cgroup=os.fsdecode(cgroup[len(b"/sys/fs/cgroup") :]))
