# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One storm of forks in a unit that is pinned, one outside, and so few pids that each takes over those of the other.

Prints what both storms counted: see tests/forks/forks.c.
"""

import json
import os
import signal
import subprocess
import time

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply as _pin_apply
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import Plan

PID_MAX = 450
PIDS = PID_MAX - 300  # where pids begin again (kernel/pid.c:RESERVED_PIDS)
FORKS = 8000  # of the storm outside, in any case
STEPS = 30  # in any case, however slow the machine is: the storm inside goes on until both are done
ENDLESS = 100000000
SCORES = list(range(0, -1000, -1))


def start(unit, count, scores):
    """A storm with these scores in order, and its pid."""
    words = ["/root/forks", str(count), "8", ",".join(map(str, scores))]
    storm = subprocess.Popen(
        ["systemd-run", "--quiet", "--wait", "--pipe", "--unit=" + unit, *words], stdout=subprocess.PIPE
    )
    pid = 0
    while pid == 0:
        time.sleep(0.1)
        pid = int(subprocess.check_output(["systemctl", "show", "--property=MainPID", "--value", unit]))
    return storm, pid


def pin(unit, score):
    plan = Plan(Procfs(), Systemd(), [Pin("unit", unit, score, children="pin")], 10)
    _pin_apply.Application(Procfs(), Systemd(), plan).run()


def main():
    with open("/proc/sys/kernel/pid_max", "w") as stream:
        stream.write(str(PID_MAX))
    outside, _pid = start("outside", FORKS, SCORES[:1])
    inside, pid = start("inside", ENDLESS, SCORES)
    steps = 0
    for score in SCORES[1:]:
        pin("inside", score)
        os.kill(pid, signal.SIGUSR1)
        steps += 1
        if steps >= STEPS and outside.poll() is not None:
            break
    os.kill(pid, signal.SIGTERM)
    told = {name: json.loads(storm.communicate()[0]) for name, storm in (("inside", inside), ("outside", outside))}
    print(json.dumps(dict(told, steps=steps, pids=PIDS)))


main()
