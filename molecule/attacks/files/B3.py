# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: names with characters that end a line in Python, but not in the kernel.

They are those of cgroups, of a process that lies about its memory, and of a mount point.
"""

import os
import subprocess

from attacker import fork, make_cgroup, own_cgroup, pause, report

NAMES = (b"a\fb", b"a\rb", b"a\x1c0::/b", b"a\xc2\x85b", b"a\xe2\x80\xa8b", b"\x0b", b"a b:c,d(e)")
MOUNT = os.path.expanduser("~/m\f\r\u2028x 1 2")

for name in NAMES:
    cgroup = make_cgroup(name)
    fork(pause, name, cgroup)
liar = fork(pause, b"\x0bVmRSS: -99999")
os.makedirs(MOUNT, exist_ok=True)
lower = os.path.expanduser("~/bin")
subprocess.run(["fuse-overlayfs", "-o", f"lowerdir={lower}:{lower}", MOUNT], check=False)
report(liar=liar, mounted=os.path.ismount(MOUNT), cgroup=os.fsdecode(own_cgroup()[len(b"/sys/fs/cgroup") :]))
