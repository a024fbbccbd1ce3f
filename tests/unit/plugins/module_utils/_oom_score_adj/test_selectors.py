# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes a target selects."""

import os
import re
import subprocess
import sys
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host import identity
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import pattern, selectors
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin


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
    "pid zero": (pin("pid", 0), InputError, "pid=0 is not a process number"),
    "negative pid": (pin("pid", -5), InputError, "pid=-5 is not a process number"),
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
    "no pidfile": (pin("pidfile", "/nonexistent/x.pid"), NotFoundError, "pidfile=/nonexistent/x.pid does not exist"),
    "a folder for a pidfile": (pin("pidfile", "/"), InputError, "pidfile=/ is not a regular file: use pid or unit"),
    "a pidfile behind a file": (pin("pidfile", "/etc/passwd/x"), InputError, "cannot be read: Not a directory"),
    "a digit of another script": (pin("pid", "\u00b2"), InputError, "is not a process number"),
    "a pid beyond 32 bits": (pin("pid", "9" * 30), InputError, "is not a process number"),
    "NUL in a pidfile": (
        pin("pidfile", "/x\0y"),
        InputError,
        "holds a character that no name on Linux can have: remove it",
    ),
    "NUL in a cgroup": (
        pin("cgroup", "/x\0y"),
        InputError,
        "holds a character that no name on Linux can have: remove it",
    ),
    "half a character": (
        pin("process", "\ud800"),
        InputError,
        "holds a character that no name on Linux can have: remove it",
    ),
    "endless repeats": (pin("pattern", "a{1,99999999999999999999}"), InputError, "is not a regular expression"),
    "too many brackets": (pin("pattern", "(" * 5000 + ")" * 5000), InputError, "is not a regular expression"),
    "unknown user": (
        pin("process", "dockerd", users=("no-such-user",)),
        NotFoundError,
        "users='no-such-user': this host has no such user; check the name with getent passwd (missing=ignore",
    ),
    "NUL in a user": (pin("process", "dockerd", users=("a\0",)), NotFoundError, "this host has no such user"),
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


# --- pid files ------------------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def pidfile(tmp_path):
    """Return a pid file of root in a folder of its own, which names process 10."""
    path = tmp_path / "folder/x.pid"
    path.parent.mkdir(mode=0o755)
    path.write_text("10\n")
    path.chmod(0o644)
    return path


def make_fifo(path):
    path.unlink()
    os.mkfifo(str(path))


def link_to_device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def give_folder_away(path):
    os.chown(str(path.parent), 1000, 1000)


def give_file_away(path):
    os.chown(str(path), 1000, 1000)


def open_folder(path):
    path.parent.chmod(0o777)


UNTRUSTED = {
    "FIFO": (make_fifo, "is not a regular file"),
    "device": (link_to_device, "pidfile=.*: other users may write|is not a regular file"),
    "folder that all may write": (open_folder, "other users may write folder"),
    "folder of a user": (give_folder_away, "folder belongs to user 1000"),
    "file of a user": (give_file_away, "x.pid belongs to user 1000"),
}


@pytest.mark.parametrize("score", [-900, 1000])
@pytest.mark.parametrize("change, words", UNTRUSTED.values(), ids=list(UNTRUSTED))
def test_refuse_pidfile_that_a_user_could_have_made(processes, pidfile, change, words, score):
    if os.geteuid() != 0 and "away" in change.__name__:
        pytest.skip("only root can give files away")
    change(pidfile)
    with pytest.raises(UntrustedError, match=f"({words}).*: use pid or unit instead"):
        processes.plan(pin("pidfile", pidfile, score))
    plan = processes.plan(pin("pidfile", pidfile, score, missing="ignore"), pin("pid", 12, 7))
    assert [len(outcome.changes) for outcome in plan.outcomes] == [0, 1]
    [warning] = plan.warnings
    assert re.search(words, warning)
    assert processes.plan(pin("pidfile", pidfile, None, state="absent")).warnings == [warning]


@as_root
def test_pidfile_of_a_named_user_selects_processes_of_that_user_only(processes, pidfile, monkeypatch):
    monkeypatch.setattr(identity.pwd, "getpwnam", lambda _name: identity.pwd.getpwuid(65534))
    os.chown(str(pidfile), 65534, 65534)
    [outcome] = processes.plan(pin("pidfile", pidfile, 1000, users=("x",), missing="ignore")).outcomes
    assert [one.why for one in outcome.passed_over] == ["uid 65534 may write the pid file, and it runs as uid 0"]
    pidfile.write_text("2\n")  # a kernel thread
    assert not processes.plan(pin("pidfile", pidfile, 1000, users=("x",), missing="ignore")).outcomes[0].found
    pidfile.write_text("junk\n")
    with pytest.raises(UntrustedError, match="holds 'junk', not a process number"):
        processes.plan(pin("pidfile", pidfile, 1000, users=("x",)))
    [warning] = processes.plan(pin("pidfile", pidfile, 1000, users=("x",), missing="ignore")).warnings
    assert "holds 'junk'" in warning
    processes.proc.process(13, "batch", uids=(65534,) * 4)
    pidfile.write_text("13\n")
    [outcome] = processes.plan(pin("pidfile", pidfile, -5, users=("x",))).outcomes
    assert [change.after for change in outcome.changes] == [-5]


@as_root
def test_pidfile_of_a_system_user(processes, pidfile):
    """As in /run/postgresql: the daemon owns the file, and its group may write the folder."""
    os.chown(str(pidfile.parent), 0, 105)
    pidfile.parent.chmod(0o2775)
    os.chown(str(pidfile), 104, 105)
    processes.proc.process(13, "postgres", uids=(104,) * 4, cgroup="/system.slice/postgresql.service")
    processes.proc.write("13/status", "Uid:\t104\t104\t104\t104\nGid:\t105\t105\t105\t105\n")
    pidfile.write_text("13\n/var/lib/postgresql\n")
    [outcome] = processes.plan(pin("pidfile", pidfile)).outcomes
    assert [change.process.name for change in outcome.changes] == ["postgres"]
    processes.proc.write("13/status", "Uid:\t104\t104\t104\t104\nGid:\t1\t1\t1\t1\n")
    [outcome] = processes.plan(pin("pidfile", pidfile, missing="warn")).outcomes
    assert [one.why for one in outcome.passed_over] == ["group 105 may write the pid file, and it runs as uid 104"]
    pidfile.write_text("10\n")
    with pytest.raises(NotFoundError, match=r"process 10 \(dockerd\): uid 104 may write the pid file"):
        processes.plan(pin("pidfile", pidfile, 1000))


def test_pidfile_that_is_older_than_its_process(processes, pidfile):
    started = time.time() - time.clock_gettime(7) + 1  # 100 ticks after boot
    os.utime(str(pidfile), (started, started))
    assert processes.plan(pin("pidfile", pidfile)).outcomes[0].changes
    os.utime(str(pidfile), (started - 60, started - 60))
    words = r"process 10 \(dockerd\): it began after the pid file was written, .*\(force=true overrides\)"
    with pytest.raises(NotFoundError, match=words):
        processes.plan(pin("pidfile", pidfile))
    # The clock was set since: a host without a clock of its own boots in the past.
    assert processes.plan(pin("pidfile", pidfile, force=True)).outcomes[0].changes


JUNK = {
    "a digit of another script": "\u00b2\n",
    "zero": "0\n",
    "too long": "1" * 63,
    "nothing": "",
    "a vertical tab": "1\x0b0\n",
    "the second line": "\n10\n",
}


@pytest.mark.parametrize("text", JUNK.values(), ids=list(JUNK))
def test_refuse_pidfile_without_a_pid(processes, pidfile, text):
    pidfile.write_bytes(text.encode())
    with pytest.raises(InputError, match=r"x\.pid holds .*, not a process number"):
        processes.plan(pin("pidfile", pidfile))


# --- processes that a user could have put there ------------------------------------------

ALICE = dict(uids=(1000,) * 4, cgroup="/user.slice/user-1000.slice/session-1.scope")


@pytest.fixture
def crowd(processes):
    """Add dockerd as a user names it."""
    processes.proc.process(66, "dockerd", cmdline=b"/usr/bin/dockerd\0-H\0fd://\0", **ALICE)
    return processes


CLAIMED = {"name": ("process", "dockerd", [10, 11]), "pattern": ("pattern", "dockerd -H", [10])}


@pytest.mark.parametrize("selector, value, pids", CLAIMED.values(), ids=list(CLAIMED))
@pytest.mark.parametrize("children", ["report", "pin"])
def test_pass_over_process_of_a_user(crowd, selector, value, pids, children):
    plan = crowd.plan(pin(selector, value, children=children))
    [outcome] = plan.outcomes
    assert {change.process.pid for change in outcome.changes} == {10, 11} if children == "pin" else set(pids)
    [passed] = outcome.passed_over
    assert (passed.process.pid, passed.uid, passed.why[:19]) == (66, 1000, "it runs as uid 1000")
    several = "process=dockerd selects 2 processes of docker.service: select by unit=docker.service"
    assert [warning.startswith(several) for warning in plan.warnings] == [True] * (
        selector == "process" and children == "report"
    )
    assert crowd.apply_plan(plan).warnings == []
    assert crowd.scores(66) == [0]


@pytest.mark.parametrize("selector, value, _pids", CLAIMED.values(), ids=list(CLAIMED))
def test_only_a_process_of_a_user_fits(crowd, selector, value, _pids):
    for pid in (10, 11):
        crowd.proc.process(pid, "other", exe=None, cmdline=b"other\0")
        (crowd.proc.root / str(pid) / "exe").unlink()
    with pytest.raises(NotFoundError, match=r"process 66 \(dockerd\): it runs as uid 1000.*Name its user in users"):
        crowd.plan(pin(selector, value))
    [warning] = crowd.plan(pin(selector, value, missing="ignore")).warnings
    assert warning.startswith(f"{selector}={value}: no process was selected, because a user could have put there")


def test_pid_of_a_user_in_a_pidfile_of_root(crowd, pidfile):
    pidfile.write_text("66\n")
    with pytest.raises(NotFoundError, match=r"process 66 \(dockerd\): it runs as uid 1000"):
        crowd.plan(pin("pidfile", pidfile))
    assert crowd.plan(pin("pidfile", pidfile, 500)).outcomes[0].changes


def test_user_that_this_host_does_not_have(crowd):
    """A play may name the users of many hosts: missing decides, and other targets are pinned."""
    nobody = ("no-such-user",)
    crowd.apply(pin("pid", 12, 7, users=nobody), pin("process", "dockerd", users=nobody, missing="ignore"))
    assert crowd.scores(10, 12) == [0, 7]
    crowd.apply(pin("process", "dockerd", None, state="absent", users=nobody))
    [warning] = crowd.plan(pin("process", "dockerd", users=nobody, missing="warn")).warnings
    assert warning == "users='no-such-user': this host has no such user; check the name with getent passwd"


def test_named_user(crowd, monkeypatch):
    user = identity.pwd.struct_passwd(("alice", "x", 1000, 1000, "", "/", ""))
    monkeypatch.setattr(identity.pwd, "getpwnam", lambda name: {"alice": user}[name])
    crowd.apply(pin("process", "dockerd", users=("alice",)))
    assert crowd.scores(10, 66) == [-500, -500]


def test_raise_score_of_a_process_of_a_user(crowd):
    for _time in range(2):
        crowd.apply(pin("process", "dockerd", 500))
        assert crowd.scores(10, 11, 66) == [500, 500, 500]
    [outcome] = crowd.plan(pin("process", "dockerd", 499)).outcomes
    assert [one.process.pid for one in outcome.passed_over] == [66]


UNPINNED = {"a score below 0 is removed": (-500, 0), "a score above 0 stays": (500, 500), "0 stays": (0, 0)}


@pytest.mark.parametrize("before, after", UNPINNED.values(), ids=list(UNPINNED))
def test_remove_pin_of_a_process_of_a_user(crowd, before, after):
    crowd.proc.write("66/oom_score_adj", f"{before}\n")
    crowd.proc.process(20, "bash", score=-900, **ALICE)
    crowd.proc.process(66, "dockerd", score=before, parent=20, **ALICE)
    [outcome] = crowd.apply(pin("process", "dockerd", None, state="absent"))
    assert crowd.scores(66) == [after]
    assert [one.process.pid for one in outcome.passed_over] == ([] if before < 0 else [66])


def test_pin_that_a_process_of_a_user_has_is_not_confirmed(crowd):
    crowd.proc.write("66/oom_score_adj", "-500\n")
    [outcome] = crowd.plan(pin("process", "dockerd")).outcomes
    assert [one.process.pid for one in outcome.passed_over] == [66]


def test_descendants(crowd):
    """Those of a user's process are not selected, nor is a user's process below a daemon."""
    crowd.proc.process(67, "tool", parent=66)
    crowd.proc.process(14, "tool", parent=10)
    crowd.proc.process(15, "job", parent=10, **ALICE)
    [outcome] = crowd.apply(pin("process", "dockerd", children="pin"))
    assert crowd.scores(10, 11, 14, 15, 66, 67) == [-500, -500, -500, 0, 0, 0]
    assert [one.process.pid for one in outcome.passed_over] == [66, 15]


def test_process_that_changes_its_user_before_the_write(crowd):
    plan = crowd.plan(pin("process", "dockerd"))
    crowd.proc.write("10/status", "Uid:\t1000\t1000\t1000\t1000\n")
    crowd.apply_plan(plan)
    assert crowd.scores(10, 11) == [0, -500]


def test_pids_and_cgroups_are_chosen_on_purpose(crowd, tmp_path):
    (tmp_path / "cgroup/system.slice/docker.service/cgroup.procs").write_text("10\n66\n")
    crowd.proc.process(66, "hog", uids=(1000,) * 4, cgroup="/system.slice/docker.service")
    crowd.apply(pin("cgroup", "/system.slice/docker.service"))
    assert crowd.scores(10, 66) == [-500, -500]
    crowd.apply(pin("pid", 66, -600, children="pin"))
    assert crowd.scores(66) == [-600]


def test_slow_command_lines(crowd, monkeypatch):
    """Those of a user cost a bounded time, and all others are still searched."""
    monkeypatch.setattr(pattern, "SEARCH_SECONDS", 0.02)
    monkeypatch.setattr(selectors, "_SLOW_SECONDS", 0.1)
    for pid in range(100, 200):
        crowd.proc.process(pid, "dockerd", cmdline=b"a" * 40 + b"b", **ALICE)
    crowd.proc.process(300, "daemon", cmdline=b"x aaa")
    started = time.monotonic()
    [outcome] = crowd.plan(pin("pattern", "(a+)+$")).outcomes
    assert time.monotonic() - started < 5
    assert [change.process.pid for change in outcome.changes] == [300]
    assert {one.process.pid for one in outcome.passed_over} - {66} == set(range(100, 200))
    assert {one.why for one in outcome.passed_over} == {"its command line takes too long to search"}


def test_named_processes_are_judged_and_no_others(crowd, monkeypatch):
    judged = []
    why_foreign = identity.Identity.why_foreign

    def count(self, directory, *users):
        judged.append(directory.process().pid)
        return why_foreign(self, directory, *users)

    monkeypatch.setattr(identity.Identity, "why_foreign", count)
    crowd.plan(pin("process", "exe"))
    assert judged == [11]
    crowd.plan(pin("process", "exe", 300))  # raised
    assert judged == [11]
    crowd.proc.process(14, "tool", parent=11)
    crowd.plan(pin("process", "exe", children="pin"))  # once for its descendants, once for its own score
    assert judged[1:] == [11, 11, 14]
