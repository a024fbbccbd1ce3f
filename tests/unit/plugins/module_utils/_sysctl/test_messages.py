# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each error and warning of both modules says what is wrong, the value, and what to do.

The tables provoke each of them. A test reads the code and fails for an error that is in no table.
"""

import ast
import errno
import glob
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host import trusted_files
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply, file_changes, host, rollback
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import (
    ALLOCATING_TASK,
    ON_OOM,
    ON_OOPS,
    REBOOT_AFTER,
    HostQueries,
    OomPolicy,
    oom_policy_sysctls,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    KBYTES,
    MODE,
    RATIO,
    CommitMemory,
    OvercommitPolicy,
    check_headroom_percent,
    overcommit_sysctls,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import (
    record_path,
    render_file,
    render_record,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlRequest
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run_sysctls

CODE = os.path.join(os.path.dirname(host.__file__), "*.py")
FILE, POLICY_FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf", "/etc/sysctl.d/60-oomguard-policy.conf"
OVERRIDES = "(force=true overrides)"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the lock and other users are root's")


class Scene:
    """A host, and what a test does to it."""

    def __init__(self, tree, monkeypatch):
        self.tree = tree
        self.patch = monkeypatch

    def run(self, wanted=None, check_mode=False, committed_kb=0, total_kb=16000000, run_kb=40000, **fields):
        memory = CommitMemory(total_kb, 0, 0, committed_kb)
        policy = OvercommitPolicy(wanted or {MODE: 1}, memory, 10, lambda: run_kb)
        request = SysctlRequest(policy, **{"persistent": True, "file": FILE, "rollback_seconds": 20, **fields})
        return run_sysctls(self.tree.host, request, check_mode)

    def run_policy(self, wanted, limited=(), pinned=(), **fields):
        queries = HostQueries(lambda: False, lambda: list(limited), lambda: list(pinned))
        request = SysctlRequest(OomPolicy(wanted, queries), **{"persistent": True, "file": POLICY_FILE, **fields})
        return run_sysctls(self.tree.host, request, True)

    def fail(self, where, name, error, when=lambda *_words: True):
        """Let a function fail with an error, for the calls that are meant."""
        usual = getattr(where, name)

        def call(*words, **options):
            if when(*words):
                raise error
            return usual(*words, **options)

        self.patch.setattr(where, name, call)

    def deny(self, part, number, uid=0):
        """Let the file with this part in its name be no longer opened for writing."""
        self.patch.setattr(os, "geteuid", lambda: uid)
        self.fail(
            os, "open", OSError(number, os.strerror(number)), lambda path, flags, *_m: part in str(path) and flags & 3
        )


@pytest.fixture
def scene(sysctl_tree, monkeypatch):
    return Scene(sysctl_tree, monkeypatch)


# --- what provokes each error -----------------------------------------------------------


def write_then(scene, path, text, **fields):
    scene.tree.write(path, text)
    return scene.run(**fields)


def place(make, path=FILE, **fields):
    def act(scene):
        make(scene.tree.host.path(path))
        return scene.run(**fields)

    return act


def long_file(scene):
    scene.tree.write(FILE, "#" * (host.MAX_FILE_BYTES + 1))
    scene.run()


def no_proc_sys(scene):
    os.rename(scene.tree.host.path("/proc/sys"), scene.tree.host.path("/proc/other"))
    scene.run()


def no_sysctl(scene):
    os.unlink(scene.tree.host.path("/proc/sys/vm/user_reserve_kbytes"))
    scene.run({"vm.user_reserve_kbytes": 1})


def all_files_too_large(scene):
    scene.patch.setattr(host, "MAX_BYTES_OF_ALL_FILES", 10)
    scene.tree.write("/etc/sysctl.d/1.conf", "#" * 60)
    return scene.run(check_mode=True)


def unlistable_folder(scene):
    scene.fail(os, "listdir", OSError(errno.EIO, "Input/output error"), lambda path: b"etc/sysctl.d" in path)
    scene.run(check_mode=True)


def hidden_record(scene):
    scene.tree.write(record_path("overcommit"), render_record("overcommit", {MODE: 0}, {MODE: 1}))
    scene.patch.setattr(os, "geteuid", lambda: 1000)
    scene.fail(trusted_files, "read_trusted", PermissionError(errno.EACCES, "Permission denied"))
    scene.run(check_mode=True, absent=True)


def unexamined_proc_sys(scene):
    scene.fail(os, "statvfs", OSError(errno.EIO, "Input/output error"))
    scene.run(check_mode=True)


def read_only_proc_sys(scene):
    scene.patch.setattr(scene.tree.host, "read_only", lambda: True)
    scene.run(check_mode=True)


def container(scene):
    scene.tree.write("/.dockerenv", "")
    scene.run(check_mode=True)


def kubelet(scene):
    scene.patch.setattr(scene.tree.host, "runs", lambda _name: True)
    scene.run({MODE: 0, RATIO: 60} if scene.tree.set(**{MODE: 1}) else {MODE: 0})


def unwritable_sysctl(number, uid=0):
    def act(scene):
        scene.deny("overcommit_memory", number, uid)
        scene.run(check_mode=True)

    return act


def unwritable_folder(scene):
    os.rmdir(scene.tree.host.path("/etc/sysctl.d"))
    scene.tree.write("/etc/sysctl.d", "")
    scene.run(check_mode=True)


def full_disk(scene):
    scene.fail(os, "fsync", OSError(errno.ENOSPC, "No space left on device"))
    scene.run()


def no_helper(scene):
    scene.fail(apply, "RollbackHelper", OSError(errno.ENOMEM, "Cannot allocate memory"))
    scene.run()


def helper_ends(scene):
    scene.fail(rollback, "_watch", OSError(errno.EIO, "Input/output error"))
    scene.run()


def no_rename(scene):
    scene.fail(os, "rename", OSError(errno.EPERM, "Operation not permitted"))
    scene.run()


def late_helper(scene):
    scene.patch.setattr(apply.RollbackHelper, "is_waiting", lambda _self: False)
    scene.run()


def refused_value(scene):
    scene.fail(os, "pwrite", OSError(errno.EINVAL, "Invalid argument"), lambda _fd, text, _offset: text == b"1\n")
    scene.run()


def other_writer(scene):
    usual = os.pwrite
    scene.patch.setattr(os, "pwrite", lambda fd, text, offset: usual(fd, b"2\n" if text == b"1\n" else text, offset))
    scene.run()


def stuck_value(scene):
    """Let the proof fail, and the old value too."""
    stuck = []
    scene.fail(os, "pwrite", OSError(errno.EIO, "Input/output error"), lambda *_words: stuck)
    scene.patch.setattr(apply.RollbackHelper, "roll_back", lambda _self: False)

    def prove(_user):
        stuck.append(True)
        raise OomError("no")

    scene.patch.setattr(apply, "prove_new_process", prove)
    scene.run({MODE: 2, ADMIN_RESERVE: 131072})


def no_free_id(scene):
    scene.patch.setattr(scene.tree.host, "ids_in_use", lambda: apply.FREE_IDS)
    scene.run({MODE: 2, ADMIN_RESERVE: 131072})


def no_fork(scene):
    scene.fail(os, "fork", OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    apply.prove_new_process(1)


def no_login(scene):
    scene.patch.setattr(apply, "_act_as_login", lambda _user: errno.ENOMEM)
    apply.prove_new_process(1)


def lack_of_descriptors(scene):
    scene.fail(scene.tree.host, "container", OSError(errno.EMFILE, "Too many open files"))
    scene.run()


def file_with_a_policy(scene, line):
    ours = {REBOOT_AFTER: 10, ON_OOM: 0}
    scene.tree.write(POLICY_FILE, render_file("oom_policy", ours, dict.fromkeys(ours, 0)))
    scene.tree.write("/etc/sysctl.d/10-x.conf", line)
    scene.tree.set(**ours)
    return scene.run_policy({}, absent=True, every_file=True)


def folder_of_private_file(scene):
    scene.tree.write("/etc/place", "")
    file_changes.check_folder(scene.tree.host, file_changes.FileChange("/etc/place/x", "x", None))


# what provokes it: what is wrong, the value, what to do
ERRORS = {
    # options
    "no option": (lambda _s: overcommit_sysctls(*[None] * 5), "no option is set", "", "; set mode, ratio"),
    "no policy": (lambda _s: oom_policy_sysctls(*[None] * 5), "no option is set", "", "; set on_oom, reboot_after"),
    "both": (
        lambda _s: overcommit_sysctls(None, 80, 9, None, None),
        "exclude each other",
        "ratio=80 and kbytes=9",
        "; set",
    ),
    "zero": (lambda _s: overcommit_sysctls(None, 0, None, None, None), "only swap", "ratio=0", "; set 1 or more"),
    "large": (
        lambda _s: overcommit_sysctls(None, 1 << 40, None, None, None),
        "range",
        "ratio=1099511627776",
        "; set a lower number",
    ),
    "percent": (lambda _s: check_headroom_percent(101), "out of range", "headroom_percent=101", "; set a number in it"),
    "seconds": (lambda s: s.run(rollback_seconds=0), "out of range", "rollback_seconds=0", "; set a number in it"),
    "reboot": (
        lambda _s: oom_policy_sysctls(None, 1 << 40, *[None] * 3),
        "range",
        "reboot_after=1099511627776",
        "; set fewer",
    ),
    "file": (lambda s: s.run(file="/etc/x.conf"), "would not be read at boot", "file=/etc/x.conf", "; name a file in"),
    "no name": (
        lambda s: s.run(file="/etc/sysctl.d/\0.conf"),
        "no name on Linux can have",
        "file='/etc",
        ": remove it",
    ),
    "foreign": (lambda s: write_then(s, FILE, "x\n"), "was not written by", f"file={FILE}", "; name another file"),
    "a link": (place(lambda path: os.symlink("x", path)), "is a symbolic link", f"file={FILE}", "; name another file"),
    "a folder": (place(os.mkdir), "is a folder", f"file={FILE}", "; name another file"),
    "a long file": (long_file, "it has more than 256 KiB", FILE, ": remove what nothing needs"),
    # the host
    "no /proc/sys": (no_proc_sys, "does not exist", "/proc/sys", "; mount all of it"),
    "no meminfo": (lambda s: s.tree.host.meminfo(), "does not exist", "/proc/meminfo", "; mount all of it"),
    "no sysctl": (no_sysctl, "does not have", "vm.user_reserve_kbytes", "; leave the option out"),
    "odd value": (
        lambda s: write_then(s, "/proc/sys/vm/overcommit_memory", "7\n"),
        "which this collection does not know",
        "/proc/sys/vm/overcommit_memory contains '7'",
        "; set a known value by hand",
    ),
    "unlistable": (unlistable_folder, "cannot be read", "/etc/sysctl.d", ": see dmesg(1), and run again"),
    "hidden record": (hidden_record, "cannot be read", "/run/oomguard/overcommit.before", ": add become: true"),
    "unexamined": (unexamined_proc_sys, "cannot be examined", "/proc/sys", ": see dmesg(1), and run again"),
    "read-only": (read_only_proc_sys, "is read-only here", "/proc/sys", "; run this on the host"),
    "container": (container, "this is a container", "/.dockerenv", f"; run this on the host {OVERRIDES}"),
    "kubelet": (kubelet, "the kubelet on this host sets it to 1", f"{MODE}=0", f"; leave it at 1 {OVERRIDES}"),
    "no become": (unwritable_sysctl(errno.EACCES, 1000), "ran as uid 1000", "overcommit_memory", ": add become: true"),
    "root denied": (
        unwritable_sysctl(errno.EACCES),
        "Permission denied",
        "overcommit_memory",
        ": even root is denied: see lsattr",
    ),
    "one read-only": (
        unwritable_sysctl(errno.EROFS),
        "Read-only file system",
        "overcommit_memory",
        ": mount its file system writable",
    ),
    "no folder": (unwritable_folder, "Not a directory", FILE, ": move away the file that is"),
    "not removed": (folder_of_private_file, "cannot be removed", "/etc/place/x", ": move away the file that is"),
    "full disk": (full_disk, "No space left on device", FILE, ": free space on its file system"),
    # the change
    "no helper": (
        no_helper,
        "the rollback helper cannot be started",
        "Cannot allocate memory",
        "; free memory, then run",
    ),
    "helper ends": (
        helper_ends,
        "the rollback helper cannot be started",
        "it ended at once",
        "; free memory, then run",
    ),
    "not kept": (
        no_rename,
        "the rollback helper did not keep the change",
        FILE,
        "; raise rollback_seconds, or see why",
    ),
    "late": (late_helper, "ended before all values were written", "rollback_seconds=20", "; raise rollback_seconds"),
    "refused value": (
        refused_value,
        "the kernel refuses this value",
        f"{MODE} cannot be set to 1",
        ": set another one",
    ),
    "other writer": (other_writer, "after the write", f"{MODE} is 2 instead of 1", "; stop what else writes it"),
    "stuck": (stuck_value, "could not be restored", f"{MODE} is 2 instead of 0", "; do that by hand"),
    "no id": (no_free_id, "no free user id was found", "from 2000300000", "; run this again"),
    "no fork": (no_fork, "no new process can be started", "Resource temporarily", "; raise ratio or kbytes"),
    "no login": (no_login, "an ordinary user cannot take", "20480 KiB", "; raise ratio or kbytes"),
    "descriptors": (lack_of_descriptors, "this module failed", "Too many open files", "; remove that cause, then run"),
    # refusals
    "headroom": (
        lambda s: s.run({MODE: 2, KBYTES: 9000}, committed_kb=8500),
        "processes would fail to start",
        "CommitLimit would be 9000 KiB",
        f"; raise ratio or kbytes, or add swap {OVERRIDES}",
    ),
    "all for root": (
        lambda s: s.run({MODE: 2, KBYTES: 90000, ADMIN_RESERVE: 80000}, committed_kb=20000),
        "keeps the remaining",
        "admin_reserve_kbytes=80000",
        f"; raise ratio or kbytes, or add swap {OVERRIDES}",
    ),
    "reserve": (
        lambda s: s.run({MODE: 2}),
        "root needs",
        "admin_reserve_kbytes=8192",
        f"; set admin_reserve_kbytes to 103424 or more {OVERRIDES}",
    ),
    "nothing for users": (
        lambda s: s.run({MODE: 2, KBYTES: 140000, ADMIN_RESERVE: 131072}),
        "to users, who need",
        "admin_reserve_kbytes=131072",
        f"; raise ratio or kbytes, or add swap {OVERRIDES}",
    ),
    "reserve at boot": (
        lambda s: (
            s.tree.write("/etc/sysctl.d/99-x.conf", f"{ADMIN_RESERVE} = 5\n"),
            s.run({MODE: 2, ADMIN_RESERVE: 131072}),
        ),
        "after the next boot",
        "/etc/sysctl.d/99-x.conf line 1 sets vm.admin_reserve_kbytes to 5",
        f"; change /etc/sysctl.d/99-x.conf line 1, or set file to a name that sorts later {OVERRIDES}",
    ),
    "hang": (
        lambda s: s.run_policy({ON_OOM: 1}),
        "would hang until it is reset",
        "vm.panic_on_oom=1 with kernel.panic=0",
        f"; set reboot_after, such as 10 {OVERRIDES}",
    ),
    "hang at boot": (
        lambda s: (s.tree.set(**{REBOOT_AFTER: 9}), s.run_policy({ON_OOM: 1})),
        "would hang",
        "vm.panic_on_oom would be 1",
        f"; set reboot_after as well to make it permanent {OVERRIDES}",
    ),
    "containers": (
        lambda s: s.run_policy({ON_OOM: 2, REBOOT_AFTER: 9}, limited=["/a"]),
        "would panic the whole host",
        "on_oom=panic_always",
        f"; use on_oom=panic {OVERRIDES}",
    ),
    "pins": (
        lambda s: s.run_policy({ALLOCATING_TASK: 1}, pinned=["process 8 (redis) at -500"]),
        "whatever its score",
        "process 8 (redis) at -500",
        f"; leave the option out {OVERRIDES}",
    ),
    "back to a hang": (
        lambda s: file_with_a_policy(s, f"{ON_OOM} = 1\n"),
        "would hang until it is reset",
        "vm.panic_on_oom=1 with kernel.panic=0",
        f"; keep state=present, and set reboot_after to another value {OVERRIDES}",
    ),
}


@needs_root
@pytest.mark.parametrize("name", ERRORS)
def test_each_error_says_what_and_the_value_and_what_to_do(scene, name):
    provoke, what, value, remedy = ERRORS[name]
    with pytest.raises(OomError) as error:
        provoke(scene)
    message = str(error.value)
    assert what in message
    assert value in message
    assert remedy in message
    assert message.isprintable()
    assert message[0] != message[0].upper() or message[0] in "/C"  # a clause, or a name


@needs_root
def test_no_error_is_missing_in_the_tables(scene, monkeypatch):
    """Every text that the code raises was provoked, by its longest constant part."""
    messages = []
    for number, (provoke, *_parts) in enumerate([*ERRORS.values(), WARNINGS["too many files"]]):
        tree = type(scene.tree)(scene.tree.root.parent / f"host{number}")
        with monkeypatch.context() as patch:
            try:
                messages += provoke(Scene(tree, patch)).warnings
            except OomError as error:
                messages.append(str(error))
    missing = []
    for path in glob.glob(CODE):
        with open(path, encoding="utf-8") as stream:
            raised = [node.exc for node in ast.walk(ast.parse(stream.read())) if isinstance(node, ast.Raise)]
        for call in raised:
            constants = [part for part in map(text_of, ast.walk(call)) if part] if isinstance(call, ast.Call) else []
            longest = max(constants, key=len, default="")
            if is_error(call) and len(longest) > 5 and not any(longest in message for message in messages):
                missing.append(f"{os.path.basename(path)}: {longest}")
    assert missing == []


def is_error(call):
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.endswith("Error")


def text_of(node):
    """Return the text of a constant; Python before 3.8 calls it Str."""
    value = getattr(node, "value", None) if type(node).__name__ == "Constant" else getattr(node, "s", None)
    return value if isinstance(value, str) else ""


# --- warnings -----------------------------------------------------------------------------

WARNINGS = {
    "another file": (
        lambda s: write_then(s, "/etc/sysctl.d/99-x.conf", f"{MODE} = 0\n"),
        f"{MODE} will not be 1 after the next boot",
        "/etc/sysctl.d/99-x.conf line 1 sets",
        "; change /etc/sysctl.d/99-x.conf line 1, or set file to a name that sorts later",
    ),
    "only live": (
        lambda s: s.run(persistent=False),
        f"{MODE} will not be 1 after the next boot",
        "the kernel starts with 0",
        "; set persistent=true to keep it",
    ),
    "a limit that is only live": (
        lambda s: (s.tree.set(**{RATIO: 80}), s.run({MODE: 2}, force=True))[1],
        f"{RATIO} will not be 80 after the next boot",
        "the kernel starts with 50",
        "; set it in this task as well",
    ),
    "a file in /run": (
        lambda s: write_then(s, "/run/sysctl.d/99-x.conf", f"{MODE} = 0\n"),
        f"{MODE} may not be 1 after the next boot",
        "/run/sysctl.d/99-x.conf line 1 sets",
        "; stop what writes it",
    ),
    "sysctl --system": (
        lambda s: write_then(s, "/etc/sysctl.conf", f"{MODE} = 0\n"),
        "but not after sysctl --system",
        "/etc/sysctl.conf line 1 sets",
        "; remove that line",
    ),
    "an unreadable file": (
        place(os.mkfifo, "/etc/sysctl.d/99-x.conf", check_mode=True),
        "what it sets at boot is not predicted",
        "/etc/sysctl.d/99-x.conf cannot be read: it is not a regular file",
        ": remove it;",
    ),
    "too many files": (
        all_files_too_large,
        "all files have more than",
        "/etc/sysctl.d/1.conf",
        "; remove those that nothing needs",
    ),
    "a high limit": (
        lambda s: s.run({MODE: 2, RATIO: 200}, force=True),
        "the OOM killer will still be called",
        "CommitLimit is 32000000 KiB",
        "; lower ratio or kbytes",
    ),
    "a loop of reboots": (
        lambda s: s.run_policy({ON_OOM: 1, REBOOT_AFTER: 5}),
        "there is no time to log in",
        "reboot_after=5",
        "; 10 or more seconds are usual",
    ),
    "a fault that hangs": (
        lambda s: s.run_policy({ON_OOPS: 1}),
        "hangs after a kernel fault",
        "panic_on_oops=true with kernel.panic=0",
        "; set reboot_after",
    ),
    "a file of an older version": (
        lambda s: write_then(s, FILE, render_file("overcommit", {MODE: 1}, {}), absent=True, every_file=True),
        "because no file has its value from before",
        f"{MODE} becomes 0",
        "; check it, or reboot",
    ),
    "a value that is no longer ours": (
        lambda s: (s.run({MODE: 1}), s.tree.set(**{MODE: 2}), s.run(absent=True, every_file=True))[-1],
        "because something else set it since",
        f"{MODE} stays 2",
        f"; if nothing needs that, run sysctl -w {MODE}=0",
    ),
    "a file of a stranger": (
        lambda s: (
            s.tree.write(FILE, render_file("overcommit", {MODE: 1}, {})),
            os.chown(s.tree.host.path(FILE), 1000, 0),
            s.run(absent=True, every_file=True),
        )[-1],
        "another user could have written it",
        FILE,
        "; see what it is, and set file to remove it",
    ),
}


@needs_root
@pytest.mark.parametrize("name", WARNINGS)
def test_each_warning_says_what_and_the_value_and_what_to_do(scene, monkeypatch, name):
    monkeypatch.setattr(apply, "prove_new_process", lambda _user: None)
    provoke, what, value, remedy = WARNINGS[name]
    warnings = [warning for warning in provoke(scene).warnings if what in warning]
    assert warnings, "no such warning"
    assert value in warnings[0]
    assert remedy in warnings[0]
