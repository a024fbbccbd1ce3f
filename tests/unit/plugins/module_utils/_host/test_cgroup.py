# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cgroup hierarchies of every kind, read from text; cgroups as folders."""

import errno
import os
import subprocess
import sys
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host import cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import (
    MAX_DEPTH,
    Hierarchy,
    cgroup_hierarchies,
    cgroup_limit_kb,
    find_cgroup,
    has_cgroups_below,
    is_avoided_by_meta_oomd,
    is_divided,
    limited_cgroups,
    memory_hierarchy,
    oom_kills_by_cgroup,
    own_cgroup,
    pids_in_cgroup,
    read_cgroup_owner,
    read_oom_kills,
    read_oomd_preference,
    walk_cgroups,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import bytes_of

V1 = "30 24 0:26 / {0}/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
NAMED = "31 24 0:27 / {0}/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
V2 = "32 24 0:28 / {0}/unified rw - cgroup2 cgroup2 rw\n"
ROOT = "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"


def mounts(proc, tmp_path, *lines, v2_controllers=""):
    for name in ("memory", "systemd", "unified"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "unified/cgroup.controllers").write_text(v2_controllers)
    proc.write("self/mountinfo", ROOT + "".join(line.format(tmp_path) for line in lines))
    return proc.procfs


MEMORY_HIERARCHIES = {
    "version 1": ((V1, NAMED), "", 1),
    "version 2": ((V2,), "cpu io memory pids", 2),
    "hybrid, memory on version 1": ((V2, V1, NAMED), "", 1),
}


@pytest.mark.parametrize("lines, controllers, version", MEMORY_HIERARCHIES.values(), ids=list(MEMORY_HIERARCHIES))
def test_find_memory_hierarchy(proc, tmp_path, lines, controllers, version):
    hierarchy = memory_hierarchy(mounts(proc, tmp_path, *lines, v2_controllers=controllers))
    assert hierarchy.version == version
    proc.write("self/cgroup", "9:name=systemd:/no\n4:memory:/me\n0::/me\n")
    assert own_cgroup(proc.procfs, hierarchy) == "/me"


def test_no_memory_hierarchy(proc, tmp_path):
    procfs = mounts(proc, tmp_path, NAMED, V2, v2_controllers="cpu")
    with pytest.raises(UnsupportedError, match="no memory cgroup controller is mounted"):
        memory_hierarchy(procfs)
    proc.write("self/cgroup", "9:name=systemd:/no\n")
    with pytest.raises(UnsupportedError, match="/proc/self/cgroup lists no cgroup for the hierarchy at /m"):
        own_cgroup(procfs, Hierarchy(2, [], "/m", "/"))


@pytest.mark.parametrize(
    "root, path, directory",
    [
        ("/", "/a/b", "/m/a/b"),
        ("/docker/id", "/docker/id/a", "/m/a"),
        ("/docker/id", "/docker/id", "/m"),
        ("/docker/id", "/docker/idle", "/m/docker/idle"),
    ],
)
def test_folder_of_path_in_bind_mount(root, path, directory):
    hierarchy = Hierarchy(1, ["memory"], "/m", root)
    assert hierarchy.directory(path) == directory


def test_path_of_folder():
    assert Hierarchy(1, ["memory"], "/m", "/docker/id").path("/m/a") == "/docker/id/a"
    assert Hierarchy(2, [], "/m", "/").path("/m/a") == "/a"


def test_escaped_mount_point(proc):
    proc.write("self/mountinfo", "30 24 0:26 / /my\\040cgroups\\134x rw - cgroup cgroup rw,memory\n")
    assert cgroup_hierarchies(proc.procfs)[0].mount == "/my cgroups\\x"


def test_memory_on_version_2_next_to_a_named_hierarchy(proc, tmp_path):
    procfs = mounts(proc, tmp_path, NAMED, V2, v2_controllers="memory")
    for name in ("systemd", "unified"):
        (tmp_path / name / "a").mkdir()
    assert find_cgroup(procfs, "/a") == str(tmp_path / "unified/a")
    with pytest.raises(NotFoundError, match=f"cgroup /nope does not exist below {tmp_path}/unified$"):
        find_cgroup(procfs, "/nope")


def test_unit_without_memory_cgroup(proc, tmp_path):
    procfs = mounts(proc, tmp_path, NAMED, V1)
    (tmp_path / "systemd/system.slice/cron.service").mkdir(parents=True)
    assert find_cgroup(procfs, "/system.slice/cron.service") == str(tmp_path / "systemd/system.slice/cron.service")
    (tmp_path / "memory/system.slice/cron.service").mkdir(parents=True)
    assert find_cgroup(procfs, "/system.slice/cron.service") == str(tmp_path / "memory/system.slice/cron.service")
    # The hierarchy that limits memory is enough: version 1 has a dozen.
    with pytest.raises(NotFoundError, match=f"cgroup /nope does not exist below {tmp_path}/memory$"):
        find_cgroup(procfs, "/nope")


def test_skip_removed_cgroup(tmp_path):
    (tmp_path / "a/gone").mkdir(parents=True)
    (tmp_path / "a/cgroup.procs").write_text("5\n6\n")
    assert pids_in_cgroup(str(tmp_path / "a")) == [5, 6]


@pytest.fixture
def failing_read(monkeypatch):
    """Return a function that makes every read of a cgroup's file fail with this error number."""

    def fail_with(number):
        def fail(_directory, _name):
            raise OSError(number, "x")

        monkeypatch.setattr(cgroup, "_read_words", fail)

    return fail_with


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EOPNOTSUPP], ids=["removed while read", "threaded"])
def test_skip_cgroup_without_process_list(tmp_path, failing_read, number):
    failing_read(number)
    assert pids_in_cgroup(str(tmp_path)) == []


def test_process_list_cannot_be_read(tmp_path, failing_read):
    failing_read(errno.EACCES)
    with pytest.raises(PermissionError):
        pids_in_cgroup(str(tmp_path))


NOT_CGROUPS = {
    "relative": ("system.slice", "cgroup 'system.slice' is not a cgroup path: write it from the root as in /proc"),
    "upwards": ("/a/../b", "cgroup '/a/../b' is not a cgroup path"),
    "the root": ("/", "cgroup '/' is the whole host: name a cgroup below it"),
    "the root, twice": ("//", "is the whole host"),
}


@pytest.mark.parametrize("path, words", NOT_CGROUPS.values(), ids=list(NOT_CGROUPS))
def test_refuse_path(proc, path, words):
    with pytest.raises(InputError, match=words):
        find_cgroup(proc.procfs, path)


def test_no_hierarchy_at_all(proc):
    proc.write("self/mountinfo", ROOT)
    with pytest.raises(NotFoundError, match="cgroup /a does not exist below any mount point"):
        find_cgroup(proc.procfs, "/a")
    assert limited_cgroups(proc.procfs) == []


# --- the files of the memory controller -------------------------------------------

LIMITS = {
    "version 1": (1, "memory.limit_in_bytes", "67108864\n", 65536),
    "version 1, no limit": (1, "memory.limit_in_bytes", "9223372036854771712\n", None),
    "version 2": (2, "memory.max", "67108864\n", 65536),
    "version 2, no limit": (2, "memory.max", "max\n", None),
    "zero is a limit": (2, "memory.max", "0\n", 0),
}


@pytest.mark.parametrize("version, name, text, limit_kb", LIMITS.values(), ids=list(LIMITS))
def test_limit(tmp_path, version, name, text, limit_kb):
    (tmp_path / name).write_text(text)
    assert cgroup_limit_kb(str(tmp_path), version) == limit_kb


def test_limited_cgroups(proc, tmp_path):
    procfs = mounts(proc, tmp_path, V2, v2_controllers="memory")
    for name, text in (("a", "max"), ("b", "4096"), ("a/c", "4096"), ("removed", None)):
        (tmp_path / "unified" / name).mkdir()
        if text is not None:
            (tmp_path / "unified" / name / "memory.max").write_text(text + "\n")
    (tmp_path / "unified/removed/memory.max").symlink_to("nowhere")  # listed, but fails when opened
    assert limited_cgroups(procfs) == ["/a/c", "/b"]


def test_oom_kills_of_version_2(proc, tmp_path):
    procfs = mounts(proc, tmp_path, V2, v2_controllers="memory")
    for name, kills in (("a", 2), ("a/b", 1), ("c", 0)):
        (tmp_path / "unified" / name).mkdir()
        (tmp_path / "unified" / name / "memory.events.local").write_text(f"low 0\noom 9\noom_kill {kills}\n")
    (tmp_path / "unified/removed").mkdir()
    (tmp_path / "unified/removed/memory.events.local").symlink_to("nowhere")
    assert oom_kills_by_cgroup(procfs) == {"/a": 2, "/a/b": 1}


def test_oom_kills_of_version_1(proc, tmp_path):
    procfs = mounts(proc, tmp_path, V1)
    (tmp_path / "memory/a").mkdir()
    (tmp_path / "memory/a/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert oom_kills_by_cgroup(procfs) == {"/a": 3}


def test_no_oom_kill_count_before_kernel_4_13(tmp_path):
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\n")
    assert read_oom_kills(str(tmp_path), "memory.oom_control") is None


NO_DATA, NOT_SUPPORTED, GONE = errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT
MARKS = {
    "none": ({}, NO_DATA, "none"),
    "omit": ({"user.oomd_omit": b"1"}, NO_DATA, "omit"),
    "avoid": ({"user.oomd_avoid": b"1"}, NO_DATA, "avoid"),
    "for Meta's oomd": ({"trusted.oomd_avoid": b"1"}, NO_DATA, "none"),
    "both": ({"user.oomd_avoid": b"1", "user.oomd_omit": b"1"}, NO_DATA, "omit"),
    "not set": ({"user.oomd_omit": b"0"}, NO_DATA, "none"),
    "kernel 5.4": ({"trusted.oomd_avoid": b"1"}, NOT_SUPPORTED, None),
    "no attributes": ({}, NOT_SUPPORTED, None),
    "removed": ({}, GONE, None),
}


@pytest.mark.parametrize("marks, number, preference", MARKS.values(), ids=list(MARKS))
def test_preference_for_systemd_oomd(proc, tmp_path, monkeypatch, marks, number, preference):
    def read(directory, name):
        assert directory == bytes_of(str(tmp_path / "unified/system.slice/x.service"))
        if name in marks:
            return marks[name]
        raise OSError(number, "x")

    monkeypatch.setattr(os, "getxattr", read)
    assert read_oomd_preference(mounts(proc, tmp_path, V2), "/system.slice/x.service") == preference

    assert is_avoided_by_meta_oomd(mounts(proc, tmp_path, V2), "/system.slice/x.service") is (
        "trusted.oomd_avoid" in marks
    )


def test_no_preference_on_version_1(proc, tmp_path):
    procfs = mounts(proc, tmp_path, V1, NAMED)
    assert read_oomd_preference(procfs, "/x") is None and not is_avoided_by_meta_oomd(procfs, "/x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_owner_of_a_cgroup(proc, tmp_path):
    """Who owns it may set any attribute there."""
    procfs = mounts(proc, tmp_path, V2)
    folder = tmp_path / "unified/user.slice/x.scope"
    folder.mkdir(parents=True)
    assert read_cgroup_owner(procfs, "/user.slice/x.scope") == 0
    os.chown(str(folder), 65534, 65534)
    assert read_cgroup_owner(procfs, "/user.slice/x.scope") == 65534
    assert read_cgroup_owner(procfs, "/user.slice/gone.scope") is None


def test_no_owner_on_version_1(proc, tmp_path):
    assert read_cgroup_owner(mounts(proc, tmp_path, V1, NAMED), "/x") is None


@pytest.mark.parametrize("group, below, divided", [("0", True, True), ("1", True, False), ("0", False, False)])
def test_cgroups_that_are_killed_each_for_itself(proc, tmp_path, group, below, divided):
    procfs = mounts(proc, tmp_path, V2)
    folder = tmp_path / "unified/x"
    (folder / "job" if below else folder).mkdir(parents=True)
    (folder / "memory.oom.group").write_text(group + "\n")
    assert (has_cgroups_below(procfs, "/x"), is_divided(procfs, "/x")) == (below, divided)
    (folder / "memory.oom.group").unlink()
    assert not is_divided(procfs, "/x") and not is_divided(procfs, "/gone")


def test_no_cgroups_below_on_version_1(proc, tmp_path):
    procfs = mounts(proc, tmp_path, V1, NAMED)
    assert not has_cgroups_below(procfs, "/x") and not is_divided(procfs, "/x")


# What users may do with a part of the tree that is theirs.


def test_mount_points_with_odd_names(proc, tmp_path):
    """A FUSE mount point of a user stands among the cgroup hierarchies in mountinfo."""
    for odd in ("\f", "\r", "\v", "\x1c", "\u2028", "\x85"):
        fuse = f"40 24 0:99 / /home/u/x{odd}y rw - fuse.sshfs z{odd}w rw,user_id=1000\n"
        proc.write("self/mountinfo", fuse + V2.format(tmp_path))
        cgroup_hierarchies.cache_clear()
        assert [hierarchy.mount for hierarchy in cgroup_hierarchies(proc.procfs)] == [f"{tmp_path}/unified"]


def test_deep_trees_have_an_end(tmp_path):
    """More levels than Python may recurse, and a path longer than PATH_MAX."""
    above = os.getcwd()
    os.chdir(str(tmp_path))
    levels = 1200
    for _level in range(levels):
        with open("cgroup.procs", "w") as stream:
            stream.write("5\n")
        os.mkdir("deep")
        os.chdir("deep")
    try:
        assert pids_in_cgroup(str(tmp_path)) == [5] * (MAX_DEPTH + 1)
    finally:  # pytest's own clean-up recurses
        for _level in range(levels):
            os.chdir("..")
            os.unlink("cgroup.procs")
            os.rmdir("deep")
        os.chdir(above)


def test_wide_trees_have_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "MAX_CGROUPS", 3)
    for name in "abcdef":
        (tmp_path / name / "below").mkdir(parents=True)
    assert len(list(walk_cgroups(str(tmp_path)))) == 3


def test_names_that_are_not_utf_8(tmp_path):
    folder = os.path.join(os.fsencode(str(tmp_path)), b"caf\xe9\x1b")
    os.mkdir(folder)
    with open(os.path.join(folder, b"cgroup.procs"), "w") as stream:
        stream.write("0\n7\n")
    assert pids_in_cgroup(str(tmp_path)) == [7]
    [_top, (found, names)] = walk_cgroups(str(tmp_path))
    assert (bytes_of(found), names) == (folder, ["cgroup.procs"])


@pytest.mark.skipif(os.geteuid() != 0, reason="root's cgroups")
def test_more_pids_than_fit_into_a_page():
    """1,500 real processes in a real cgroup: the kernel lists them in several chunks."""
    folder = os.path.join(memory_hierarchy(Procfs()).mount, f"oomguardpids_{os.getpid()}")
    os.mkdir(folder)
    code = (
        "import os, sys\n"
        "open(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n"
        "for _number in range(1500):\n"
        "    if os.fork() == 0:\n"
        "        os.read(0, 1)\n"
        "        os._exit(0)\n"
        "print('ready', flush=True)\n"
        "os.read(0, 1)\n"
    )
    try:
        parent = subprocess.Popen([sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert parent.stdout.readline() == b"ready\n"
        assert len(pids_in_cgroup(folder)) == 1501
    finally:
        parent.communicate()
        deadline = time.monotonic() + 30
        while pids_in_cgroup(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.rmdir(folder)
