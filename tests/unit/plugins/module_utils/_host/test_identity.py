# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes an ordinary user could have put there: fake ones, and real ones."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host import identity
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import user_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import (
    Identity,
    find_uids,
    read_first_login_uid,
    read_ids,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir, Procfs

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of other users")

CONTAINER = "a1" * 32
SERVICE = "/system.slice/x.service"
USER = "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service"


@pytest.fixture(autouse=True)
def as_if_root(monkeypatch):
    """Judge as root does, also where the tests run as an ordinary user."""
    monkeypatch.setattr(identity.os, "geteuid", lambda: 0)


def judge(proc, users=(), has_systemd=True):
    with proc.procfs.open(7) as directory:
        return Identity(proc.procfs, "/nonexistent", has_systemd).why_foreign(directory, frozenset(users))


OWN = {
    "root": {},
    "a daemon of a system user": dict(uids=(105,) * 4, cgroup=SERVICE),
    "without systemd": dict(uids=(999,) * 4),
    "a dynamic user of systemd": dict(uids=(61184,) * 4, cgroup=SERVICE),
    "a login of root": dict(cgroup="/user.slice/user-0.slice/session-1.scope"),
    "a zombie": dict(exe=None),
}
FOREIGN = {
    "a login user": (dict(uids=(1000,) * 4), "it runs as uid 1000"),
    "a login user in a job of a service": (dict(uids=(1000,) * 4, cgroup=SERVICE), "it runs as uid 1000"),
    "su, before it asks": (dict(uids=(1000, 0, 0, 0)), "it runs as uid 1000"),
    "a saved uid": (dict(uids=(0, 0, 1000, 0)), "it runs as uid 1000"),
    "nobody": (dict(uids=(65534,) * 4), "it runs as uid 65534"),
    "mapped into a container": (dict(uids=(100105,) * 4), "it runs as uid 100105"),
    "a uid as of systemd, but no service": (dict(uids=(61184,) * 4), "it runs as uid 61184"),
    "the slice of a user": (dict(cgroup=USER), "it runs in the slice of uid 1000"),
    "an unknown part of user.slice": (dict(cgroup="/user.slice/x"), "it runs in user.slice"),
    "a container of Docker": (dict(cgroup=f"/system.slice/docker-{CONTAINER}.scope"), "it runs in a container"),
    "a pid namespace": (dict(nested=True), "it runs in a container"),
}


@pytest.mark.parametrize("facts", OWN.values(), ids=list(OWN))
def test_own_process(proc, facts):
    proc.process(7, "dockerd", **facts)
    assert judge(proc) is None


@pytest.mark.parametrize("facts, words", FOREIGN.values(), ids=list(FOREIGN))
def test_foreign_process(proc, facts, words):
    proc.process(7, "dockerd", **facts)
    assert judge(proc).startswith(words)


def test_named_user_is_not_foreign(proc):
    proc.process(7, "batch", uids=(1000,) * 4, cgroup=USER)
    assert judge(proc, users=[1000]) is None
    assert judge(proc, users=[1001]).startswith("it runs as uid 1000")
    proc.process(7, "batch", uids=(1001,) * 4, cgroup=USER)
    assert judge(proc, users=[1001]).startswith("it runs in the slice of uid 1000")


def test_caller_without_root_owns_its_processes(proc, monkeypatch):
    proc.process(7, "batch", uids=(1000,) * 4, cgroup=USER)
    monkeypatch.setattr(identity.os, "geteuid", lambda: 1000)
    assert judge(proc) is None


def test_name_with_a_line_end_adds_no_ids(proc):
    proc.process(7, "x")
    proc.write("7/status", "Name:\tx\\nUid:\\t0\nUid:\t1000\t1000\t1000\t1000\nGid:\t5\t6\t7\t8\n")
    with proc.procfs.open(7) as directory:
        ids = read_ids(directory)
    assert (ids.uid, ids.gids, ids.nested) == (1000, [5, 6, 7, 8], False)
    assert judge(proc).startswith("it runs as uid 1000")


def test_unknown_ids_are_foreign(proc):
    proc.process(7, "x")
    proc.write("7/status", "Name:\tx\n")
    assert judge(proc) == "its uids cannot be read"
    with proc.procfs.open(7) as directory:
        assert Identity.find_uid(directory) is None


def test_module_in_a_container_sees_its_own_processes(proc):
    cgroup = f"/docker/{CONTAINER}"
    proc.write("self/cgroup", f"4:memory:{cgroup}\n")
    proc.process(7, "x", cgroup=cgroup)
    assert judge(proc) is None
    proc.process(7, "x", cgroup="/docker/" + "b2" * 32)
    assert judge(proc) == "it runs in a container"


# --- programs -------------------------------------------------------------------------


@pytest.fixture
def program(proc, tmp_path):
    """Return the program of process 7."""
    path = tmp_path / "program"
    path.write_text("")
    path.chmod(0o755)
    proc.process(7, "dockerd", exe=str(path))
    return path


def show_program(monkeypatch, path, **facts):
    """Let /proc/PID/exe show this path and file."""
    found = os.stat("/bin/sh")
    facts = dict(dict(st_mode=0o100755, st_uid=0, st_gid=0, st_ino=found.st_ino, st_dev=found.st_dev), **facts)
    shown = os.stat_result([facts.get(name, 0) for name in ("st_mode", "st_ino", "st_dev")] + [1, 0, 0, 0, 0, 0, 0])
    shown = os.stat_result((shown[0], shown[1], shown[2], 1, facts["st_uid"], facts["st_gid"], 0, 0, 0, 0))
    monkeypatch.setattr(ProcessDir, "executable_file", lambda _self: (path, shown))


PROGRAMS = {
    "of the host": (b"/bin/sh", {}, None),
    "replaced by an upgrade": (b"/bin/old (deleted)", {}, None),
    "of a user": (b"/bin/sh", dict(st_uid=1000), "its program /bin/sh belongs to uid 1000"),
    "of a system user": (b"/bin/sh", dict(st_uid=33), "its program /bin/sh belongs to uid 33"),
    "written by all": (b"/bin/sh", dict(st_mode=0o100757), "other users may write its program /bin/sh"),
    "written by a group": (b"/bin/sh", dict(st_mode=0o100775, st_gid=50), "other users may write its program /bin/sh"),
    "written by the group of root": (b"/bin/sh", dict(st_mode=0o100775), None),
    "another file than that of the host": (b"/bin/sh", dict(st_ino=1), "its program /bin/sh is not that file"),
    "not there": (b"/nonexistent/x", {}, "its program /nonexistent/x is not that file of this host"),
    "gone, elsewhere": (b"/bin/old (deleted)", dict(st_dev=1), "its program /bin/old (deleted) is not that file"),
    "in memory": (b"/memfd:x (deleted)", dict(st_dev=1), "its program /memfd:x (deleted) is not that file"),
    "an ugly name": (b"/x\x1b[2J", {}, "its program /x\\x1b[2J is not that file"),
}


@pytest.mark.parametrize("path, facts, words", PROGRAMS.values(), ids=list(PROGRAMS))
def test_program(proc, monkeypatch, path, facts, words):
    proc.process(7, "dockerd")
    show_program(monkeypatch, path, **facts)
    why = judge(proc)
    assert why is words if words is None else why.startswith(words)


@as_root
def test_program_of_a_named_user(proc, program):
    assert judge(proc) is None
    os.chown(str(program), 1000, 1000)
    program.chmod(0o775)
    assert judge(proc).startswith(f"its program {program} belongs to uid 1000")
    assert judge(proc, users=[1000]) is None
    program.chmod(0o777)
    assert judge(proc, users=[1000]) == f"other users may write its program {program}"


def spoil_owner(path):
    os.chown(str(path), 1234, 1234)


PLACES = {
    "of root": ("a", lambda path: None, None),
    "of a user": ("a", spoil_owner, "is below {}, which belongs to uid 1234"),
    "of a user, above one of root": ("", spoil_owner, "is below {}, which belongs to uid 1234"),
    "written by all": ("a", lambda path: path.chmod(0o777), "is below {}, which all users may write"),
    "a temporary folder, where a file is its owner's": ("a", lambda path: path.chmod(0o1777), None),
    "written by a group of administrators": ("a", lambda path: (os.chown(str(path), 0, 50), path.chmod(0o2775)), None),
}


@as_root
@pytest.mark.parametrize("has_program", [True, False], ids=["there", "replaced by an upgrade"])
@pytest.mark.parametrize("name, spoil, words", PLACES.values(), ids=list(PLACES))
def test_folder_of_a_program(proc, tmp_path, monkeypatch, name, spoil, words, has_program):
    """Whoever may write a folder may rename root's program in it, and so choose its name."""
    top = tmp_path / "opt"
    (top / "a").mkdir(parents=True)
    program = top / "a" / "dockerd"
    program.write_text("")
    program.chmod(0o755)
    spoil(top / name)
    proc.process(7, "dockerd")
    path, facts = bytes(program), os.stat(str(program))
    if not has_program:
        program.unlink()
        path += b" (deleted)"
    monkeypatch.setattr(ProcessDir, "executable_file", lambda _self: (path, facts))
    assert judge(proc) == (words and f"its program {path.decode()} {words.format(top / name)}")
    if spoil is spoil_owner:
        assert judge(proc, users=[1234]) is None


REMOVED = {
    "of root": (lambda path: None, None),
    "of a user": (spoil_owner, "is below {}, which belongs to uid 1234"),
    "a temporary folder, where a user could remove one": (
        lambda path: path.chmod(0o1777),
        "is below {}, which all users may write",
    ),
}


@as_root
@pytest.mark.parametrize("spoil, words", REMOVED.values(), ids=list(REMOVED))
def test_folder_that_an_upgrade_removed(proc, tmp_path, monkeypatch, spoil, words):
    """A package may have a folder for each version; what is left above it is judged."""
    (tmp_path / "jvm").mkdir()
    spoil(tmp_path / "jvm")
    proc.process(7, "dockerd")
    path = bytes(tmp_path / "jvm/java-17.0.1/bin/java") + b" (deleted)"
    show_program(monkeypatch, path, st_dev=tmp_path.stat().st_dev)
    assert judge(proc) == (words and f"its program {path.decode()} {words.format(tmp_path / 'jvm')}")


def test_deleted_program_of_another_file_system(proc, monkeypatch):
    """The file system of an old snap is not mounted any more."""
    proc.process(7, "dockerd")
    show_program(monkeypatch, b"/nonexistent/snap/7/etcd (deleted)", st_dev=1)
    assert judge(proc).endswith("is not that file of this host (users=[root] accepts that, and unit and pid do)")
    assert judge(proc, users=[0]) is None
    show_program(monkeypatch, b"/bin/sh", st_ino=1)
    assert judge(proc, users=[0]) == "its program /bin/sh is not that file of this host"


def test_shared_program_is_judged_once(proc, monkeypatch):
    """Thousands of processes may have one program."""
    show_program(monkeypatch, b"/bin/sh")
    judged = Identity(proc.procfs, "/nonexistent", True)
    reads = []
    stat = os.stat
    monkeypatch.setattr(identity.os, "stat", lambda path, **options: reads.append(path) or stat(path, **options))
    first, second = [b"/bin/sh", b"/bin", b"/"], [b"/usr/bin/sh", b"/usr/bin", b"/usr"]
    for path, expected in ((b"/bin/sh", first), (b"/bin/sh", []), (b"/usr/bin/sh", second)):
        show_program(monkeypatch, path)
        reads.clear()
        proc.process(7, "dockerd")
        with proc.procfs.open(7) as directory:
            assert judged.why_foreign(directory) is None
        assert [path for path in reads if isinstance(path, bytes)] == expected


def test_folder_that_was_renamed_meanwhile(proc, monkeypatch):
    proc.process(7, "dockerd")
    show_program(monkeypatch, b"/nonexistent/sh")
    monkeypatch.setattr(identity, "_is_on_host", lambda _path, _folder, _facts: True)
    assert judge(proc) == "its program /nonexistent/sh is not that file of this host"


def test_started_in_a_login(proc, monkeypatch):
    """A job of a user may start what sudo allows, with the user's words."""
    proc.process(7, "dockerd")
    show_program(monkeypatch, b"/bin/sh")
    for login, words in (("4294967295", None), ("0", None), ("1000", "it was started in a login of uid 1000")):
        proc.write("7/loginuid", login)
        why = judge(proc)
        assert why is words if words is None else why.startswith(words)
    assert judge(proc, has_systemd=False) is None  # an administrator may have restarted it by sudo


def test_container_that_was_started_from_a_login(proc, monkeypatch):
    """All of its processes have the login of its init, and only another login matters."""
    proc.process(1, "systemd", parent=0)
    proc.write("1/loginuid", "1000")
    proc.process(7, "dockerd")
    show_program(monkeypatch, b"/bin/sh")
    for login, words in (("1000", None), ("1001", "it was started in a login of uid 1001")):
        proc.write("7/loginuid", login)
        why = judge(proc)
        assert why is words if words is None else why.startswith(words)


def test_started_in_a_login_without_a_program(proc):
    """A zombie has none, and the program of root's process cannot be read without root."""
    proc.process(7, "kubelet")
    proc.write("7/loginuid", "1000")
    assert judge(proc).startswith("it was started in a login of uid 1000")


def test_set_uid_program(proc, monkeypatch):
    """A user may start sudo under any name; while it asks for a password, all its uids are 0."""
    proc.process(7, "dockerd")
    show_program(monkeypatch, b"/bin/sh", st_mode=0o104755)
    assert judge(proc) == "its program /bin/sh is set-uid, so any user may run it under any name"
    assert judge(proc, users=[0]) is None


def test_set_uid_program_of_a_named_user(proc, monkeypatch):
    proc.process(7, "batch", uids=(1000,) * 4)
    show_program(monkeypatch, b"/bin/sh", st_mode=0o104755, st_uid=1000)
    assert judge(proc, users=[1000]) is None
    assert judge(proc, users=[1001]) is not None


def test_program_that_a_group_may_write(proc, monkeypatch):
    """Some packages install for a group of administrators: naming root accepts that."""
    proc.process(7, "dockerd")
    show_program(monkeypatch, b"/bin/sh", st_mode=0o100775, st_gid=50)
    assert judge(proc).endswith("by its group 50 (users=[root] accepts that, and unit and pid do)")
    assert judge(proc, users=[0]) is None
    show_program(monkeypatch, b"/bin/sh", st_mode=0o100757)
    assert judge(proc, users=[0]) == "other users may write its program /bin/sh"


# --- settings ---------------------------------------------------------------------------

LOGIN_DEFS = {
    "the usual": ("#UID_MIN 1\nUID_MIN\t\t\t 1000\nSYS_UID_MIN 100\n", 1000),
    "an old one": ("UID_MIN 500\n", 500),
    "none": ("", 1000),
    "not a number": ("UID_MIN x\n", 1000),
}


@pytest.mark.parametrize("text, uid", LOGIN_DEFS.values(), ids=list(LOGIN_DEFS))
def test_first_login_uid(tmp_path, text, uid):
    (tmp_path / "login.defs").write_text(text)
    assert read_first_login_uid(str(tmp_path / "login.defs")) == uid
    assert read_first_login_uid("/nonexistent") == 1000


# The files of a host of SUSE, where packages have theirs in /usr/etc.
LOGIN_DEFS_OF_SUSE = {
    "a lower one": ({"login.defs": "UID_MIN 1000\n", "login.defs.d/99-local.defs": "UID_MIN 500\n"}, 500),
    "alone": ({"login.defs.d/70-yast.defs": "UID_MIN 600\n"}, 600),
    "a higher one": ({"login.defs": "UID_MIN 1000\n", "login.defs.d/99-local.defs": "UID_MIN 5000\n"}, 1000),
    "another setting": ({"login.defs.d/70-yast.defs": "ENCRYPT_METHOD SHA512\n"}, 1000),
    "another name": ({"login.defs.d/old.defs.rpmsave": "UID_MIN 500\n"}, 1000),
}


@pytest.mark.parametrize("files, uid", LOGIN_DEFS_OF_SUSE.values(), ids=list(LOGIN_DEFS_OF_SUSE))
def test_first_login_uid_of_suse(tmp_path, files, uid):
    (tmp_path / "login.defs.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read_first_login_uid(str(tmp_path / "login.defs")) == uid


def test_find_uids():
    assert find_uids(["root"]) == {0}
    assert find_uids([]) == frozenset()
    for name in ("no-such-user", "a\0b", "\ud800"):
        with pytest.raises(NotFoundError, match=r"users=.*: this host has no such user"):
            find_uids([name])


def test_names_of_users_are_looked_up_a_few_times_only(proc, monkeypatch):
    asked = []

    def look_up(uid):
        asked.append(uid)
        raise KeyError

    monkeypatch.setattr(identity.pwd, "getpwuid", look_up)
    judged = Identity(proc.procfs, "/nonexistent", True)
    for uid in range(2000, 2100):
        proc.process(7, "x", uids=(uid,) * 4)
        with proc.procfs.open(7) as directory:
            assert judged.why_foreign(directory) == f"it runs as uid {uid}"
    assert len(asked) == 20


# --- real processes -----------------------------------------------------------------------


@pytest.fixture
def start():
    """Start real programs, as this user or another; return the pid."""
    started = []

    def run(program, uid=0):
        options = {} if uid == 0 else dict(preexec_fn=lambda: os.setuid(uid))
        started.append(subprocess.Popen([program, "600"], **options))
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{started[-1].pid}/exe") != os.path.realpath(program):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return started[-1].pid

    yield run
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()


@as_root
def test_copy_of_a_program_that_a_user_runs(start):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = os.path.join(folder, "containerd")
        shutil.copy(shutil.which("sleep"), program)
        os.chown(program, 1234, 1234)
        real = Identity(Procfs())
        with Procfs().open(start(program, 1234)) as directory:
            assert real.why_foreign(directory) == "it runs as uid 1234"
            assert real.why_foreign(directory, frozenset([1234])) is None
        with Procfs().open(start(program)) as directory:  # root runs the user's file
            assert real.why_foreign(directory) == f"its program {program} belongs to uid 1234"
    with Procfs().open(start(shutil.which("sleep"), 65534)) as directory:
        assert real.why_foreign(directory).startswith("it runs as uid 65534")


@as_root
def test_program_that_an_upgrade_replaced(start, tmp_path):
    shutil.copy(shutil.which("sleep"), str(tmp_path / "kubelet"))
    pid = start(str(tmp_path / "kubelet"))
    (tmp_path / "kubelet").unlink()
    with Procfs().open(pid) as directory:
        if user_of(directory.cgroups()) is not None:
            pytest.skip("the tests run in a login, where every process is a user's")
        assert directory.executable_file()[0].endswith(b" (deleted)")
        assert Identity(Procfs(), has_systemd=False).why_foreign(directory) is None
        tmp_path.chmod(0o777)
        assert "all users may write" in Identity(Procfs(), has_systemd=False).why_foreign(directory)


@as_root
def test_own_programs(start):
    with Procfs().open(os.getpid()) as directory:
        if user_of(directory.cgroups()) is not None:
            pytest.skip("the tests run in a login, where every process is a user's")
    with Procfs().open(start(shutil.which("sleep"))) as directory:
        assert Identity(Procfs(), has_systemd=False).why_foreign(directory) is None
    with Procfs().open(start(shutil.which("sleep"), 105)) as directory:
        assert Identity(Procfs(), has_systemd=False).why_foreign(directory) is None
