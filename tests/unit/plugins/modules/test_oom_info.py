# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it: its answer is what its documentation says."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from fake_host import APP, MEMINFO, UNITS

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup, OomdSettings
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info import killers
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import answer as pin_answer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply, drop_ins
from ansible_collections.oomguard.linux.plugins.module_utils._posture import examine
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import answer as answer_of_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.modules import oom_info


@pytest.fixture
def host(fake_host, monkeypatch):
    """Let the modules whose tasks are fixes see the same host."""
    monkeypatch.setattr(pin_answer, "Procfs", lambda: fake_host.proc.procfs)
    monkeypatch.setattr(pin_answer, "Systemd", lambda: Systemd(str(fake_host.root), fake_host.start_systemctl))
    monkeypatch.setattr(answer_of_sysctls, "Host", lambda: Host(str(fake_host.root), "6.1.0"))
    return fake_host


def test_return_documents_every_key(host, run_module, undocumented):
    """With a group, a limit, what-if, killers and findings, so that every part is there."""
    host.proc.write("sys/vm/panic_on_oom", "0\n")
    host.proc.write("sys/vm/oom_kill_allocating_task", "0\n")
    (host.cgroups / APP.lstrip("/") / "memory.oom.group").write_text("1\n")
    answer = run_module("oom_info", domain={"unit": "app"}, what_if=[{"pid": 10, "score": 500}])
    assert answer["next_victim"]["group"] and answer["what_if"]["changes"] and answer["ranking"]
    assert undocumented("oom_info", answer) == []
    answer = run_module("oom_info")
    harmful = [growth for growth in answer["if_it_grows"] if not growth["itself"]]
    assert harmful[0]["advice"] and harmful[0]["collateral"] and answer["protected"] and answer["immune"]
    assert undocumented("oom_info", answer) == []


def test_a_host(host, run_module):
    answer = run_module("oom_info")
    assert answer["msg"] == "next victim of the host: postgres[20] (postgres.service), certain; no findings"
    assert [row["name"] for row in answer["ranking"]] == [
        "postgres",
        "worker",
        "app",
        "backup",
        "sshd",
        "systemd",
        "udevd",
    ]
    assert {row["user"] for row in answer["ranking"]} == {"root"}
    by_name = {growth["grower"]["name"]: growth for growth in answer["if_it_grows"]}
    assert by_name["backup"]["victim"]["name"] == "postgres"
    assert (by_name["app"]["itself"], by_name["app"]["domain"]) == (True, APP)
    assert answer["report"][1].startswith("If backup[30] goes on growing, postgres[20] (postgres.service) dies first")


def test_a_grower(host, run_module):
    answer = run_module("oom_info", grower={"unit": "app"}, domain={"unit": "app"})
    assert [(one["grower"]["name"], one["itself"]) for one in answer["if_it_grows"]] == [("app", True)]
    assert (answer["domain"]["path"], answer["domain"]["room_kb"]) == (APP, 550000)
    assert answer["next_victim"]["name"] == "worker"


def test_every_process_of_a_grower(host, run_module):
    answer = run_module("oom_info", grower={"cgroup": APP})
    assert [one["grower"]["name"] for one in answer["if_it_grows"]] == ["worker", "app"]
    assert len(run_module("oom_info", grower={"cgroup": APP}, top=1)["if_it_grows"]) == 1


def test_a_grower_of_any_user(host, run_module):
    host.process(60, "java", 3000, uid=1000, cgroup="/user.slice/user-1000.slice/session-1.scope")
    assert run_module("oom_info", grower={"process": "java"})["if_it_grows"][0]["grower"]["pid"] == 60


def test_what_if(host, run_module):
    answer = run_module("oom_info", grower={"pid": 30}, what_if=[{"unit": "postgres", "score": -900}])
    assert answer["if_it_grows"][0]["victim"]["name"] == "postgres"
    assert answer["what_if"]["if_it_grows"][0]["itself"]
    assert answer["what_if"]["changes"] == [
        dict(pid=20, name="postgres", unit="postgres.service", container=None, before=0, after=-900)
    ]
    assert answer["report"][1:4] == [
        "next victim now postgres[20] (postgres.service), with these pins worker[11] (app.service)",
        "Now, if backup[30] goes on growing, postgres[20] (postgres.service) dies first: give it -170 or backup +170.",
        "With these pins, if backup[30] goes on growing, it dies itself (margin 3.41 GiB).",
    ]
    assert host.proc.score(20) == 0


def test_what_if_of_a_user(host, run_module, monkeypatch):
    """It is about the kernel: whether this caller could write the score is not asked."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    answer = run_module("oom_info", what_if=[{"pid": 20, "score": -900}])
    assert not answer.get("failed") and answer["what_if"]["changes"][0]["after"] == -900


def test_growers_outside_of_the_domain_are_counted(host, run_module):
    host.process(60, "worker", 7000)
    answer = run_module("oom_info", domain={"unit": "app"}, grower={"process": "worker"})
    assert [one["grower"]["pid"] for one in answer["if_it_grows"]] == [11]
    assert answer["report"][2] == f"1 process that grower selects is outside of cgroup {APP}, and is left out."


def test_growers_beyond_top_are_counted(host, run_module):
    answer = run_module("oom_info", grower={"cgroup": APP}, top=1)
    assert answer["report"][2] == "grower selects 1 more: if_it_grows has only the largest one (top)."


# A target of what_if, and what it changes in the cgroup of app.service.
IDLE_TARGETS = {
    "outside": (
        [{"pid": 30, "score": 5}],
        f"backup[30] is outside of cgroup {APP}, so its score does not count there.",
    ),
    "the same score": ([{"pid": 10, "score": 0}], "This target of what_if would change nothing now: pid=10."),
    "nothing selected": (
        [{"process": "nosuch", "score": 0, "missing": "ignore"}, {"unit": "app", "score": 0, "oom_policy": "stop"}],
        "These targets of what_if would change nothing now: process=nosuch, unit=app.service.",
    ),
}


@pytest.mark.parametrize("what_if, line", IDLE_TARGETS.values(), ids=list(IDLE_TARGETS))
def test_targets_that_change_nothing_are_named(host, run_module, what_if, line):
    answer = run_module("oom_info", domain={"unit": "app"}, what_if=what_if)
    assert answer["report"][2] == line


def test_a_group_alone_is_a_change(host, run_module):
    what_if = [{"unit": "app", "score": 0, "oom_policy": "kill"}]
    answer = run_module("oom_info", domain={"unit": "app"}, what_if=what_if)
    assert answer["what_if"]["changes"] == [] and "change nothing" not in "".join(answer["report"])


def test_an_empty_cgroup(host, run_module):
    (host.cgroups / "empty").mkdir()
    host.limit("/empty", 550000, 0)
    answer = run_module("oom_info", domain={"cgroup": "/empty"})
    assert answer["report"][0].endswith("left. No process runs in it, so there is nothing to kill.")


def test_pid_1_grows(host, run_module):
    answer = run_module("oom_info", grower={"pid": 1})
    assert answer["report"][1].endswith("systemd[1] is immune: once nothing else is left to kill, the host panics.")


def test_what_if_a_unit_died_together(host, run_module):
    what_if = [{"unit": "app", "score": 0, "oom_policy": "kill"}]
    answer = run_module("oom_info", domain={"unit": "app"}, what_if=what_if)
    assert answer["next_victim"]["group"] == []
    assert [one["name"] for one in answer["what_if"]["next_victim"]["group"]] == ["app"]


# What fails, and what to do about it.
ERRORS = {
    "no cgroup": (
        dict(domain={"cgroup": "/nowhere"}),
        "domain: cgroup /nowhere does not exist",
        "; see systemd-cgls or /proc/PID/cgroup, or start what runs in it first",
    ),
    "no unit": (dict(domain={"unit": "ap"}), "domain: unit=ap.service: no such system unit", "; check the name with"),
    "no container": (
        dict(domain={"container": "web1"}),
        "domain: no running container has the id or name web1",
        "; see docker ps, podman ps or crictl ps, or start it first",
    ),
    "no machine": (
        dict(domain={"machine": "vm1"}),
        "domain: machine vm1 does not run",
        "; see machinectl list, or start it first",
    ),
    "no name of a unit": (dict(domain={"unit": "a b"}), "domain: unit='a b' is not a name", ": write it as docker"),
    "no limit": (
        dict(domain={"unit": "postgres"}),
        "domain: cgroup /system.slice/postgres.service has no memory limit, nor has one above it",
        ": set a limit, such as MemoryMax= of its unit, or use domain=host",
    ),
    "no domain": (
        dict(domain="everything"),
        "domain=everything is no domain",
        ": set host, or a dictionary with exactly one",
    ),
    "grower outside": (
        dict(domain={"unit": "app"}, grower={"pid": 30}),
        "grower: backup[30] is in cgroup /, outside of cgroup " + APP,
        "; leave out domain, or name another one",
    ),
    "no program": (
        dict(grower={"process": "postgrse"}),
        "grower: process=postgrse: no such process",
        "; did you mean postgres?",
    ),
    "no unit of a grower": (dict(grower={"unit": "nosuch"}), "grower: unit", "; check the name with systemctl"),
    "no pid": (dict(grower={"pid": 99999}), "grower: pid=99999: no such process", "; it has ended: select by unit"),
    "a target twice": (
        dict(what_if=[{"pid": 10, "score": 1}, {"pid": 10, "score": 2}]),
        "what_if: process 10 (app) is selected twice",
        ": leave out one of them",
    ),
    "a unit twice": (
        dict(what_if=[{"unit": "app", "score": 1}, {"unit": "app.service", "score": 1, "oom_policy": "kill"}]),
        "what_if: unit app.service is selected twice",
        ": leave out one of them",
    ),
    "a pin and its removal": (
        dict(what_if=[{"unit": "app", "score": 1, "state": "absent"}]),
        "what_if: unit=app: state=absent removes the pin",
        ": leave out score",
    ),
    "a policy of a process": (
        dict(what_if=[{"pid": 10, "score": 1, "oom_policy": "kill"}]),
        "what_if: pid=10: oom_policy needs the drop-in of a unit",
        ": select by unit",
    ),
    "no score": (
        dict(what_if=[{"pid": 10}]),
        "what_if: pid=10: score is missing",
        ": set it, or state: absent beside",
    ),
    "what is refused": (
        dict(what_if=[{"process": "sshd", "score": -900}]),
        "what_if: process=sshd with score=-900",
        "(force=true overrides)",
    ),
    "no unit of a target": (dict(what_if=[{"unit": "nosuch", "score": 1}]), "what_if: unit", "; check the name with"),
    "top": (dict(top=-1), "top=-1 is out of range, 0 to 1000", "; set a number in it"),
    "a long top": (
        dict(top=10**30),
        "top=100000000000000000000... (more than 20 digits) is out of range",
        "; set a number in it",
    ),
    # Ansible's own words
    "two selectors": (dict(grower={"pid": 1, "unit": "app"}), "mutually exclusive", ""),
    "no selector": (dict(grower={}), "one of the following is required", ""),
}


@pytest.mark.parametrize("options, words, remedy", ERRORS.values(), ids=list(ERRORS))
def test_error_has_three_parts(host, run_module, options, words, remedy):
    answer = run_module("oom_info", **options)
    assert answer["failed"] and "\n" not in answer["msg"]
    assert words in answer["msg"] and remedy in answer["msg"]


# Whoever asks what dies is not helped by advice about pins that last.
WITHOUT_SYSTEMD = {
    "grower": (
        dict(grower={"unit": "app"}),
        "grower: unit=app.service: systemd does not manage this host (no /run/systemd/system):"
        " name the grower by process or pid",
    ),
    "template": (
        dict(grower={"unit": "postgresql@*"}),
        "grower: unit=postgresql@*: systemd does not manage this host (no /run/systemd/system):"
        " name the grower by process or pid",
    ),
    "service of a user": (
        dict(grower={"user_unit": {"user": "root", "unit": "app"}}),
        "grower: user_unit=root/app.service: systemd does not manage this host (no /run/systemd/system):"
        " name the grower by process or pid",
    ),
    "domain": (
        dict(domain={"unit": "app"}),
        "domain: unit=app.service: systemd does not manage this host (no /run/systemd/system):"
        " name the domain by its cgroup, as in /proc/PID/cgroup",
    ),
    "machine": (dict(domain={"machine": "vm1"}), "/vm1; name the domain by its cgroup"),
}


@pytest.mark.parametrize("options, words", WITHOUT_SYSTEMD.values(), ids=list(WITHOUT_SYSTEMD))
def test_without_systemd(host, run_module, options, words):
    (host.root / "run/systemd/system").rmdir()
    answer = run_module("oom_info", **options)
    assert answer["failed"] and answer["msg"].endswith(words)
    assert "pin" not in answer["msg"].lower()


def test_a_host_that_cannot_be_read(host, run_module, monkeypatch):
    def deny(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Permission denied", b"/proc/7")

    monkeypatch.setattr(examine, "take_snapshot", deny)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    words = "/proc/7 cannot be read: Permission denied: ran as uid 1000: add become: true"
    assert run_module("oom_info")["msg"] == words


def test_without_memory_cgroups(host, run_module):
    (host.cgroups / "cgroup.controllers").write_text("cpu\n")
    assert "no memory cgroup controller is mounted" in run_module("oom_info", domain={"unit": "app"})["msg"]
    assert run_module("oom_info")["next_victim"]["name"] == "postgres"


def test_a_kernel_without_a_rule(host, run_module, monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "x", "2.4.0", "", "")))
    answer = run_module("oom_info")
    assert (answer["next_victim"], answer["ranking"], answer["if_it_grows"]) == (None, [], [])
    assert [one["id"] for one in answer["findings"]] == ["rule_unknown"]


def test_systemctl_fails(host, run_module, monkeypatch):
    monkeypatch.setattr(examine, "Systemd", lambda: Systemd(str(host.root), lambda *_command: lambda: "Id=cut off"))
    answer = run_module("oom_info")
    assert answer["killers"] == []
    assert "the units were not examined: systemctl show returned an incomplete answer" in json.dumps(answer["warnings"])


def test_kills_that_the_log_does_not_name(host, run_module, monkeypatch):
    host.proc.write("vmstat", "oom_kill 3\n")
    monkeypatch.setattr(examine, "read_kill_counts", lambda procfs: KillCounts(procfs.oom_kills(), 1))
    assert [one["id"] for one in run_module("oom_info")["findings"]] == ["kills_unlogged"]


def test_the_log_cannot_be_read(host, run_module, monkeypatch):
    def fail(_procfs):
        raise AccessError("/dev/kmsg cannot be read")

    monkeypatch.setattr(examine, "read_kill_counts", fail)
    answer = run_module("oom_info")
    assert answer["findings"] == []
    assert "were not compared with the kernel's log: /dev/kmsg cannot be read" in json.dumps(answer["warnings"])


def test_hostile_names_are_escaped(host, run_module):
    host.process(60, b"\x1b[2J\r", 9000000, cgroup="/system.slice/a\u2028b")
    answer = run_module("oom_info")
    assert answer["next_victim"]["name"] == "\\x1b[2J\\x0d"
    assert "\x1b" not in json.dumps(answer, ensure_ascii=False)
    assert "\u2028" not in json.dumps(answer, ensure_ascii=False)


# --- fixes -----------------------------------------------------------------------------


def set_boot(host, name, *lines):
    path = host.root / "etc/sysctl.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))


def set_live(host, **values):
    for name, value in values.items():
        host.proc.write("sys/" + name.replace("__", "/"), f"{value}\n")


def start_systemd_oomd(host, monkeypatch):
    """Let systemd-oomd run, which sees the preferences of drop-ins."""
    watched = OomdSettings([MonitoredGroup("-.slice", "/", ["swap"])])
    found = [UserKiller("systemd-oomd", "systemd-oomd.service", True, False, None, watched)]
    monkeypatch.setattr(killers.KillerFinder, "find", lambda self: found)
    monkeypatch.setattr(killers, "read_oomd_preference", lambda _procfs, path: host.preference(path))


def lose_name(host):
    """Let the record have a pin of a process that has ended, and the next one run."""
    folder = host.root / "run/oomguard"
    folder.mkdir(mode=0o700)
    path = folder / "scores"
    path.write_text(json.dumps({"boot_id": "", "pins": [[999, 1, 0, [-500], "process=backup"]]}))
    path.chmod(0o600)


def prepare_panic(host, _monkeypatch):
    set_live(host, vm__panic_on_oom=2)


def prepare_panic_that_reboots(host, _monkeypatch):
    """Let the next boot hang, unless the fix also keeps the seconds."""
    set_live(host, vm__panic_on_oom=2, kernel__panic=30)


def prepare_allocating_task(host, _monkeypatch):
    set_live(host, vm__oom_kill_allocating_task=1)


def prepare_lockout(host, _monkeypatch):
    host.proc.write(
        "meminfo", "".join(f"{key}: {value} kB\n" for key, value in dict(MEMINFO, Committed_AS=3900000).items())
    )
    set_live(host, vm__overcommit_memory=2)


def prepare_boot(host, _monkeypatch):
    set_live(host, vm__oom_dump_tasks=0, kernel__panic=20, kernel__panic_on_oops=1, vm__user_reserve_kbytes=4096)
    lines = ["vm.oom_dump_tasks=1", "kernel.panic=0", "kernel.panic_on_oops=0", "vm.overcommit_memory=1"]
    lines += ["vm.overcommit_kbytes=999", "vm.user_reserve_kbytes=1", "vm.admin_reserve_kbytes=1", "vm.panic_on_oom=1"]
    set_boot(host, "10-x.conf", *lines, "vm.oom_kill_allocating_task=1")


def prepare_boot_with_kbytes(host, _monkeypatch):
    set_live(host, vm__overcommit_ratio=0, vm__overcommit_kbytes=3000000)
    set_boot(host, "10-x.conf", "vm.overcommit_ratio=50")


def prepare_boot_that_panics(host, _monkeypatch):
    set_live(host, vm__panic_on_oom=1, kernel__panic=20)
    set_boot(host, "10-x.conf", "vm.panic_on_oom=0")


def prepare_immunity(host, _monkeypatch):
    host.process(20, "postgres", 5000000, "/system.slice/postgres.service", score=-1000)
    host.proc.process(21, "checker", parent=20, score=-1000, cgroup="/system.slice/postgres.service", resident_kb=4000)
    host.process(21, "checker", 4000, "/system.slice/postgres.service", score=-1000)
    stat = (host.proc.root / "21/stat").read_text().replace("S 1 ", "S 20 ")
    host.proc.write("21/stat", stat)


def prepare_immunity_of_ours(host, monkeypatch):
    prepare_immunity(host, monkeypatch)
    host.pin("postgres.service", "OOMScoreAdjust=-1000", "OOMPolicy=continue", "ManagedOOMPreference=omit")


def prepare_protected_victim(host, _monkeypatch):
    host.process(20, "postgres", 5000000, "/system.slice/postgres.service", score=-100)


def prepare_protected_victim_of_ours(host, monkeypatch):
    prepare_protected_victim(host, monkeypatch)
    host.pin("postgres.service", "OOMScoreAdjust=-100", "OOMPolicy=continue")


def prepare_lost_pin(host, monkeypatch):
    """Three findings on one unit, whose drop-in has a preference that no finding is about."""
    host.pin("app.service", "OOMScoreAdjust=-900", "ManagedOOMPreference=avoid")
    lose_name(host)


def prepare_ignored_pins(host, monkeypatch):
    start_systemd_oomd(host, monkeypatch)
    host.pin("app.service", "OOMScoreAdjust=-900", "OOMPolicy=continue")
    host.process(10, "app", 100000, APP, score=-900)
    host.pin("postgres.service", "OOMScoreAdjust=-999")
    host.process(20, "postgres", 5000000, "/system.slice/postgres.service", score=-999)


PIN_FINDINGS = {"inherited_immunity", "next_victim_is_protected", "pin_lost", "pin_ignored_by_killer"}
# What provokes findings that have a fix, and which findings.
FIXED = {
    prepare_panic: ["panic_hangs", "panic_on_cgroup"],
    prepare_panic_that_reboots: ["panic_on_cgroup"],
    prepare_allocating_task: ["allocating_task_ignores_pins"],
    prepare_lockout: ["overcommit_lockout"],
    prepare_boot: ["boot_differs"] * 9 + ["boot_differs"],
    prepare_boot_with_kbytes: ["boot_differs"] * 2,
    prepare_boot_that_panics: ["boot_differs"],
    prepare_immunity: ["inherited_immunity", "nothing_killable"],
    prepare_immunity_of_ours: ["inherited_immunity", "nothing_killable"],
    prepare_protected_victim: ["next_victim_is_protected"],
    prepare_protected_victim_of_ours: ["next_victim_is_protected"],
    prepare_lost_pin: ["pin_lost", "pin_lost", "pin_undone_by_oom_policy"],
    prepare_ignored_pins: ["pin_ignored_by_killer"],
}
WITHOUT_FIX = {
    "pin_not_lasting",
    "cgroup_hangs",
    "memory_protection_capped",
    "rule_unknown",
    "kills_unlogged",
    "processes_hidden",
}


@pytest.fixture
def read_fixes(host, run_module):
    """Return a function that returns the id, the module and the arguments of each fix."""

    def read():
        found = []
        for finding in run_module("oom_info")["findings"]:
            if finding["fix"] is not None:
                [task] = yaml.safe_load(finding["fix"])
                [(module, arguments)] = task.items()
                found.append((finding["id"], module.rpartition(".")[2], arguments))
        return sorted(found, key=lambda one: one[0])

    return read


@pytest.mark.parametrize("prepare", FIXED)
def test_every_fix_is_accepted(host, run_module, read_fixes, monkeypatch, prepare):
    """Each module takes the arguments, and plans the change, which is more than nothing."""
    prepare(host, monkeypatch)
    fixes = read_fixes()
    assert [name for name, _module, _arguments in fixes] == FIXED[prepare]
    for name, module, arguments in fixes:
        answer = run_module(module, check_mode=True, **arguments)
        assert not answer.get("failed"), (name, arguments, answer["msg"])
        assert answer["changed"], (name, arguments)
        assert answer.get("reboot_safe", True) or name != "boot_differs", (name, arguments)


def test_every_finding_with_a_fix_is_provoked():
    with open(os.path.join(os.path.dirname(oom_info.__file__), *[".."] * 2, "docs/findings.md")) as stream:
        described = {line[3:].strip() for line in stream if line.startswith("## ")}
    assert {name for names in FIXED.values() for name in names} == described - WITHOUT_FIX


@pytest.mark.parametrize("prepare", [one for one in FIXED if FIXED[one][0] in PIN_FINDINGS])
def test_pasted_fixes_of_pins_repair_what_they_are_for(host, run_module, read_fixes, monkeypatch, prepare):
    """Nothing that a drop-in had is lost, whatever was pasted before, and nothing is found then."""
    monkeypatch.setattr(apply, "SECOND_LOOK_SECONDS", 0)
    monkeypatch.setattr(drop_ins, "read_oomd_preference", lambda _procfs, path: host.preference(path))
    prepare(host, monkeypatch)
    before = {unit: set(host.drop_in(unit).split("\n")) - {""} for unit in UNITS}
    fixes = read_fixes()
    for _name, module, arguments in fixes:
        assert not run_module(module, **arguments).get("failed")
    for unit, lines in before.items():
        kept = {line.partition("=")[0] for line in host.drop_in(unit).split("\n")}
        assert {line.partition("=")[0] for line in lines} <= kept
        assert lines or kept == {""}  # a unit that nobody here pinned gets no drop-in
    assert run_module("oom_info")["findings"] == []


def test_a_later_file_is_changed_by_hand(host, read_fixes):
    """A drop-in of ours would lose to it, so there is no task."""
    set_boot(host, "99-x.conf", "vm.oom_dump_tasks=0")
    assert read_fixes() == []


def test_what_a_module_refuses_is_no_fix(host, run_module):
    """A login would inherit what sshd gets, so oom_score_adj leaves it alone."""
    host.process(50, "sshd", 8000, score=-1000)
    host.process(51, "sh", 9000, score=-1000)
    host.proc.write("51/stat", (host.proc.root / "51/stat").read_text().replace("S 1 ", "S 50 "))
    found = run_module("oom_info")["findings"]
    assert [(one["id"], one["fix"]) for one in found] == [("inherited_immunity", None)]


def test_a_user_without_rights_gets_the_fixes_too(host, read_fixes, monkeypatch, as_nobody):
    """Only root can paste them, and may have a record that no other user can read."""
    prepare_boot(host, monkeypatch)
    host.pin("app.service", "OOMScoreAdjust=-900", "OOMPolicy=continue")
    (host.root / "run/oomguard").mkdir(mode=0o700)
    read_fixes()  # Ansible imports what it needs, which nobody cannot read
    with as_nobody(host.root):
        names = [name for name, *_rest in read_fixes()]
    assert names == [*FIXED[prepare_boot], "pin_lost"]


def test_one_fix_that_is_refused_leaves_the_others(host, read_fixes, monkeypatch):
    prepare_immunity_of_ours(host, monkeypatch)
    host.process(50, "sshd", 8000, score=-1000)
    host.process(51, "sh", 9000, score=-1000)
    host.proc.write("51/stat", (host.proc.root / "51/stat").read_text().replace("S 1 ", "S 50 "))
    fixes = read_fixes()
    assert [name for name, *_rest in fixes] == ["inherited_immunity", "nothing_killable"]
    assert {arguments.get("unit") for _name, _module, arguments in fixes} == {"postgres.service"}


def test_one_target_that_is_refused_leaves_the_others(host, read_fixes, monkeypatch):
    """An administrator's sshd at -1000 is no reason to leave all units without a preference."""
    prepare_ignored_pins(host, monkeypatch)
    monkeypatch.setitem(UNITS, "ssh.service", (50, "/system.slice/ssh.service"))
    host.process(50, "sshd", 8000, "/system.slice/ssh.service", score=-1000)
    folder = host.root / "etc/systemd/system/ssh.service.d"
    folder.mkdir()
    (folder / "10-site.conf").write_text("[Service]\nOOMScoreAdjust=-1000\n")
    [(_name, _module, arguments)] = read_fixes()
    assert sorted(one["unit"] for one in arguments["targets"]) == ["app.service", "postgres.service"]


def test_processes_of_others_are_hidden(host, run_module, monkeypatch):
    """The finding says what to do, and nothing is certain."""
    mounts = (host.proc.root / "self/mountinfo").read_text()
    host.proc.write("self/mountinfo", mounts + "31 24 0:27 / /proc rw - proc proc rw,hidepid=invisible\n")
    shutil.rmtree(str(host.proc.root / "2"))
    answer = run_module("oom_info")
    [finding] = [one for one in answer["findings"] if one["id"] == "processes_hidden"]
    assert finding["message"].endswith("(hidepid), so no prediction is certain: run as root")
    assert not answer["next_victim"]["certain"]


MODULE = """
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = b'{"ANSIBLE_MODULE_ARGS": {}}'
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.oomguard.linux.plugins.modules import oom_info
oom_info.main()
"""


def test_this_machine_is_only_read(tmp_path):
    """Every file is opened for reading, and only systemctl is started."""
    hook = tmp_path / "sitecustomize.py"
    hook.write_text(
        "import os, sys\n"
        "def watch(event, arguments):\n"
        "    if event == 'open' and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):\n"
        "        os.write(2, b'wrote ' + repr(arguments).encode() + b'\\n')\n"
        "    if event in ('subprocess.Popen', 'os.exec', 'os.kill', 'os.remove', 'os.rename', 'os.mkdir'):\n"
        "        os.write(2, b'did ' + repr((event, arguments)).encode() + b'\\n')\n"
        "if hasattr(sys, 'addaudithook'):\n"
        "    sys.addaudithook(watch)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-B", "-c", MODULE],
        env=dict(os.environ, PYTHONPATH=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    did = [line for line in done.stderr.decode().split("\n") if line.startswith(("wrote", "did"))]
    assert [line for line in did if "systemctl" not in line] == []
    answer = json.loads(done.stdout.decode())
    assert answer["next_victim"] is not None
    assert len(done.stdout) < 64 << 10
    assert Procfs().pids()
