# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""G: cgroups with a limit whose names would change an administrator's terminal."""

import os

from attacker import delegate_memory, fork, pause, report

cgroup = delegate_memory(b"\x1b[2J\x1b]0;owned\x07\r\xc2\x9b31m")
fork(pause, b"\x1b[31mred\r", cgroup)
report(cgroup=os.fsdecode(cgroup[len(b"/sys/fs/cgroup") :]))
