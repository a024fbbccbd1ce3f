# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A5: programs with the names of daemons, which are files of the user."""

import os

from attacker import BIN, report, start

report(
    pids={
        name: start(f"/usr/bin/{name}", executable=os.path.join(BIN, name))
        for name in ("containerd", "dockerd", "mysqld")
    }
)
