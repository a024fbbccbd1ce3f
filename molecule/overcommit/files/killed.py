# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a change of sysctls at every moment, and tell how the host ends each time.

Prints a list. Of each try it has the way, the moment, the state at the end
(old, new or what it is), what the next run made of it if that was not new, and
what was left beside our file.
"""

import ctypes
import json
import os
import signal
import time

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply as _sysctl_apply
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host as _sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import oom_policy as _oom_policy
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import overcommit as _overcommit

ROLLBACK_SECONDS = 5
PR_SET_CHILD_SUBREAPER = 36

MOMENTS = ["before the proof", "after the proof", "helper as well", "helper only", "stopped"]

pwrite, DeadMan = os.pwrite, _sysctl_apply.DeadMan


def request(manager, policy, **values):
    return _sysctls.Request(
        manager,
        policy.KEYS,
        values,
        policy.order,
        policy.leans_on,
        True,
        "/etc/sysctl.d/60-oomguard-killed.conf",
        ROLLBACK_SECONDS,
    )


def state(asked):
    host = _sysctls.Host()
    found = host.look(asked.keys, host.text(asked.file), asked.file)
    return found.live, found.file


def change(asked):
    _sysctl_apply.apply(_sysctls.Host(), _sysctls.plan(_sysctls.Host(), asked), _sysctl_apply.prove_new_process)


def change_and_die(asked, moment):
    """What the module does, up to a moment: so many writes, or one of MOMENTS."""
    module = os.getpid()
    writes, helpers = [], []

    def write(*words):
        if os.getpid() == module:
            if moment == len(writes):
                os.kill(module, signal.SIGKILL)
            writes.append(words)
        return pwrite(*words)

    def armed(*words):
        helper = DeadMan(*words)
        helpers.append(helper._pid)
        return helper

    def prove():
        if moment in ("helper as well", "helper only"):
            os.kill(helpers[0], signal.SIGKILL)
        if moment in ("before the proof", "helper as well"):
            os.kill(module, signal.SIGKILL)
        if moment == "stopped":
            os.kill(module, signal.SIGSTOP)
        _sysctl_apply.prove_new_process()
        if moment == "after the proof":
            os.kill(module, signal.SIGKILL)

    os.pwrite, _sysctl_apply.DeadMan = write, armed
    _sysctl_apply.apply(_sysctls.Host(), _sysctls.plan(_sysctls.Host(), asked), prove)


def attempt(way, asked, moment):
    old = state(asked)
    made = _sysctls.plan(_sysctls.Host(), asked)
    new = made.after.live, made.after.file
    child = os.fork()
    if child == 0:
        try:
            change_and_die(asked, moment)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        time.sleep(ROLLBACK_SECONDS + 1)  # the helper does it alone
        os.kill(child, signal.SIGKILL)
    try:
        while True:
            os.wait()  # for the helper, too, which is ours now
    except ChildProcessError:
        pass
    now = state(asked)
    told = dict(way=way, moment=moment, end="old" if now == old else "new" if now == new else str(now), next=None)
    if told["end"] != "new":
        change(asked)
        told["next"] = "new" if state(asked) == new else str(state(asked))
    told["left"] = [name for name in os.listdir("/etc/sysctl.d") if name.startswith(".")]
    return told


def lock_out():
    """Nobody can start a process any more, and the module is stopped: the helper alone brings the host back."""
    asked = request("overcommit", _overcommit, **{_overcommit.KBYTES: 4096, _overcommit.MODE: 2})
    old = state(asked)
    child = os.fork()
    if child == 0:
        try:
            change_and_die(asked, "stopped")
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
    now = state(asked)
    os.kill(child, signal.SIGKILL)
    return dict(forked=forked, end="old" if now == old else str(now))


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ways = [
        (
            "into a limit",
            request(
                "overcommit",
                _overcommit,
                **{_overcommit.ADMIN_RESERVE: 20000, _overcommit.KBYTES: 450000, _overcommit.MODE: 2},
            ),
        ),
        (
            "out of it",
            request(
                "overcommit",
                _overcommit,
                **{_overcommit.ADMIN_RESERVE: 8192, _overcommit.RATIO: 50, _overcommit.MODE: 0},
            ),
        ),
        (
            "into a panic",
            request(
                "oom_policy",
                _oom_policy,
                **{_oom_policy.REBOOT_AFTER: 30, _oom_policy.ON_OOPS: 1, _oom_policy.ON_OOM: 1},
            ),
        ),
        (
            "out of it",
            request(
                "oom_policy",
                _oom_policy,
                **{_oom_policy.REBOOT_AFTER: 0, _oom_policy.ON_OOPS: 0, _oom_policy.ON_OOM: 0},
            ),
        ),
    ]
    told = []
    for there, back in (ways[:2], ways[2:]):
        change(back[1])
        for moment in [0, 1, 2, *MOMENTS]:
            told.append(attempt(*there, moment))
            told.append(attempt(*back, moment))
        os.unlink(back[1].file)
    print(json.dumps(dict(killed=told, locked_out=lock_out())))


main()
