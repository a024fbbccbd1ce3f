# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C2: datagrams with line ends to /dev/log, and files of the user in the form of other logs."""

import json
import os
import socket

from attacker import report

PID = 424242
KILL = (
    f"Out of memory: Killed process {PID} (forged) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB,"
    " UID:0 pgtables:4kB oom_score_adj:0"
)
FORMS = (
    f"kern  :err   : [   99.000000] {KILL}",
    f"3,999,99000000,-;{KILL}",
    f"Nov 28 12:00:00 guest kernel: [   99.000000] {KILL}",
    f"<3>[   99.000000] {KILL}",
)
JOURNAL = {
    "_TRANSPORT": "kernel",
    "MESSAGE": KILL,
    "PRIORITY": "3",
    "SYSLOG_IDENTIFIER": "kernel",
    "__REALTIME_TIMESTAMP": "1764000000000000",
    "_BOOT_ID": "0" * 32,
    "SYSLOG_FACILITY": "0",
}

log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect("/dev/log")
for priority in (3, 11):
    log.send(f"<{priority}>forger: x\n".encode() + "\n".join(FORMS).encode() + b"\n")
    log.send(f"<{priority}>kernel: x\n{json.dumps(JOURNAL)}\n".encode())
files = {"journal.json": json.dumps(JOURNAL) + "\n", "kmsg.log": FORMS[1] + "\n", "dmesg.log": FORMS[0] + "\n"}
for name, text in files.items():
    with open(os.path.expanduser(f"~/{name}"), "w") as stream:
        stream.write(text)
report(pid=PID, files=[os.path.expanduser(f"~/{name}") for name in files])
