# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One storm of forks in a unit that is pinned, one outside, and so few pids that each takes over those of the other.

Prints what both storms counted: see tests/forks/forks.c.
"""

import contextlib
import json
import os
import signal
import subprocess
import time

from ansible_collections.oomguard.linux.plugins.module_utils import _pin_apply
from ansible_collections.oomguard.linux.plugins.module_utils._pin_plan import Plan
from ansible_collections.oomguard.linux.plugins.module_utils._pins import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._systemd import Systemd

PID_MAX = 450
PIDS = PID_MAX - 300  # where pids begin again (kernel/pid.c:RESERVED_PIDS)
FORKS = 8000
SCORES = list(range(0, -1000, -1))


def start(unit, scores):
    """Pid of a storm with these scores in order."""
    subprocess.run(
        ["systemd-run", "--quiet", "--unit=" + unit, "--property=StandardOutput=truncate:/root/" + unit, "/root/forks", str(FORKS), "8",
         ",".join(map(str, scores))],
        check=True,
    )
    return int(subprocess.check_output(["systemctl", "show", "--property=MainPID", "--value", unit]))


def told(unit):
    """What a storm says at its end."""
    while subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0:
        time.sleep(0.5)
    with open("/root/" + unit) as stream:
        return json.load(stream)


def pin(unit, score):
    """Whether it still ran."""
    plan = Plan(Procfs(), Systemd(), [Pin("unit", unit, score, children="pin", missing="ignore")], 10)
    [outcome] = _pin_apply.Application(Procfs(), Systemd(), plan).run()
    return bool(outcome.changes)


def main():
    with open("/proc/sys/kernel/pid_max", "w") as stream:
        stream.write(str(PID_MAX))
    start("outside", SCORES[:1])
    inside = start("inside", SCORES)
    steps = 0
    for score in SCORES[1:]:
        if not pin("inside", score):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(inside, signal.SIGUSR1)
        steps += 1
    print(json.dumps(dict(steps=steps, pids=PIDS, inside=told("inside"), outside=told("outside"))))


main()
