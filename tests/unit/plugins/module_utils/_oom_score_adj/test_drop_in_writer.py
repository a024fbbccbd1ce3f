# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drop-ins that are written, read back and put back, through whole runs on a tree of files."""

import errno
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError, ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply, drop_in_writer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin

HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust, OOMPolicy and ManagedOOMPreference"
    " here and nothing else.\n"
)


def unit_absent(unit):
    return Pin("unit", unit, None, state="absent", persistent=True)


def unit_pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def test_drop_in_that_another_program_changes_after_the_plan_is_not_overwritten(host):
    plan = host.plan(unit_pin("docker"))
    host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", "# an administrator's\n")
    with pytest.raises(OomError, match=r"60-oomguard\.conf was changed by another program during this run: run again"):
        host.apply_plan(plan)
    assert (host.drop_in("docker"), host.scores(10)) == ("# an administrator's\n", [0])


def test_undo_leaves_drop_in_that_another_program_has_changed(host, monkeypatch):
    real = host.ask

    def change_and_fail(*command):
        if command[1] == "daemon-reload":
            host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", "# an administrator's\n")
            raise OomError("systemctl daemon-reload failed: no bus")
        return real(*command)

    monkeypatch.setattr(host, "ask", change_and_fail)
    with pytest.raises(
        OomError, match=r"60-oomguard\.conf was changed by another program: it was left alone, check it"
    ):
        host.apply(unit_pin("docker"), unit_pin("cron", -300))
    assert (host.drop_in("docker"), host.drop_in("cron")) == ("# an administrator's\n", None)


def test_warn_of_unit_started_during_the_run(host):
    plan = host.plan(unit_pin("docker"))
    host.known["docker.service"]["MainPID"] = "77"
    applied = host.apply_plan(plan)
    assert any("docker.service was started during this run" in warning for warning in applied.warnings)


def test_fail_if_systemd_does_not_take_the_policy(host, monkeypatch):
    host.apply(unit_pin("cron", -300))
    monkeypatch.setattr(host, "reload", lambda: None)
    with pytest.raises(
        ReadBackError, match=r"unit cron\.service: systemd shows OOMPolicy=stop, but its files set continue"
    ):
        host.apply(unit_pin("cron", -300, oom_policy="continue"))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"


def refuse_mark(_directory, _name, _value):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.fixture
def slow_systemd(host, monkeypatch):
    """Let systemd give running units no attribute, as systemd 257 does after a reload."""
    monkeypatch.setattr(drop_in_writer, "MARK_SECONDS", 0)
    monkeypatch.setattr(host, "mark", lambda shown: None)


@pytest.mark.usefixtures("slow_systemd")
def test_fail_if_the_cgroup_does_not_show_the_preference(host, monkeypatch):
    before = host.files()
    monkeypatch.setattr(os, "setxattr", refuse_mark)
    with pytest.raises(
        ReadBackError,
        match=r"unit cron\.service: systemd shows ManagedOOMPreference=omit, but the attributes of its cgroup"
        r" /system\.slice/cron\.service say none: restart cron\.service",
    ):
        host.apply(unit_pin("cron", -300, managed_oom_preference="omit"))
    assert host.files() == before


@pytest.mark.usefixtures("slow_systemd")
def test_write_the_attributes_that_systemd_does_not(host):
    before = host.files()
    mark = host.cgroups / "system.slice/cron.service/user.oomd_omit"
    host.apply(unit_pin("cron", -300, managed_oom_preference="omit"))
    assert mark.read_bytes() == b"1"
    assert not host.results(unit_pin("cron", -300, managed_oom_preference="omit"))["changed"]
    host.apply(unit_pin("cron", -300, managed_oom_preference="avoid"))
    assert not mark.exists() and mark.with_name("user.oomd_avoid").read_bytes() == b"1"
    host.apply(unit_absent("cron"))
    assert host.files() == before


def test_wait_once_for_all_units(host, monkeypatch):
    """systemd 257 gives the attributes of none."""
    slept = []
    monkeypatch.setattr(host, "mark", lambda shown: None)
    monkeypatch.setattr(drop_in_writer.time, "sleep", slept.append)
    monkeypatch.setattr(drop_in_writer.time, "monotonic", lambda: sum(slept))
    host.apply(*(unit_pin(name, -300, managed_oom_preference="omit") for name in ("cron", "docker")))
    assert sum(slept) < 2 * drop_in_writer.MARK_SECONDS
    assert (host.cgroups / "system.slice/docker.service/user.oomd_omit").exists()


@pytest.mark.usefixtures("slow_systemd")
def test_leave_the_attribute_that_an_administrator_set_for_another_oomd(host):
    """Such as by ExecStartPost=. No version of systemd takes it away."""
    mark = host.cgroups / "system.slice/cron.service/trusted.oomd_avoid"
    mark.write_text("1")
    host.apply(unit_pin("cron", -300))
    assert not host.results(unit_pin("cron", -300))["changed"]
    host.apply(unit_pin("cron", -300, managed_oom_preference="omit"))
    host.apply(unit_absent("cron"))
    assert mark.exists()


@pytest.mark.usefixtures("slow_systemd")
def test_take_back_the_attributes_of_a_failed_run(host, monkeypatch):
    host.apply(unit_pin("cron", -300, managed_oom_preference="avoid"))
    before = host.files()

    def fail(_directory, _change):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(apply, "_set_score", fail)
    with pytest.raises(OSError, match="Input/output error"):
        host.apply(unit_pin("cron", -400, managed_oom_preference="omit"))
    assert host.files() == before


def test_wait_until_systemd_applies_the_preference(host, monkeypatch):
    looks = []

    def read(_directory, name):
        looks.append(name)
        if len(looks) > 20 and name == "user.oomd_omit":
            return b"1"
        raise OSError(errno.ENODATA, "no data")

    plan = host.plan(unit_pin("cron", -300, managed_oom_preference="omit"))
    monkeypatch.setattr(os, "getxattr", read)
    monkeypatch.setattr(os, "setxattr", refuse_mark)
    host.apply_plan(plan)
    assert len(looks) > 20


def test_name_drop_in_whose_folder_is_a_file(host):
    host.write("etc/systemd/system/docker.service.d", "a file")
    with pytest.raises(AccessError, match=r"/etc/systemd/system/docker.service.d/60-oomguard.conf cannot be written"):
        host.apply(unit_pin("docker"))
    assert host.scores(10) == [0]


def test_drop_in_that_cannot_be_put_back_does_not_keep_the_others(host, monkeypatch):
    write = Systemd.write

    def full(self, path, text):
        if "cron" not in path or text is not None:
            write(self, path, text)
        if "cron" in path:
            raise AccessError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(Systemd, "write", full)
    with pytest.raises(OomError, match=r"this could not be put back, do it by hand: .*cron"):
        host.apply(unit_pin("docker"), unit_pin("cron", -300))
    assert (host.drop_in("docker"), host.scores(10)) == (None, [0])


def test_name_reload_that_fails_on_the_way_back(host, monkeypatch):
    def fail():
        raise OomError("systemctl daemon-reload failed: no bus")

    monkeypatch.setattr(host, "reload", fail)
    with pytest.raises(
        OomError, match=r"no bus; this could not be put back, do it by hand: systemctl daemon-reload failed: no bus"
    ):
        host.apply(unit_pin("docker"))
    assert (host.drop_in("docker"), host.scores(10)) == (None, [0])
