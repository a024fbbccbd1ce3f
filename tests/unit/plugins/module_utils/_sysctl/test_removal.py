# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What taking back would change, for a tree of files."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import (
    ALLOCATING_TASK,
    DUMP_TASKS,
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
    USER_RESERVE,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import (
    record_path,
    render_file,
    render_record,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    SysctlRequest,
    SysctlWrite,
    add_other_halves,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan, run_sysctls

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
POLICY_FILE = "/etc/sysctl.d/60-oomguard-policy.conf"
RECORD = record_path("overcommit")
OURS = render_file("overcommit", {MODE: 2}, {MODE: 0})


@pytest.fixture
def take_back(sysctl_tree, overcommit_request):
    """Plan to take back, with live values and files given."""

    def make(files=None, live=None, every_file=True, **fields):
        for path, text in (files or {}).items():
            sysctl_tree.write(path, text)
            os.chmod(os.path.dirname(sysctl_tree.host.path(path)), 0o755)
        sysctl_tree.set(**(live or {}))
        request = overcommit_request({}, absent=True, every_file=every_file, **fields)
        return read_and_plan(sysctl_tree.host, request)

    return make


def paths(plan):
    return [change.path for change in plan.files]


# --- the live values ----------------------------------------------------------------


@pytest.mark.parametrize(
    "files, live, given_back",
    [
        # what the file says was there before it
        ({FILE: OURS}, {MODE: 2}, {MODE: 0}),
        ({FILE: render_file("overcommit", {MODE: 2}, {MODE: 1})}, {MODE: 2}, {MODE: 1}),
        # what a remaining boot file gives
        ({FILE: OURS, "/etc/sysctl.d/10-x.conf": f"{MODE} = 1\n"}, {MODE: 2}, {MODE: 1}),
        ({FILE: OURS, "/usr/lib/sysctl.d/99-x.conf": f"{MODE} = 1\n"}, {MODE: 2}, {MODE: 1}),
        ({FILE: OURS, "/run/sysctl.d/10-x.conf": f"{MODE} = 1\n"}, {MODE: 2}, {MODE: 1}),
        ({FILE: OURS, "/proc/cmdline": f"quiet sysctl.{MODE}=1\n"}, {MODE: 2}, {MODE: 1}),
        ({FILE: OURS, "/etc/sysctl.d/10-x.conf": f"{MODE} = 7\n"}, {MODE: 2}, {MODE: 0}),  # refused by the kernel
        ({FILE: OURS, "/etc/sysctl.d/10-x.conf": f"-{MODE}\n"}, {MODE: 2}, {MODE: 0}),  # an exclusion
        # a file of the same name in another folder, which ours hides
        ({FILE: OURS, "/usr/lib/sysctl.d/60-oomguard-overcommit.conf": f"{MODE} = 1\n"}, {MODE: 2}, {MODE: 1}),
        # a pair: what is not 0 restores both
        ({FILE: render_file("overcommit", {KBYTES: 9}, {RATIO: 50, KBYTES: 0})}, {RATIO: 0, KBYTES: 9}, {RATIO: 50}),
        ({FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 0, KBYTES: 900})}, {RATIO: 80}, {KBYTES: 900}),
        ({FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 0, KBYTES: 0})}, {RATIO: 80}, {RATIO: 0}),
        ({FILE: render_file("overcommit", {KBYTES: 9}, {RATIO: 0, KBYTES: 0})}, {RATIO: 0, KBYTES: 9}, {KBYTES: 0}),
        (
            {
                FILE: render_file("overcommit", {KBYTES: 900}, {RATIO: 50, KBYTES: 0}),
                "/etc/sysctl.d/10-x.conf": f"{KBYTES} = 700\n",
            },
            {RATIO: 0, KBYTES: 900},
            {KBYTES: 700},
        ),
        # the record of what is only live
        ({RECORD: render_record("overcommit", {MODE: 0}, {MODE: 1})}, {MODE: 1}, {MODE: 0}),
        (
            {FILE: OURS, RECORD: render_record("overcommit", {USER_RESERVE: 7}, {USER_RESERVE: 9})},
            {MODE: 2, USER_RESERVE: 9},
            {MODE: 0, USER_RESERVE: 7},
        ),
        # a value that nobody changed since
        ({FILE: OURS}, {MODE: 0}, {MODE: 0}),
    ],
)  # fmt: skip
def test_live_values_that_are_given_back(sysctl_tree, take_back, files, live, given_back):
    plan = take_back(files, live)
    assert plan.request.policy.wanted == given_back
    before = sysctl_tree.get(*given_back)
    assert {write.key: write.after for write in plan.writes} == {
        key: value for key, value in given_back.items() if before[key] != value
    }
    assert [warning for warning in plan.warnings if "check it" in warning] == []


@pytest.mark.parametrize(
    "files, live, warned",
    [
        ({FILE: render_file("overcommit", {MODE: 1}, {MODE: 0})}, {MODE: 2}, f"{MODE}=0"),
        ({FILE: render_file("overcommit", {MODE: 1}, {})}, {MODE: 2}, f"{MODE}=0"),
        ({FILE: render_file("overcommit", {}, {MODE: 0})}, {MODE: 2}, f"{MODE}=0"),  # somebody removed the line
        ({FILE: OURS, "/etc/sysctl.d/10-x.conf": f"{MODE} = 0\n"}, {MODE: 1}, f"{MODE}=0"),
        ({RECORD: render_record("overcommit", {MODE: 0}, {MODE: 1})}, {MODE: 2}, f"{MODE}=0"),
        ({RECORD: render_record("overcommit", {MODE: 0}, {})}, {MODE: 2}, f"{MODE}=0"),
        (
            {FILE: OURS, RECORD: render_record("overcommit", {USER_RESERVE: 7}, {USER_RESERVE: 9})},
            {MODE: 2, USER_RESERVE: 8},
            f"{USER_RESERVE}=7",
        ),
        # a pair: by hand one half, or the other
        ({FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 50, KBYTES: 0})}, {RATIO: 33}, f"{RATIO}=50"),
        (
            {FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 50, KBYTES: 0})},
            {RATIO: 0, KBYTES: 900},
            f"{RATIO}=50",
        ),
        ({FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 0, KBYTES: 700})}, {RATIO: 33}, f"{KBYTES}=700"),
        (
            {RECORD: render_record("overcommit", {RATIO: 0, KBYTES: 700}, {RATIO: 80})},
            {RATIO: 33},
            f"{KBYTES}=700",
        ),
    ],
)
def test_values_that_are_no_longer_ours_stay(sysctl_tree, take_back, files, live, warned):
    """What is ours goes all the same: the files, the record, and the other values."""
    plan = take_back(files, live)
    foreign = add_other_halves([warned.split("=")[0]])
    assert {key: plan.after.live[key] for key in foreign} == sysctl_tree.get(*foreign)
    assert sorted(paths(plan)) == sorted({FILE, RECORD} & {*files})
    assert {write.key for write in plan.writes} == ({MODE} if len(paths(plan)) == 2 else set())
    key, _equals, value = warned.partition("=")
    assert plan.warnings == [
        f"{key} stays {plan.before.live[key]}, because something else set it since; if nothing needs that, run"
        f" sysctl -w {key}={value}"
    ]


def test_value_of_the_record_replaces_the_one_of_the_file(take_back):
    """Either is ours, whichever was written last."""
    record = {RECORD: render_record("overcommit", {RATIO: 50, KBYTES: 0}, {RATIO: 90})}
    files = {FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 50, KBYTES: 0}), **record}
    for live in (80, 90):
        assert take_back(files, {RATIO: live}).writes == [SysctlWrite(RATIO, live, 50)]


def test_given_file_leaves_a_value_that_was_set_beside_it(take_back):
    record = {RECORD: render_record("overcommit", {RATIO: 50, KBYTES: 0}, {RATIO: 90})}
    files = {FILE: render_file("overcommit", {RATIO: 80}, {RATIO: 50, KBYTES: 0}), **record}
    plan = take_back(files, {RATIO: 90}, every_file=False)
    assert paths(plan) == [FILE]
    assert plan.writes == []


def test_value_of_a_file_that_wins_at_boot_is_given_back_without_a_warning(take_back):
    """After a boot the live value is the one of that file, not ours."""
    plan = take_back({FILE: OURS, "/etc/sysctl.d/99-x.conf": f"{MODE} = 1\n"}, {MODE: 1})
    assert plan.writes == []
    assert plan.warnings == []
    assert plan.changed


def test_record_ends_the_half_that_a_write_sets_to_0(sysctl_tree, change, monkeypatch):
    monkeypatch.setattr(os, "pwrite", write_as_the_kernel)
    change({RATIO: 80}, persistent=False)
    change({KBYTES: 900}, persistent=False)
    sysctl_tree.set(**{RATIO: 80, KBYTES: 0})  # by hand
    change({}, absent=True, every_file=True)
    assert sysctl_tree.get(RATIO, KBYTES) == {RATIO: 80, KBYTES: 0}


def test_other_values_stay(take_back):
    """Somebody else set the reserve, and nothing of ours ever did."""
    plan = take_back({FILE: OURS}, {MODE: 2, ADMIN_RESERVE: 4000, RATIO: 70})
    assert plan.after.live[ADMIN_RESERVE] == 4000
    assert plan.after.live[RATIO] == 70
    assert plan.writes == [SysctlWrite(MODE, 2, 0)]


def test_file_of_an_older_version_returns_to_the_kernels_defaults(take_back):
    ours = {ADMIN_RESERVE: 131072, USER_RESERVE: 9000, KBYTES: 900, MODE: 2}
    plan = take_back({FILE: render_file("overcommit", ours, {})}, dict(ours, **{RATIO: 0}))
    assert plan.after.live == {ADMIN_RESERVE: 8192, USER_RESERVE: 131072, RATIO: 50, KBYTES: 0, MODE: 0}
    assert sorted(warning.split()[0] for warning in plan.warnings) == sorted(plan.after.live)
    assert plan.warnings[0].startswith(f"{ADMIN_RESERVE} becomes 8192, which kernels start with, because no file has")


def test_missing_sysctl_is_not_given_back(sysctl_tree, take_back):
    os.unlink(str(sysctl_tree.root / "proc/sys/vm/user_reserve_kbytes"))
    plan = take_back({FILE: render_file("overcommit", {USER_RESERVE: 5, MODE: 2}, {MODE: 0})}, {MODE: 2})
    assert plan.request.policy.wanted == {MODE: 0}


def test_mode_is_written_first_when_it_ends_the_limit(take_back):
    plan = take_back(
        {FILE: render_file("overcommit", {RATIO: 90, MODE: 2}, {RATIO: 50, MODE: 0})}, {RATIO: 90, MODE: 2}
    )
    assert [write.key for write in plan.writes] == [MODE, RATIO]
    assert plan.undo_writes() == [(RATIO, 90), (MODE, 2)]


# --- the files ------------------------------------------------------------------------


def test_every_file_of_the_module_and_only_those(sysctl_tree, take_back):
    other = "/usr/local/lib/sysctl.d/20-x.conf"
    plan = take_back(
        {
            FILE: OURS,
            other: OURS,
            "/etc/sysctl.d/70-x.txt": OURS,
            POLICY_FILE: render_file("oom_policy", {ON_OOM: 1}, {}),
            "/etc/sysctl.d/99-x.conf": f"# Managed by somebody\n{MODE} = 1\n",
        },
        {MODE: 2},
    )
    assert sorted(paths(plan)) == sorted([FILE, other])
    assert all(change.after is None for change in plan.files)
    assert plan.after.live[MODE] == 1


def test_given_file_alone(take_back):
    other = "/etc/sysctl.d/20-x.conf"
    plan = take_back({FILE: OURS, other: render_file("overcommit", {MODE: 1}, {MODE: 0})}, {MODE: 2}, every_file=False)
    assert paths(plan) == [FILE]
    assert plan.after.live[MODE] == 1  # from the other file, which stays


@pytest.mark.parametrize("files, live", [({}, 2), ({FILE: render_file("overcommit", {MODE: 1}, {MODE: 0})}, 1)])
def test_given_file_leaves_what_is_only_live(take_back, files, live):
    """Whether there is such a file or not, for example if its name is misspelt."""
    record = {RECORD: render_record("overcommit", {RATIO: 50, KBYTES: 0}, {RATIO: 90})}
    plan = take_back({**files, **record}, {MODE: live, RATIO: 90}, every_file=False)
    assert paths(plan) == list(files)
    assert plan.after.live[RATIO] == 90
    assert plan.after.live[MODE] == (0 if files else 2)


def test_files_stay_if_only_live_values_are_taken_back(take_back):
    plan = take_back(
        {FILE: OURS, RECORD: render_record("overcommit", {MODE: 0}, {MODE: 1})}, {MODE: 1}, persistent=False
    )
    assert paths(plan) == [RECORD]
    assert plan.after.live[MODE] == 2  # as our file gives it
    assert plan.after.file == {MODE: 2}


def test_nothing_to_take_back(take_back):
    plan = take_back({"/etc/sysctl.d/99-x.conf": f"{MODE} = 1\n"}, {MODE: 2})
    assert not plan.changed
    assert plan.warnings == []


def test_refuse_given_file_of_another_program(take_back):
    with pytest.raises(InputError, match=r"was not written by oomguard\.linux\.overcommit .* name another file"):
        take_back({FILE: f"{MODE} = 1\n"}, every_file=False)


def test_link_to_our_file_is_left_alone(sysctl_tree, take_back):
    (sysctl_tree.root / "etc/sysctl.d/99-x.conf").symlink_to("60-oomguard-overcommit.conf")
    assert paths(take_back({FILE: OURS}, {MODE: 2})) == [FILE]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_what_is_in_the_place_of_our_file_stops_nothing(sysctl_tree, take_back, make):
    """It is somebody else's, and other files of ours may be there."""
    make(sysctl_tree.host.path(FILE))
    assert paths(take_back({"/etc/sysctl.d/20-x.conf": OURS}, {MODE: 2})) == ["/etc/sysctl.d/20-x.conf"]


def test_folder_that_is_a_link_is_read_once(sysctl_tree, take_back):
    """/lib is a link to /usr/lib."""
    (sysctl_tree.root / "lib").symlink_to("usr/lib")
    assert paths(take_back({"/usr/lib/sysctl.d/20-x.conf": OURS}, {MODE: 2})) == ["/usr/lib/sysctl.d/20-x.conf"]


# --- files that another user could have written -----------------------------------------


def make_foreign(path):
    os.chown(path, 1000, 0)


def make_writable(path):
    os.chmod(path, 0o666)


def make_group_writable(path):
    os.chown(path, 0, 1000)
    os.chmod(path, 0o664)


def make_in_open_folder(path):
    os.chmod(os.path.dirname(path), 0o777)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@needs_root
@pytest.mark.parametrize("make", [make_foreign, make_writable, make_group_writable, make_in_open_folder])
def test_believe_only_files_of_root(sysctl_tree, take_back, make):
    """Another user could have the module write any value, or remove a file."""
    forged = render_file("overcommit", {MODE: 1}, {MODE: 2})
    sysctl_tree.write(FILE, forged)
    make(sysctl_tree.host.path(FILE))
    plan = take_back(live={MODE: 1})
    assert not plan.changed
    [warning] = plan.warnings
    assert warning.startswith(f"{FILE} begins with the header of this module, but another user could have written it")
    named = take_back(live={MODE: 1}, every_file=False)
    assert paths(named) == [FILE]
    assert named.after.live[MODE] == 0  # the kernel's default, and not what the file claims


@needs_root
@pytest.mark.parametrize("make", [make_foreign, make_writable, make_group_writable, make_in_open_folder])
def test_believe_only_a_record_of_root(sysctl_tree, take_back, make):
    sysctl_tree.write(RECORD, render_record("overcommit", {MODE: 2}, {MODE: 1}))
    make(sysctl_tree.host.path(RECORD))
    assert not take_back(live={MODE: 1}).changed


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir])
def test_record_that_is_no_file_is_none(sysctl_tree, take_back, make):
    path = sysctl_tree.host.path(RECORD)
    os.makedirs(os.path.dirname(path))
    make(path)
    assert not take_back(live={MODE: 1}).changed


# --- what was there before ---------------------------------------------------------------


def run(sysctl_tree, overcommit_request, wanted, **fields):
    return run_sysctls(sysctl_tree.host, overcommit_request(wanted, rollback_seconds=20, **fields), False)


@pytest.fixture
def change(sysctl_tree, overcommit_request):
    return lambda wanted, **fields: run(sysctl_tree, overcommit_request, wanted, **fields)


OTHER_FILE = "/etc/sysctl.d/70-oomguard.conf"

WAYS = {
    "a file": [({MODE: 1}, {})],
    "a file, rewritten": [({MODE: 1}, {}), ({MODE: 0, ADMIN_RESERVE: 9000}, {}), ({RATIO: 70}, {})],
    "a pair": [({RATIO: 70}, {}), ({KBYTES: 900}, {}), ({RATIO: 60}, {})],
    "a pair, by its other half": [({KBYTES: 900}, {})],
    "live": [({MODE: 1}, dict(persistent=False))],
    "live, then more": [({MODE: 1}, dict(persistent=False)), ({MODE: 0, KBYTES: 8}, dict(persistent=False))],
    "live, then a file": [({MODE: 1}, dict(persistent=False)), ({MODE: 1, RATIO: 70}, {})],
    "a file, then live": [({MODE: 1}, {}), ({MODE: 0, USER_RESERVE: 9}, dict(persistent=False))],
    "two files": [({MODE: 1}, {}), ({MODE: 0, RATIO: 70}, dict(file=OTHER_FILE)), ({RATIO: 60}, {})],
}


def write_as_the_kernel(fd, text, offset, write=os.pwrite):
    """Write one half of the pair and zero the other, which an ordinary file does not do."""
    path = os.readlink(f"/proc/self/fd/{fd}")
    for half, other in (("ratio", "kbytes"), ("kbytes", "ratio")):
        if path.endswith(f"overcommit_{half}"):
            with open(path.replace(half, other), "w") as stream:
                stream.write("0\n")
    return write(fd, text, offset)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("before", [{}, {RATIO: 0, KBYTES: 700, ADMIN_RESERVE: 5000}])
def test_take_back_leaves_no_trace(sysctl_tree, change, monkeypatch, way, before):
    """Whatever was set, and in whatever order: the values and the files are as before."""
    sysctl_tree.write("/etc/sysctl.d/50-x.conf", "vm.swappiness = 5\n")
    sysctl_tree.set(**before)

    def state():
        folders = [str(sysctl_tree.root / name) for name in ("etc/sysctl.d", "run/oomguard")]
        names = [(folder, name) for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]
        keys = (ADMIN_RESERVE, USER_RESERVE, RATIO, KBYTES, MODE)
        return sysctl_tree.get(*keys), sorted(entry for entry in names if entry[1] != "lock")

    monkeypatch.setattr(os, "pwrite", write_as_the_kernel)
    old = state()
    for wanted, fields in WAYS[way]:
        assert change(wanted, **fields).changed
        assert not change(wanted, **fields).changed
    assert change({}, absent=True, every_file=True).changed
    assert state() == old
    assert not change({}, absent=True, every_file=True).changed


@pytest.mark.parametrize("tried", [{RATIO: 90}, {KBYTES: 900}, {RATIO: 90, MODE: 1}])
def test_try_other_values_beside_our_file(sysctl_tree, change, monkeypatch, tried):
    """The live values return to those of the file, and then to those from before it."""
    monkeypatch.setattr(os, "pwrite", write_as_the_kernel)
    change({RATIO: 80, MODE: 0})
    change(tried, persistent=False)
    assert change({}, absent=True, every_file=True, persistent=False).changed
    assert sysctl_tree.get(RATIO, KBYTES, MODE) == {RATIO: 80, KBYTES: 0, MODE: 0}
    assert not change({}, absent=True, every_file=True, persistent=False).changed
    change({}, absent=True, every_file=True)
    assert sysctl_tree.get(RATIO, KBYTES, MODE) == {RATIO: 50, KBYTES: 0, MODE: 0}


def test_take_back_after_a_boot(sysctl_tree, change, monkeypatch):
    """The boot set every value again, some from files that sort before and after ours."""
    monkeypatch.setattr(os, "pwrite", write_as_the_kernel)
    sysctl_tree.write("/etc/sysctl.d/50-x.conf", f"{RATIO} = 70\n")
    sysctl_tree.write("/usr/local/lib/sysctl.d/99-x.conf", f"{USER_RESERVE} = 5000\n")
    sysctl_tree.set(**{RATIO: 70, USER_RESERVE: 5000})
    keys = (ADMIN_RESERVE, USER_RESERVE, RATIO, KBYTES, MODE)
    old = sysctl_tree.get(*keys)
    change({RATIO: 90, USER_RESERVE: 9000, ADMIN_RESERVE: 65536})
    change({MODE: 1}, file=OTHER_FILE)
    boot = change({MODE: 0}, persistent=False).after.boot_values
    assert boot == {ADMIN_RESERVE: 65536, USER_RESERVE: 5000, RATIO: 90, KBYTES: 0, MODE: 1}
    os.unlink(sysctl_tree.host.path(RECORD))
    sysctl_tree.set(**boot)
    plan = change({}, absent=True, every_file=True)
    assert sysctl_tree.get(*keys) == old
    assert sorted(paths(plan)) == [FILE, OTHER_FILE]
    assert [warning for warning in plan.warnings if "stays" in warning] == []


def test_originals_stay_when_the_file_is_rewritten(sysctl_tree, change):
    sysctl_tree.set(**{MODE: 1})
    change({MODE: 2, RATIO: 90, ADMIN_RESERVE: 131072})
    change({MODE: 0})
    text = (sysctl_tree.root / FILE[1:]).read_text()
    assert f"# Before this file: {MODE} = 1\n" in text
    assert f"# Before this file: {ADMIN_RESERVE} = 8192\n" in text


def test_older_file_gets_no_invented_originals(sysctl_tree, change):
    sysctl_tree.write(FILE, render_file("overcommit", {MODE: 1}, {}))
    sysctl_tree.set(**{MODE: 1})
    change({MODE: 0})
    assert (sysctl_tree.root / FILE[1:]).read_text() == render_file("overcommit", {MODE: 0}, {})
    change({MODE: 1}, persistent=False)
    assert (sysctl_tree.root / RECORD[1:]).read_text().split("\n")[1:] == [f"# Written: {MODE} = 1", ""]
    change({}, absent=True, every_file=True, persistent=False)
    assert sysctl_tree.get(MODE) == {MODE: 0}  # as the file has it


def test_record_is_roots_alone(sysctl_tree, change):
    change({MODE: 1}, persistent=False)
    path = sysctl_tree.host.path(RECORD)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    assert os.listdir(os.path.dirname(path)).count(os.path.basename(path)) == 1


def test_no_record_for_what_is_not_changed(sysctl_tree, change):
    assert not change({MODE: 0}, persistent=False).changed
    assert not os.path.exists(sysctl_tree.host.path(RECORD))


def test_run_without_a_writable_run_records_nothing(sysctl_tree, change, monkeypatch):
    """As in some containers; no run can have a lock there."""
    usual = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *words, **options: not path.endswith(b"/run") and usual(path, *words, **options)
    )
    assert change({MODE: 1}, persistent=False).files == []


# --- guards -------------------------------------------------------------------------------


def test_refuse_return_to_a_limit_that_locks_out(sysctl_tree, overcommit_request):
    """Another boot file has a limit that ours hides."""
    sysctl_tree.write(FILE, render_file("overcommit", {MODE: 0}, {MODE: 0}))
    sysctl_tree.write("/etc/sysctl.d/10-x.conf", f"{MODE} = 2\n{KBYTES} = 4096\n")
    request = overcommit_request({}, absent=True, every_file=True, rollback_seconds=20)
    with pytest.raises(InputError) as error:
        run_sysctls(sysctl_tree.host, request, False)
    assert str(error.value).startswith(f"mode=never ({MODE}: /etc/sysctl.d/10-x.conf line 1 sets {MODE} to 2;")
    assert str(error.value).endswith("(force=true overrides)")
    assert "change /etc/sysctl.d/10-x.conf line" in str(error.value)
    assert sysctl_tree.get(MODE) == {MODE: 0}
    assert os.path.exists(sysctl_tree.host.path(FILE))


@pytest.fixture
def take_back_policy(sysctl_tree):
    def call(files, live, crash_kernel=False, limited=(), pinned=(), **fields):
        for path, text in files.items():
            sysctl_tree.write(path, text)
        sysctl_tree.set(**live)
        queries = HostQueries(lambda: crash_kernel, lambda: list(limited), lambda: list(pinned))
        request = SysctlRequest(OomPolicy({}, queries), True, POLICY_FILE, absent=True, every_file=True, **fields)
        return run_sysctls(sysctl_tree.host, request, True)

    return call


PANIC = {POLICY_FILE: render_file("oom_policy", {REBOOT_AFTER: 30, ON_OOM: 1}, {REBOOT_AFTER: 0, ON_OOM: 0})}


def test_panic_ends_before_the_reboot_does(take_back_policy):
    plan = take_back_policy(PANIC, {REBOOT_AFTER: 30, ON_OOM: 1})
    assert [tuple(write) for write in plan.writes] == [(ON_OOM, 1, 0), (REBOOT_AFTER, 30, 0)]


def test_command_line_gives_the_time_until_the_reboot_back(take_back_policy):
    files = dict(PANIC, **{"/proc/cmdline": "quiet panic=5 oops=panic\n"})
    plan = take_back_policy(files, {REBOOT_AFTER: 30, ON_OOM: 1})
    assert plan.after.live == {REBOOT_AFTER: 5, ON_OOPS: 0, DUMP_TASKS: 1, ALLOCATING_TASK: 0, ON_OOM: 0}
    assert plan.warnings == []


@pytest.mark.parametrize(
    "line, facts, words",
    [
        (
            f"{ON_OOM} = 1",
            {},
            "would hang until it is reset; keep state=present, and set reboot_after to another value (force=true",
        ),
        (
            f"{ON_OOM} = 2\n{REBOOT_AFTER} = 30",
            dict(limited=["/a"]),
            "would panic the whole host; change /etc/sysctl.d/10-x.conf line 1 (force=true overrides)",
        ),
        (
            f"{ALLOCATING_TASK} = 1",
            dict(pinned=["process 8 (redis) at -500"]),
            "at -500); change /etc/sysctl.d/10-x.conf line 1 (force=true overrides)",
        ),
    ],
)
def test_refuse_return_to_a_harmful_policy(take_back_policy, line, facts, words):
    ours = {REBOOT_AFTER: 10, ALLOCATING_TASK: 0, ON_OOM: 0}
    files = {
        POLICY_FILE: render_file("oom_policy", ours, dict.fromkeys(ours, 0)),
        "/etc/sysctl.d/10-x.conf": line + "\n",
    }
    with pytest.raises(InputError) as error:
        take_back_policy(files, ours, **facts)
    assert words in str(error.value)
    assert take_back_policy(files, ours, force=True, **facts).changed
