# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin a unit in which a storm of forks runs, while a second storm runs outside.

There are so few pids that each storm takes over those of the other. Prints what
both storms counted: see tests/forks/forks.c.
"""

import json
import os
import signal
import subprocess
import time

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_plan
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

PID_MAX = 450
PIDS = PID_MAX - 300  # pids start again at 300 (kernel/pid.c:RESERVED_PIDS)
FORKS = 8000  # at least, of the storm outside
STEPS = 30  # at least, even on a slow machine: the storm inside goes on until both are done
ENDLESS = 100000000
SCORES = list(range(0, -1000, -1))


def start(unit, count, scores):
    """Start a storm that expects these scores, and return it with its pid."""
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
    plan = plan_pins(Procfs(), Systemd(), [Pin("unit", unit, score, children="pin")], 10)
    apply_plan(Procfs(), plan)


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
    counts = {name: json.loads(storm.communicate()[0]) for name, storm in (("inside", inside), ("outside", outside))}
    print(json.dumps(dict(counts, steps=steps, pids=PIDS)))


main()
