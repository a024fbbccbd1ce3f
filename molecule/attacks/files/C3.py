# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C3: a kill in a cgroup whose name is not text."""

from attacker import delegate_memory, die_of_memory, report

report(pid=die_of_memory(delegate_memory(b"\xff\xfe\x1b[31mnot text")))
