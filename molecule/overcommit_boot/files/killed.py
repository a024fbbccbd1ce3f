# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a change of sysctls at every moment, and report in which state the host ends.

Prints a JSON object. C(killed) has an entry for each attempt: the way, the moment, the state at the
end (old, new, or the values), the state after the next run if the end was not new, and the hidden
files that were left in the folder of our file. C(locked_out) is about a host where no process can
start.
"""

import ctypes
import json
import os
import signal
import time

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import (
    ON_OOM,
    ON_OOPS,
    REBOOT_AFTER,
    HostQueries,
    OomPolicy,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    KBYTES,
    MODE,
    RATIO,
    OvercommitPolicy,
    parse_commit_memory,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan

FILE = "/etc/sysctl.d/60-oomguard-killed.conf"
ROLLBACK_SECONDS = 5
PR_SET_CHILD_SUBREAPER = 36

MOMENTS = ["before the proof", "after the proof", "helper as well", "helper only", "stopped"]

pwrite, RollbackHelper = os.pwrite, apply.RollbackHelper


def build_request(policy):
    return SysctlRequest(policy, persistent=True, file=FILE, rollback_seconds=ROLLBACK_SECONDS)


def overcommit(**wanted):
    host = Host()
    memory = parse_commit_memory(host.meminfo(), os.sysconf("SC_PAGE_SIZE") // 1024)
    return build_request(OvercommitPolicy(wanted, memory, 0, host.run_kb))


def oom_policy(**wanted):
    host = Host()
    return build_request(OomPolicy(wanted, HostQueries(host.crash_kernel, host.limited_cgroups, host.pinned)))


def read_state(request):
    found = read_and_plan(Host(), request).before
    return found.live, found.file


def change(request):
    apply.apply_sysctls(Host(), read_and_plan(Host(), request), apply.prove_new_process)


def change_and_die(request, moment):
    """Do what the module does, up to a moment: a number of writes, or one of MOMENTS."""
    module = os.getpid()
    writes, helpers = [], []

    def write(*words):
        if os.getpid() == module:
            if moment == len(writes):
                os.kill(module, signal.SIGKILL)
            writes.append(words)
        return pwrite(*words)

    def start_helper(*words):
        helper = RollbackHelper(*words)
        helpers.append(helper.pid)
        return helper

    os.pwrite, apply.RollbackHelper = write, start_helper
    apply.apply_sysctls(Host(), read_and_plan(Host(), request), lambda: prove_and_die(moment, helpers[0]))


def prove_and_die(moment, helper):
    if moment in ("helper as well", "helper only"):
        os.kill(helper, signal.SIGKILL)
    if moment in ("before the proof", "helper as well"):
        os.kill(os.getpid(), signal.SIGKILL)
    if moment == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    apply.prove_new_process()
    if moment == "after the proof":
        os.kill(os.getpid(), signal.SIGKILL)


def attempt(way, request, moment):
    old = read_state(request)
    plan = read_and_plan(Host(), request)
    new = plan.after.live, plan.after.file
    child = os.fork()
    if child == 0:
        try:
            change_and_die(request, moment)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        time.sleep(ROLLBACK_SECONDS + 1)  # the helper restores everything alone
        os.kill(child, signal.SIGKILL)
    try:
        while True:
            os.wait()  # for the helper as well, which is our child now
    except ChildProcessError:
        pass
    now = read_state(request)
    entry = dict(way=way, moment=moment, end="old" if now == old else "new" if now == new else str(now), next=None)
    if entry["end"] != "new":
        change(request)
        entry["next"] = "new" if read_state(request) == new else str(read_state(request))
    entry["left"] = [name for name in os.listdir(os.path.dirname(FILE)) if name.startswith(".")]
    return entry


def lock_out():
    """Set a limit under which no process can start, and stop the module.

    Only the helper can restore the host then.
    """
    request = overcommit(**{KBYTES: 4096, MODE: 2})
    old = read_state(request)
    child = os.fork()
    if child == 0:
        try:
            change_and_die(request, "stopped")
        finally:
            os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try:
        if os.fork() == 0:
            os._exit(0)
        forked = True
    except OSError as error:
        forked = os.strerror(error.errno)
    time.sleep(ROLLBACK_SECONDS + 1)
    now = read_state(request)
    os.kill(child, signal.SIGKILL)
    return dict(forked=forked, end="old" if now == old else str(now))


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    into_limit = overcommit(**{ADMIN_RESERVE: 20000, KBYTES: 450000, MODE: 2})
    out_of_limit = overcommit(**{ADMIN_RESERVE: 8192, RATIO: 50, MODE: 0})
    into_panic = oom_policy(**{REBOOT_AFTER: 30, ON_OOPS: 1, ON_OOM: 1})
    out_of_panic = oom_policy(**{REBOOT_AFTER: 0, ON_OOPS: 0, ON_OOM: 0})
    killed = []
    for name, there, back in (("a limit", into_limit, out_of_limit), ("a panic", into_panic, out_of_panic)):
        change(back)
        for moment in [0, 1, 2, *MOMENTS]:
            killed.append(attempt(f"into {name}", there, moment))
            killed.append(attempt(f"out of {name}", back, moment))
        os.unlink(FILE)
    print(json.dumps(dict(killed=killed, locked_out=lock_out())))


main()
