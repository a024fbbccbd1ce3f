# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes a target selects."""

import os
import re
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.selectors import Selector


def pin(selector, value, score=-500, **options):
    return Pin(selector, str(value), score, **options)


SELECTED = {
    "one pid": ("pid", 10, [10]),
    "the exact name or the program": ("process", "dockerd", [10, 11]),
    "a program whose name is longer than comm": ("process", "a-name-cut-at-15-bytes", [12]),
    "comm alone": ("process", "exe", [11]),
    "words of the command line": ("pattern", "dockerd -H fd", [10]),
    "a cgroup and the cgroups below it": ("cgroup", "/system.slice/docker.service", [10, 11]),
    "the same with a slash": ("cgroup", "/system.slice/docker.service/", [10, 11]),
}


@pytest.mark.parametrize("selector, value, pids", SELECTED.values(), ids=list(SELECTED))
def test_select_processes(processes, selector, value, pids):
    [outcome] = processes.plan(pin(selector, value)).outcomes
    assert [change.process.pid for change in outcome.changes] == pids


def test_select_by_pidfile(processes, tmp_path):
    (tmp_path / "docker.pid").write_text("10\n")
    [outcome] = processes.plan(pin("pidfile", tmp_path / "docker.pid")).outcomes
    assert [change.process.pid for change in outcome.changes] == [10]


def test_select_by_container(processes, tmp_path):
    container = "0123456789ab" + "c" * 52
    scope = f"/system.slice/docker-{container}.scope"
    processes.proc.process(13, "batch", cgroup=scope)
    (tmp_path / "cgroup" / scope[1:]).mkdir()
    (tmp_path / "cgroup" / scope[1:] / "cgroup.procs").write_text("13\n")
    [outcome] = processes.plan(pin("container", "0123456789ab")).outcomes
    assert [change.process.pid for change in outcome.changes] == [13]


BAD = {
    "unknown pid": (pin("pid", 99), NotFoundError, "pid=99: no such process"),
    "pid zero": (pin("pid", 0), InputError, "pid '0' is not a process number"),
    "negative pid": (pin("pid", -5), InputError, "pid '-5' is not a process number"),
    "kernel thread": (pin("pid", 2), InputError, "kthreadd is a kernel thread"),
    "unknown name": (pin("process", "nginx"), NotFoundError, "process=nginx: no such process"),
    "a path for a name": (pin("process", "/usr/bin/x"), InputError, "is not a name"),
    "empty name": (pin("process", ""), InputError, "is not a name"),
    "broken pattern": (pin("pattern", "a(b"), InputError, "is not a regular expression"),
    "pattern for everything": (pin("pattern", ".*"), InputError, "matches every process"),
    "no such cgroup": (pin("cgroup", "/nope"), NotFoundError, "cgroup /nope does not exist below"),
    "relative cgroup": (pin("cgroup", "system.slice"), InputError, "is not a cgroup path"),
    "cgroup tricks": (pin("cgroup", "/a/../b"), InputError, "is not a cgroup path"),
    "the whole host": (pin("cgroup", "/"), InputError, "is the whole host"),
    "no pidfile": (pin("pidfile", "/nonexistent/x.pid"), NotFoundError, "pidfile /nonexistent/x.pid does not exist"),
    "a folder for a pidfile": (pin("pidfile", "/"), InputError, "pidfile / is not a regular file: use pid or unit"),
    "a pidfile behind a file": (pin("pidfile", "/etc/passwd/x"), InputError, "cannot be read: Not a directory"),
    "a digit of another script": (pin("pid", "\u00b2"), InputError, "is not a process number"),
    "a pid beyond 32 bits": (pin("pid", "9" * 30), InputError, "is not a process number"),
    "NUL in a pidfile": (pin("pidfile", "/x\0y"), InputError, "holds characters that no name on Linux can have"),
    "NUL in a cgroup": (pin("cgroup", "/x\0y"), InputError, "holds characters that no name on Linux can have"),
    "half a character": (pin("process", "\ud800"), InputError, "holds characters that no name on Linux can have"),
    "endless repeats": (pin("pattern", "a{1,99999999999999999999}"), InputError, "is not a regular expression"),
    "too many brackets": (pin("pattern", "(" * 5000 + ")" * 5000), InputError, "is not a regular expression"),
    "unknown user": (
        pin("process", "dockerd", users=("no-such-user",)),
        InputError,
        "users: this host has no user 'no-such-user'",
    ),
    "NUL in a user": (pin("process", "dockerd", users=("a\0",)), InputError, "users: this host has no user"),
}


@pytest.mark.parametrize("bad, error, words", BAD.values(), ids=list(BAD))
def test_refuse_bad_value_before_any_write(processes, bad, error, words):
    with pytest.raises(error, match=re.escape(words)):
        processes.apply(pin("process", "dockerd"), bad)
    assert processes.scores(10, 11, 12) == [0, 0, 5]


def test_refuse_pidfile_of_junk(processes, tmp_path):
    (tmp_path / "x.pid").write_bytes(b"\xff\x00 pid?")
    with pytest.raises(InputError, match="not a process number"):
        processes.apply(pin("pidfile", tmp_path / "x.pid"))


def test_pattern_never_selects_the_caller():
    """This test has the pattern on its command line, as `ansible -a pattern=...` has."""
    code = (
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd\n"
        "pins = [Pin('pattern', 'only-in-here', 7, missing='ignore')]\n"
        "print(len(plan_pins(Procfs(), Systemd(), pins, 10).outcomes[0].changes))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], env=dict(os.environ)).split() == [b"0"]


def test_interface_has_no_cgroup_and_no_answers():
    selector = Selector()
    assert selector.members() == []
    for question in (lambda: selector.candidates(None), lambda: selector.matches(None, None)):
        with pytest.raises(NotImplementedError):
            question()
