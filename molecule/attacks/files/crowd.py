# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty hostile processes and cgroups of each kind at once."""

import hashlib
import os

from attacker import BIN, MANAGER, fork, make_cgroup, pause, report, start

MANY = 50
NAMES = (b"a\fb", b"a\rb", b"a\x1c0::/b", b"a\xc2\x85b", b"a\xe2\x80\xa8b", b"\xff\xfe", b"\x1b[31m")

for number in range(MANY):
    container = hashlib.sha256(b"%d" % number).hexdigest()
    scope = make_cgroup(b"libpod-%s.scope" % container.encode(), start("payload"), MANAGER)
    start("/usr/bin/conmon", "-c", container, "-n", "batch", executable=os.path.join(BIN, "conmon"))
    for name in ("containerd", "kubelet", "sshd"):
        start(f"/usr/bin/{name}", executable=os.path.join(BIN, name))
    start("vfork_parent", executable=os.path.join(BIN, "vfork_parent"))
    start(*["x" * 100000] * 10)
    name = NAMES[number % len(NAMES)] + b"%d" % number
    fork(pause, name, make_cgroup(name))
    make_cgroup(b"deep%d" % number + b"/d" * 70)
report(many=MANY)
