# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what it costs to plan many pins on a host with thousands of processes.

The plan is compared with ps, which every operator knows, and with psutil, on
which a module could be built. Times depend on the machine and on what else runs
there; ratios from one interleaved run hardly do. So the ratios have bounds, but
no test fails because of them.
"""

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import psutil

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.foresight import foresee
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "processes.c")

PROCESSES = 5000
NAMES = [f"bench{os.getpid()}-{number}" for number in range(20)]  # unique to this run, at most 15 bytes
SCORE = 300
REPETITIONS = 9

# Upper bounds: see the table that is printed.
OURS_BY_PS = 2.0
CHECK_BY_PS = 5.0
OURS_BY_PSUTIL = 0.3
MIB_OVER_BARE = 40


@contextlib.contextmanager
def full_host():
    """Run thousands of processes that sleep, a few of them under each name."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "sleeper")
        subprocess.run(["cc", "-std=c99", "-O2", "-static", "-o", program, SOURCE], check=True)
        with subprocess.Popen([program, str(PROCESSES), *NAMES], stdout=subprocess.PIPE, text=True) as running:
            try:
                if running.stdout.readline() != "ready\n":
                    sys.exit(f"{PROCESSES} processes could not be started: is there a limit, as in ulimit -u?")
                yield
            finally:
                running.kill()
                running.stdout.read()  # each process has it open: this waits for the last


# --- the same answer in three ways ----------------------------------------------


def plan():
    """Plan as the module does, and return the pids that would be pinned."""
    outcomes = plan_pins(Procfs(), Systemd(), [Pin("process", name, SCORE) for name in NAMES], 10).outcomes
    return {change.process.pid for outcome in outcomes for change in outcome.changes}


def check():
    """Plan, and predict what dies next, as the module does in check mode."""
    procfs = Procfs()
    pinned = plan_pins(procfs, Systemd(), [Pin("process", name, SCORE) for name in NAMES], 10)
    if foresee(procfs, pinned) is None:
        sys.exit("nothing is predicted here: is this a container, or a kernel without a rule?")


def ps():
    subprocess.run(["ps", "-eo", "pid,comm"], stdout=subprocess.DEVNULL, check=True)


def scan():
    """Find and read the same processes as a module that uses psutil would."""
    psutil.process_iter.cache_clear()  # a module runs once
    found = set()
    for process in psutil.process_iter(["name", "exe", "ppid", "create_time"]):
        if process.info["name"] in NAMES or os.path.basename(process.info["exe"] or "") in NAMES:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(
                f"/proc/{process.pid}/oom_score_adj"
            ) as score:
                int(score.read())
                found.add(process.pid)
    return found


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


# --- memory ----------------------------------------------------------------------

MODULE = """
import json
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = {arguments!r}
basic._ANSIBLE_PROFILE = "legacy"  # ansible-core 2.19 and later
from ansible_collections.oomguard.linux.plugins.modules import oom_score_adj
try:
    oom_score_adj.main()
except SystemExit:
    pass
"""

# Not ru_maxrss: it starts with the memory of the parent at the fork (fs/exec.c:exec_mmap), and
# this parent has more than the child.
PEAK = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def peak_kib(program):
    """Return the peak memory in KiB of a program in this interpreter, and its last line or None."""
    done = subprocess.run([sys.executable, "-c", program + PEAK], check=True, stdout=subprocess.PIPE, text=True)
    *lines, peak = done.stdout.split("\n")[:-1]
    return int(peak), lines[-1] if lines else None


def module():
    """Run the whole module in check mode, and return its peak memory in KiB."""
    targets = [{"process": name, "score": SCORE} for name in NAMES]
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"targets": targets, "_ansible_check_mode": True}}).encode()
    peak, answer = peak_kib(MODULE.format(arguments=arguments))
    answer = json.loads(answer)
    if len(answer.get("targets", ())) != len(NAMES):
        sys.exit(f"the module failed: {answer.get('msg', answer)}")
    return peak


# --- report ----------------------------------------------------------------------


def verdict(what, value, bound):
    print(f"{what:<24}{value:>8.2f}   at most {bound:<5} {'holds' if value <= bound else 'does not hold'}")


def main():
    for program in ("ps", "cc"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install it (Debian: procps, gcc, libc6-dev)")
    with full_host():
        if plan() != scan():
            sys.exit("ours and psutil find different processes: there is nothing to compare")
        took = {call: [] for call in (plan, check, ps, scan)}
        for _repetition in range(REPETITIONS):
            for call, times in took.items():
                times.append(seconds(call))
        ours, predicted, listing, theirs = (statistics.median(times) for times in took.values())
        over_bare = (module() - peak_kib("")[0]) / 1024

    print(f"{PROCESSES} processes, {len(NAMES)} targets, Python {platform.python_version()}, median of {REPETITIONS}")
    for what, value in (
        ("plan", ours),
        ("plan and prediction", predicted),
        ("ps -eo pid,comm", listing),
        ("the same with psutil", theirs),
    ):
        print(f"{what:<24}{value * 1000:>8.0f} ms")
    verdict("plan / ps", ours / listing, OURS_BY_PS)
    verdict("check mode / ps", predicted / listing, CHECK_BY_PS)
    verdict("plan / psutil", ours / theirs, OURS_BY_PSUTIL)
    verdict("module, MiB over bare", over_bare, MIB_OVER_BARE)


if __name__ == "__main__":
    main()
