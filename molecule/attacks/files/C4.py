# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C4: a kill in another cgroup every few seconds, so also while a trial runs."""

import time

from attacker import delegate_memory, die_of_memory, fork, report

cgroup = delegate_memory(b"busy")


def kill_for_ever():
    while True:
        die_of_memory(cgroup)
        time.sleep(3)


fork(kill_for_ever)
report()
