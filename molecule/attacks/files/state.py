# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what a policy has set: sysctls, files in /etc, and the scores of the host's daemons."""

import glob
import json

from scores import main_pid, score

state = {}
for path in sorted(
    glob.glob("/proc/sys/vm/*overcommit*")
    + glob.glob("/proc/sys/vm/*oom*")
    + ["/proc/sys/kernel/panic"]
    + glob.glob("/etc/sysctl.d/*")
    + glob.glob("/etc/systemd/system/*.d/*")
):
    with open(path) as stream:
        state[path] = stream.read()
for unit in ("bystander", "jobs", "target", "syslog-ng", "ssh", "dbus"):
    state[unit] = score(main_pid(unit))
print(json.dumps(state))
