# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B5: a lock on /proc/sys, and programs that are named like daemons which have a say."""

import fcntl
import os

from attacker import BIN, own_cgroup, report, start

lock = os.open("/proc/sys", os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
pids = {name: start(f"/usr/bin/{name}", executable=os.path.join(BIN, name)) for name in ("kubelet", "sshd")}
report(pids=pids, cgroup=os.fsdecode(own_cgroup()[len(b"/sys/fs/cgroup") :]))
