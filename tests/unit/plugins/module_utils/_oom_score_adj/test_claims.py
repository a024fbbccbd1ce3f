# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names and processes are claims of users."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.cgroup_selectors import ByUnit
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.claims import Claims
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    WHY_NOT_IMMUNE,
    WHY_NOT_LOWERED,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import ByPid

USER = dict(uids=(1000,) * 4, cgroup="/user.slice/user-1000.slice/session-1.scope")


def is_claim(processes, pid, selector=None):
    with processes.proc.procfs.open(pid) as directory:
        selector = selector or ByPid(str(pid))
        return Claims(processes.proc.procfs).is_claim(
            Pin("pid", str(pid), -5), directory.process(), directory, selector
        )


CLAIMS = {
    "sshd of a user": ("sshd", USER, True),
    "sshd of root": ("sshd", {}, False),
    "a name that no guard has a rule for": ("hog", USER, False),
}


@pytest.mark.parametrize("name, facts, claim", CLAIMS.values(), ids=list(CLAIMS))
def test_is_claim(processes, name, facts, claim):
    processes.proc.process(66, name, **facts)
    assert is_claim(processes, 66) == claim


def test_init_and_main_process_make_no_claim(processes):
    assert not is_claim(processes, 1)
    processes.proc.process(66, "cron", uids=(1000,) * 4, cgroup="/system.slice/docker.service")
    for main_pid, claim in ((66, False), (10, True)):
        selector = ByUnit(main_pid, "/system.slice/docker.service", processes.proc.procfs, True)
        assert is_claim(processes, 66, selector) == claim


NAMES = {
    "shell": ("bash", -1000, False, WHY_NOT_IMMUNE),
    "title": ("tmux: server", -1, False, WHY_NOT_LOWERED),
    "login": ("su", -500, False, WHY_NOT_LOWERED),
    "forced": ("bash", -1000, True, None),
    "login, forced": ("su", -500, True, None),
    "login, raised": ("su", 500, False, None),
    "killable": ("bash", -999, False, None),
    "other": ("hog", -1000, False, None),
}


@pytest.mark.parametrize("name, score, force, why", NAMES.values(), ids=list(NAMES))
def test_why_refused(name, score, force, why):
    pin = Pin("cgroup", "/x", score, force=force)
    assert Claims.why_refused(pin, Process(7, name, 100, 1, False, 0)) == why


def test_is_foreign(processes):
    processes.proc.process(66, "hog", **USER)
    claims = Claims(processes.proc.procfs)
    with processes.proc.procfs.open(66) as directory:
        process = directory.process()
    assert claims.is_foreign(process)
    assert claims.is_foreign(process._replace(pid=99))  # it ended
    processes.proc.process(66, "hog")
    assert not claims.is_foreign(process)
    assert claims.is_foreign(process._replace(start_time=1))  # another one has its pid


def test_find_users(processes):
    claims = Claims(processes.proc.procfs)
    assert claims.find_users(Pin("pid", "7", 1)) == frozenset()
    assert claims.find_users(Pin("process", "x", 1, users=("root",))) == {0}
    with pytest.raises(NotFoundError, match="users='no-such-user': this host has no such user"):
        claims.find_users(Pin("process", "x", 1, users=("no-such-user",)))
    assert claims.find_users(Pin("pid", "7", 1, users=("no-such-user",))) == frozenset()
