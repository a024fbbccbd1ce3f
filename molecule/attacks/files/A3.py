# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A3: a cgroup with the name of a container of root that runs."""

import glob
import re

from attacker import MANAGER, make_cgroup, report, start


def find_container():
    """Return the id of the container that root runs, from what every user can read."""
    for path in glob.glob("/sys/fs/cgroup/machine.slice/libpod-*"):
        found = re.search(r"libpod-([0-9a-f]{64})\.scope", path)
        if found:
            return found.group(1)
    raise SystemExit("root runs no container")


container = find_container()
pid = start("payload")
make_cgroup(b"libpod-%s.scope" % container.encode(), pid, MANAGER)
report(id=container, pid=pid)
