# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B4: 1,100 nested cgroups, more than a walk that calls itself can follow."""

import os

from attacker import own_cgroup, report

DEPTH = 1100

folder = os.open(own_cgroup(), os.O_DIRECTORY)
for _level in range(DEPTH):
    os.mkdir("d", dir_fd=folder)
    below = os.open("d", os.O_DIRECTORY, dir_fd=folder)
    os.close(folder)
    folder = below
report(depth=DEPTH)
