# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A2: cgroups that are named like a container's, with monitors that give the containers a name.

The second monitor is su, which waits for a password: its effective user is root, and its arguments
are the user's.
"""

import hashlib
import os
import subprocess

from attacker import BIN, MANAGER, make_cgroup, report, start

facts = {}
for name in ("batch", "superbatch"):
    container = hashlib.sha256(name.encode()).hexdigest()
    pid = start("payload")
    make_cgroup(b"libpod-%s.scope" % container.encode(), pid, MANAGER)
    words = ["-c", container, "-u", container, "-n", name]
    if name == "batch":
        start("/usr/bin/conmon", "--api-version", "1", *words, executable=os.path.join(BIN, "conmon"))
    else:
        start("/usr/bin/conmon", "root", "-c", "x " + " ".join(words), executable="/usr/bin/su", stdin=subprocess.PIPE)
    facts[name] = {"id": container, "pid": pid}
report(**facts)
