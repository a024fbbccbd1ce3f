# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B2: a process that waits in vfork() for a child, and so takes no signal."""

import os

from attacker import BIN, own_cgroup, report, start

pid = start("vfork_parent", executable=os.path.join(BIN, "vfork_parent"))
report(pid=pid, cgroup=os.fsdecode(own_cgroup()[len(b"/sys/fs/cgroup") :]))
