# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A1: a job moves into a cgroup whose name pretends to be a second line of /proc/PID/cgroup.

A reader that ends lines at a form feed finds the unit systemd-udevd there, which is immune.
"""

import os

from attacker import make_cgroup, report

make_cgroup(b"x\f0::/system.slice/systemd-udevd.service", os.getpid())
report(pid=os.getpid())
