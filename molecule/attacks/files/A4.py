# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A4: pid files in a folder of the user, and a process whose pid stands in an old file of root."""

import glob
import os

from attacker import report, start

FOLDER = os.path.expanduser("~/run")


def write_file(name, text):
    with open(os.path.join(FOLDER, name), "w") as stream:
        stream.write(text)


def root_pid():
    [path] = glob.glob("/sys/fs/cgroup/system.slice/target.service/cgroup.procs")
    with open(path) as stream:
        return int(stream.readline())


os.makedirs(FOLDER, exist_ok=True)
pid = start("hog")
write_file("own.pid", f"{pid}\n")
write_file("root.pid", f"{root_pid()}\n")
write_file("squared.pid", "\u00b2\n")
if not os.path.exists(os.path.join(FOLDER, "fifo.pid")):
    os.mkfifo(os.path.join(FOLDER, "fifo.pid"))
report(pid=pid, root_pid=root_pid(), stale_pid=start("late"))
