# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pins that another killer does not go by, through whole plans."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import unbound
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import NotBinding, Pin

WATCHED = """Id=-.slice
ControlGroup=/
ManagedOOMSwap=kill
ManagedOOMMemoryPressure=auto
"""


@pytest.fixture
def oomd(host, monkeypatch):
    """Let systemd-oomd run and watch everything."""
    host.proc.process(50, "systemd-oomd", cgroup="/system.slice/systemd-oomd.service")
    host.add("systemd-oomd", 50)
    host.proc.write("meminfo", "SwapTotal: 1000 kB\n")
    for pid, name in ((10, "docker"), (20, "cron")):
        host.proc.write(f"{pid}/cgroup", f"0::/system.slice/{name}.service\n")
    ask = host.ask
    monkeypatch.setattr(host, "ask", lambda *command: WATCHED if "*.slice" in command else ask(*command))
    return host


def unit_pin(unit, score=-900, **options):
    return Pin("unit", unit, score, persistent=True, **options)


def test_a_host_without_killers_is_asked_once(host):
    assert host.plan(unit_pin("docker")).not_binding == ()
    assert len(host.calls) == 1


def test_warn_of_a_pin_that_systemd_oomd_ignores(oomd):
    plan = oomd.plan(unit_pin("cron"), Pin("pid", "10", -500))
    reason = "systemd-oomd never reads scores"
    assert plan.not_binding == [
        NotBinding("unit=cron.service", "cron.service", "systemd-oomd", reason),
        NotBinding("pid=10", None, "systemd-oomd", reason),
    ]
    assert plan.warnings[-2:] == [
        "systemd-oomd may kill cron.service (swap in -.slice) and never reads scores: set managed_oom_preference=avoid"
        " for unit=cron.service, or other_killers=protect (oom_protect_other_killers of the role)",
        "systemd-oomd may kill process 10 (dockerd) (swap in -.slice) and never reads scores: pin it by the unit or"
        " user_unit that starts it, with managed_oom_preference",
    ]


def test_what_the_plan_writes_counts(oomd):
    assert oomd.plan(unit_pin("cron", managed_oom_preference="omit")).not_binding == []
    assert oomd.plan(unit_pin("cron", score=300)).not_binding == []
    assert oomd.plan(Pin("unit", "cron", None, "absent", persistent=True)).not_binding == []


def test_a_preference_does_not_count_below_its_control_group(oomd):
    folder = oomd.cgroups / "system.slice/cron.service"
    (folder / "job").mkdir()
    (folder / "memory.oom.group").write_text("0\n")
    pin = unit_pin("cron", managed_oom_preference="omit")
    assert [one.reason for one in oomd.plan(pin).not_binding] == ["systemd-oomd kills control groups below it"]
    assert oomd.plan(pin._replace(oom_policy="kill")).not_binding == []
    (folder / "memory.oom.group").write_text("1\n")
    assert oomd.plan(pin).not_binding == []


def test_the_two_remedies_for_a_divided_unit_agree(oomd):
    """A run that does as the last one said must not be told the opposite."""
    (oomd.cgroups / "system.slice/cron.service/job").mkdir()
    (oomd.cgroups / "system.slice/cron.service/memory.oom.group").write_text("0\n")
    for policy in ("continue", "kill"):
        [warning] = [
            one
            for one in oomd.plan(unit_pin("cron", managed_oom_preference="omit", oom_policy=policy)).warnings
            if "oom_policy=" in one
        ]
        assert "move what must live to a unit of its own" in warning


def test_the_control_group_of_a_user(oomd):
    os.chown(str(oomd.cgroups / "system.slice/cron.service"), 1000, -1)
    plan = oomd.plan(unit_pin("cron", managed_oom_preference="omit"))
    assert [one.reason for one in plan.not_binding] == ["systemd-oomd ignores the preference of a user's control group"]


def test_a_killer_that_an_interpreter_runs(host):
    """Without the name of the script nobody would ask systemd for the unit."""
    host.proc.process(
        50,
        "python3",
        cmdline=b"python3\0/usr/local/sbin/nohang\0-c\0/nothing\0",
        cgroup="/hostcritical.slice/nohang.service",
    )
    host.add("nohang", 50)
    assert host.plan(unit_pin("cron")).warnings[-1].startswith("nohang runs, and whether it goes by pins is not known")


def test_killers_that_cannot_be_examined_cost_no_pin(oomd, monkeypatch):
    def fail(*_arguments):
        raise OomError("systemctl show failed: no bus")

    monkeypatch.setattr(unbound.KillerFinder, "find", fail)
    plan = oomd.plan(unit_pin("cron"))
    assert plan.warnings[-1] == "the killers beside the kernel were not examined: systemctl show failed: no bus"
