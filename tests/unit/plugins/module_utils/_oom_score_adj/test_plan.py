# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call would change: which processes, which scores, what is refused and warned of."""

import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    InputError,
    NotFoundError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.finder import TargetFinder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.results import pin_results


def unit_pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def unit_absent(unit, **options):
    return unit_pin(unit, None, state="absent", **options)


def process_absent(name):
    return Pin("process", name, None, state="absent")


def test_plan_writes_nothing_and_equals_the_run(processes):
    targets = [Pin("process", "dockerd", -500), Pin("pid", "12", 5)]
    plan = processes.plan(*targets)
    planned = pin_results(plan.outcomes, plan.killable)
    assert processes.scores(10) == [0]
    assert planned == processes.results(*targets)
    assert planned["diff"] == {
        "before": "10 dockerd oom_score_adj 0\n11 exe oom_score_adj 0\n12 a-name-cut-at-1 oom_score_adj 5\n",
        "after": "10 dockerd oom_score_adj -500\n11 exe oom_score_adj -500\n12 a-name-cut-at-1 oom_score_adj 5\n",
    }
    assert [target["changed"] for target in planned["targets"]] == [True, False]


# --- what is refused, and changes nothing -----------------------------------------------

REFUSED = {
    "no such unit": (
        [unit_pin("nosuch")],
        NotFoundError,
        "unit=nosuch.service: no such system unit; check the name with systemctl list-unit-files (missing=ignore",
    ),
    "masked": (
        [unit_pin("firewalld")],
        NotFoundError,
        "unit=firewalld.service is masked and cannot start: run systemctl unmask firewalld.service first",
    ),
    "without a main process": (
        [unit_pin("postgresql")],
        InputError,
        "active without a main process (Type=oneshot): select what runs in it by cgroup=",
    ),
    "a task that is done": (
        [unit_pin("seed")],
        InputError,
        "active without a main process (Type=oneshot): no process of it runs that could be pinned",
    ),
    "a template": (
        [unit_pin("getty@")],
        InputError,
        "unit=getty@.service is a template, which never runs itself: name an instance",
    ),
    "a path": ([unit_pin("../x")], InputError, "is not a name of a unit"),
    "an absolute path": ([unit_pin("/etc/passwd")], InputError, "is not a name of a unit"),
    "dots": ([unit_pin("..")], InputError, "is not a name of a unit"),
    "empty": ([unit_pin("")], InputError, "is not a name of a unit"),
    "an option": ([unit_pin("--root=/x y")], InputError, "is not a name of a unit"),
    "a line end": ([unit_pin("a\nb")], InputError, "is not a name of a unit"),
    "a line end behind it": ([unit_pin("docker\n")], InputError, "is not a name of a unit"),
    "an option as a name": ([unit_pin("-Hevil")], InputError, "is not a name of a unit"),
    "two policies": (
        [unit_pin("mariadb", 1, oom_policy="kill"), unit_pin("mariadb", 1)],
        InputError,
        "unit mariadb.service is selected twice",
    ),
    "present and absent": (
        [unit_pin("mariadb", 1), unit_absent("mariadb")],
        InputError,
        "unit=mariadb.service asks for score 1, unit=mariadb.service asks for no score",
    ),
    "sshd by its name, absent": ([process_absent("sshd")], InputError, "sshd makes itself immune"),
    "a slice": (
        [unit_pin("system.slice")],
        InputError,
        "unit=system.slice is a slice: only services have a main process",
    ),
    "too long": ([unit_pin("x" * 256)], InputError, "is not a name of a unit"),
    "no score": (
        [unit_pin("docker", None)],
        InputError,
        "unit=docker: score is missing: set it, or state: absent beside the selector",
    ),
    "a score above": (
        [Pin("pid", "10", 1001)],
        InputError,
        "pid=10: score 1001 is out of range: set it to -1000 to 1000",
    ),
    "a score below": ([Pin("pid", "10", -1001)], InputError, "score -1001 is out of range"),
    "a score to remove": ([unit_pin("docker", 1, state="absent")], InputError, "leave out score"),
    "a process that lasts": (
        [Pin("pid", "10", 1, persistent=True)],
        InputError,
        "only a unit can be pinned persistently",
    ),
    "a policy without a drop-in": (
        [unit_pin("cron", 1, persistent=False, oom_policy="kill")],
        InputError,
        "oom_policy needs the drop-in of a unit",
    ),
    "two scores": (
        [unit_pin("mariadb", 1), unit_pin("mariadb", 2)],
        InputError,
        "unit mariadb.service is selected twice",
    ),
    "sshd": (
        [unit_pin("ssh", -900)],
        InputError,
        "sshd makes itself immune and gives every login the score that it was started with",
    ),
    "sshd by its name": ([Pin("process", "sshd", -900)], InputError, "(force=true overrides)"),
    "cron, immune": (
        [unit_pin("cron", -1000)],
        InputError,
        "cron starts jobs, which would inherit immunity and leave the killer no victim",
    ),
    "cron, immune, by its cgroup": (
        [Pin("cgroup", "/system.slice/cron.service", -1000)],
        InputError,
        "cron starts jobs, which would inherit immunity",
    ),
    "java, immune, of a job runner": (
        [Pin("process", "java", -1000)],
        InputError,
        "jenkins starts jobs, which would inherit immunity",
    ),
    "a program with a title, immune": (
        [Pin("process", "tmux: server", -1000)],
        InputError,
        "tmux starts the shells of users, and all that they run would inherit the score: use 0 or higher",
    ),
    "init": (
        [Pin("pid", "1", -999)],
        InputError,
        "pid=1 with score=-999: the kernel never kills init, and every daemon without a score",
    ),
    "init, absent": (
        [process_absent("systemd")],
        InputError,
        "process=systemd with state=absent: the kernel never kills init",
    ),
    "a shell, immune": (
        [Pin("process", "bash", -1000)],
        InputError,
        "bash starts jobs, which would inherit immunity",
    ),
    "containerd, immune": (
        [unit_pin("containerd", -1000)],
        InputError,
        "containerd starts helpers for every container",
    ),
}


@pytest.mark.parametrize("pins, error, words", REFUSED.values(), ids=list(REFUSED))
def test_refuse_before_any_write(host, pins, error, words):
    before = host.files()
    with pytest.raises(error, match=re.escape(words)):
        host.results(unit_pin("docker"), *pins)
    assert host.files() == before


def test_refuse_two_scores_for_one_process(processes):
    with pytest.raises(
        InputError,
        match=r"process 10 \(dockerd\) is selected twice: process=dockerd asks for score -500, pid=10 asks for score 0",
    ):
        processes.apply(Pin("process", "dockerd", -500), Pin("pid", "10", 0))
    processes.apply(Pin("process", "dockerd", -500), Pin("pid", "10", -500), Pin("pid", "10", -500))
    assert processes.scores(10) == [-500]


def test_force_overrides_refusals(host):
    host.results(unit_pin("ssh", -900, force=True), unit_pin("cron", -1000, force=True))
    assert host.scores(30, 20) == [-900, -1000]


USER = dict(uids=(1000,) * 4, cgroup="/system.slice/cron.service")


def test_name_that_a_user_chose_is_no_veto(host):
    host.proc.process(22, "sshd", parent=21, **USER)
    host.results(Pin("cgroup", "/system.slice/cron.service", -300), unit_pin("docker"))
    assert host.scores(20, 21, 22, 10) == [-300, -300, -300, -500]
    host.results(Pin("cgroup", "/system.slice/cron.service", None, "absent"))
    host.results(Pin("pid", "22", 305))
    assert host.scores(20, 22) == [0, 305]


def test_process_of_a_user_that_fits_two_targets_is_no_veto(host):
    host.proc.process(22, "batch", parent=21, cmdline=b"hog\0", **USER)
    targets = [
        Pin("process", "batch", 200),
        Pin("pattern", "^hog", 300),
        Pin("cgroup", "/system.slice/cron.service", 1),
    ]
    host.results(targets[1]._replace(missing="ignore"), targets[2]._replace(score=400), unit_pin("docker"))
    assert host.scores(20, 22, 10) == [400, 400, -500]
    host.proc.write("22/oom_score_adj", "0\n")
    results = host.results(*(pin._replace(missing="ignore") for pin in targets))["targets"]
    assert host.scores(20, 21, 22) == [1, 1, 300]
    assert [[one["pid"] for one in target["skipped_foreign"]] for target in results] == [[22], [], [22]]
    assert [target["found"] for target in results] == [False, True, True]


def test_immunity_passes_over_a_shell_of_a_user(host):
    cgroup = "/system.slice/mariadb.service"
    (host.cgroups / cgroup[1:]).mkdir()
    (host.cgroups / cgroup[1:] / "cgroup.procs").write_text("40\n22\n")
    host.proc.process(40, "mariadbd", cgroup=cgroup)
    host.proc.process(22, "bash", uids=(1000,) * 4, cgroup=cgroup)
    pin = Pin("cgroup", cgroup, -1000)
    [target] = host.results(pin)["targets"]
    assert host.scores(40, 22) == [-1000, 0]
    assert [one["pid"] for one in target["skipped_foreign"]] == [22]
    assert "programs of this name start others" in target["skipped_foreign"][0]["why"]
    host.results(pin._replace(force=True))
    assert host.scores(22) == [-1000]


def test_shell_of_a_container_is_not_immune(host):
    """Its image chose the name, and the administrator the container: a warning names the way."""
    container = "c" * 64
    cgroup = f"/system.slice/docker-{container}.scope"
    (host.cgroups / cgroup[1:]).mkdir()
    (host.cgroups / cgroup[1:] / "cgroup.procs").write_text("40\n41\n")
    host.proc.process(40, "sh", cgroup=cgroup)
    host.proc.process(41, "server", cgroup=cgroup, parent=40)
    pin = Pin("container", container, -1000)
    [warning] = host.results(pin)["warnings"]
    assert host.scores(40, 41) == [0, -1000]
    assert warning.startswith(f"container={container}: not pinned at -1000: process 40 (sh): a user or the maker of")
    assert warning.endswith("use -999 or higher (force=true overrides)")
    assert host.results(pin._replace(force=True))["warnings"] == []
    assert host.scores(40, 41) == [-1000, -1000]


def test_main_process_keeps_its_name_whoever_runs_it(host):
    """systemd itself reports it: it is no claim."""
    host.proc.process(20, "cron", uids=(1000,) * 4, cgroup="/system.slice/cron.service")
    with pytest.raises(InputError, match="cron starts jobs"):
        host.plan(unit_pin("cron", -1000))


def test_accept_immune_job_of_job_runner(host):
    host.results(Pin("process", "backup", -1000))
    assert host.scores(22) == [-1000]


def test_refuse_too_little_killable_memory(host):
    everything = [Pin("process", name, -1000) for name in ("docker-proxy", "backup")]
    with pytest.raises(
        InputError,
        match=r"would hold 66 % of the used memory \(80000 KiB, immune 40000 KiB\), less than min_killable_percent=70",
    ):
        host.results(*everything, least=70)
    results = host.results(*everything, least=60)
    assert results["killable"] == {"percent": 66, "killable_kb": 80000, "immune_kb": 40000}


def test_accept_immune_process_that_is_immune_already(host):
    host.proc.write("22/oom_score_adj", "-1000\n")
    assert not host.results(Pin("process", "backup", -1000), least=99)["changed"]


def test_refuse_unit_of_users_with_a_reason_of_its_own(host):
    host.write("usr/lib/systemd/user/pipewire.service", "[Service]\n")
    with pytest.raises(
        NotFoundError,
        match=r"unit=pipewire\.service: no such system unit; it is a unit of users' service managers: select",
    ):
        host.plan(unit_pin("pipewire"))


@pytest.mark.parametrize(
    "marker, words", [(None, "up to its init (choom(1) in the script that starts it)"), ("run/openrc", "up to OpenRC")]
)
def test_refuse_units_without_systemd_but_pin_processes(host, marker, words):
    (host.root / "run/systemd/system").rmdir()
    if marker:
        (host.root / marker).mkdir()
    with pytest.raises(UnsupportedError, match=re.escape(words)):
        host.plan(unit_pin("docker"))
    host.results(Pin("process", "dockerd", -500), process_absent("backup"))
    assert (host.scores(10), host.calls) == ([-500], [])


# --- targets that are not there -----------------------------------------------------

MISSING = {
    ("process", "nginx"): "process=nginx: no such process",
    ("pid", "99"): "pid=99: no such process",
    ("cgroup", "/nope"): "cgroup /nope does not exist below",
    ("pidfile", "/nonexistent/x"): "pidfile=/nonexistent/x does not exist",
}


@pytest.mark.parametrize("target, words", MISSING.items())
@pytest.mark.parametrize("missing", ["ignore", "warn"])
def test_accept_missing_process(processes, target, words, missing):
    plan = processes.plan(Pin(*target, score=-500, missing=missing))
    applied = processes.apply_plan(plan)
    results = pin_results(applied.outcomes, plan.killable)
    assert (results["changed"], results["targets"][0]["found"]) == (False, False)
    warnings = plan.warnings + applied.warnings
    assert len(warnings) == (missing == "warn") and all(words in warning for warning in warnings)


@pytest.mark.parametrize(
    "missing, warnings",
    [
        ("ignore", []),
        ("warn", ["unit=nosuch.service: no such system unit; check the name with systemctl list-unit-files"]),
    ],
)
def test_accept_missing_unit(host, missing, warnings):
    results = host.results(unit_pin("nosuch", missing=missing))
    assert (results["changed"], results["targets"][0]["found"], results["warnings"]) == (False, False, warnings)


def test_missing_main_process_does_not_stop_other_targets(host):
    results = host.results(unit_pin("postgresql", missing="ignore"), unit_pin("docker"))
    assert host.scores(10) == [-500]
    assert (results["targets"][0]["restart_required"], host.drop_in("postgresql") is None) == (True, False)


# --- warnings -------------------------------------------------------------------------

UNDONE = {
    "others in the unit": ([unit_pin("cron", -300)], ["set oom_policy=continue"]),
    "all die with one": (
        [unit_pin("cron", -300, oom_policy="kill")],
        ["the kernel kills every process of the unit that is not at -1000"],
    ),
    "they may die alone": ([unit_pin("cron", -300, oom_policy="continue")], []),
    "the unit continues anyway": ([unit_pin("docker")], []),
    "preferred, not spared": ([unit_pin("cron", 300)], []),
    "no other process in it": ([unit_pin("mariadb", -600)], []),
}


@pytest.mark.parametrize("pins, words", UNDONE.values(), ids=list(UNDONE))
def test_warn_where_policy_of_unit_undoes_pin(host, pins, words):
    warnings = host.plan(*pins).warnings
    assert len(warnings) == len(words) and all(one in warning for one, warning in zip(words, warnings))


def test_warn_at_once_where_policy_is_removed(host):
    host.results(unit_pin("cron", -300, oom_policy="continue"))
    assert any("set oom_policy=continue" in one for one in host.plan(unit_pin("cron", -300)).warnings)


def test_warn_of_main_process_outside_its_cgroup(host):
    host.proc.process(10, "dockerd", cgroup="/elsewhere")
    results = host.results(unit_pin("docker"))
    assert results["targets"][0]["processes"] == []
    assert any(
        "has no main process in /system.slice/docker.service: no running process was pinned" in one
        for one in results["warnings"]
    )


def test_warn_of_hidden_processes(processes):
    processes.proc.procfs.hidden.add(99)
    assert processes.plan(Pin("pid", "12", 5)).warnings == [
        "1 processes of other users are hidden (hidepid): add become: true to see all"
    ]


# --- state=absent -----------------------------------------------------------------------


def test_absent_asks_once_for_all_units(host):
    host.results(process_absent("dockerd"), process_absent("cron"))
    assert [command[4:] for command in host.calls] == [("docker.service", "cron.service")]


def test_absent_warns_of_processes_that_inherited(host):
    host.results(unit_pin("docker"))
    host.proc.process(12, "docker-proxy", parent=10, score=-500, cgroup="/system.slice/docker.service")
    [warning] = host.results(unit_absent("docker"))["warnings"]
    assert warning.startswith(
        "unit=docker.service: processes started since the pin keep the score that they inherited: use children=reset"
    )
    assert warning.endswith("process 12 (docker-proxy)")
    assert host.scores(10, 12) == [0, -500]


def test_absent_gives_score_of_unit(host):
    host.proc.process(40, "containerd", score=-500, cgroup="/system.slice/containerd.service")
    host.results(Pin("pid", "40", None, state="absent"))
    assert host.scores(40) == [-999]


def test_absent_gives_tree_the_score_of_its_parent(host):
    host.proc.process(50, "screen", score=200)
    host.proc.process(51, "tool", parent=50, score=-5)
    host.proc.process(52, "tool", parent=51, score=-5, start_time=200)
    host.results(Pin("pid", "51", None, state="absent", children="pin"))
    assert host.scores(51, 52) == [200, 200]


def test_absent_gives_zero_where_parent_is_gone(host):
    host.proc.process(51, "tool", parent=50, score=-5)
    host.results(Pin("pid", "51", None, state="absent"))
    assert host.scores(51) == [0]


def test_absent_gives_container_zero_and_not_the_score_of_its_monitor(host):
    host.proc.process(80, "containerd-shim", score=-998, cgroup="/system.slice/containerd.service")
    host.proc.process(81, "batch", parent=80, score=500, cgroup="/system.slice/docker-1.scope")
    host.results(Pin("pid", "81", None, state="absent"))
    assert host.scores(81) == [0]


def test_absent_leaves_score_that_is_not_ours(host):
    host.proc.write("10/oom_score_adj", "-500\n")  # as Docker's own daemon once set it
    assert not host.results(unit_absent("docker"), unit_absent("ssh"))["changed"]
    assert host.scores(10, 30) == [-500, -1000]


def test_absent_of_self_managing_daemon_needs_restart(host):
    host.results(unit_pin("ssh", -900, force=True))
    results = host.results(unit_absent("ssh"))
    assert (host.scores(30), host.drop_in("ssh"), results["targets"][0]["restart_required"]) == ([-900], None, True)


# --- children ------------------------------------------------------------------------------


def test_report_children_that_inherited(host):
    host.proc.process(11, "docker-proxy", parent=10, score=-500, cgroup="/system.slice/docker.service")
    inherited = host.results(unit_pin("docker"))["targets"][0]["inherited"]
    assert [(one["pid"], one["score"], one["after"]) for one in inherited] == [(11, -500, -500)]


def test_report_sessions_of_pinned_sshd_in_any_cgroup(host):
    for pid in (31, 32):
        host.proc.write(f"{pid}/oom_score_adj", "-900\n")
    results = host.results(unit_pin("ssh", -900, force=True))
    assert [one["name"] for one in results["targets"][0]["inherited"]] == ["sshd", "bash"]


def test_reset_children_to_zero_or_to_score_of_their_unit(host):
    host.proc.process(23, "own-unit", parent=22, score=-300, cgroup="/system.slice/containerd.service")
    for pid in (21, 22):
        host.proc.write(f"{pid}/oom_score_adj", "-300\n")
    results = host.results(unit_pin("cron", -300, children="reset"))
    assert host.scores(20, 21, 22, 23) == [-300, 0, 0, -999]
    assert [(one["pid"], one["score"], one["after"]) for one in results["targets"][0]["inherited"]] == [
        (21, -300, 0),
        (22, -300, 0),
        (23, -300, -999),
    ]


SESSION = "/user.slice/user-1000.slice/user@1000.service"
UDEVD = "/system.slice/systemd-udevd.service"
# The cgroup of a process that inherited the score of cron, and the score that it gets.
CLAIMS = {
    "a form feed in a name": (SESSION + "/x\f0::" + UDEVD, 0),
    "a line end in a name": (SESSION + "/x\\n0::" + UDEVD, 0),
    "a separator of Unicode in a name": (SESSION + "/x\u20280::" + UDEVD, 0),
    "a copy below a session": (SESSION + UDEVD, 0),
    "a slice that a user may write to": ("/jobs.slice/systemd-udevd.service", 0),
    "a slice that a user may write to, of another service": ("/jobs.slice/containerd.service", 0),
    "a service below a slice of users": ("/user.slice/containerd.service", 0),
    "udevd itself": (UDEVD, 0),
    "another service": ("/system.slice/containerd.service", -999),
}


@pytest.mark.parametrize("cgroup, score", CLAIMS.values(), ids=list(CLAIMS))
def test_heir_gets_no_score_of_a_service_that_it_only_claims(host, cgroup, score):
    host.proc.process(60, "systemd-udevd", score=-1000, cgroup=UDEVD)
    host.add("systemd-udevd", 60, fragment="OOMScoreAdjust=-1000\n")
    host.proc.process(23, "hog", parent=22, score=-300, cgroup=cgroup)
    host.proc.write("20/oom_score_adj", "-300\n")
    host.results(unit_pin("cron", -300, children="reset"))
    assert host.scores(23, 60) == [score, -1000]


@pytest.mark.parametrize("cgroup, score", CLAIMS.values(), ids=list(CLAIMS))
def test_removed_pin_gives_no_score_of_a_service_that_is_only_claimed(host, cgroup, score):
    host.proc.process(60, "systemd-udevd", score=-1000, cgroup=UDEVD)
    host.add("systemd-udevd", 60, fragment="OOMScoreAdjust=-1000\n")
    host.proc.process(23, "hog", parent=22, score=500, cgroup=cgroup)
    host.results(Pin("pid", "23", None, state="absent"))
    assert host.scores(23) == [score]


def test_removed_pin_gives_no_child_the_immunity_of_its_parent(host):
    host.proc.process(50, "daemon", score=-1000)
    host.proc.process(51, "tool", parent=50, score=-5)
    host.results(Pin("pid", "51", None, state="absent"))
    assert host.scores(51) == [0]


def test_removed_pin_makes_only_the_main_process_immune(host):
    host.write("usr/lib/systemd/system/mariadb.service", "[Service]\nOOMScoreAdjust=-1000\n")
    host.proc.process(61, "mariadbd", score=-1000, cgroup="/system.slice/mariadb.service")
    host.proc.process(62, "helper", parent=61, cgroup="/system.slice/mariadb.service")
    host.add("mariadb", 61, fragment="OOMScoreAdjust=-1000\n", children=[62])
    host.results(unit_pin("mariadb", -500, children="pin"))
    host.results(unit_absent("mariadb", children="pin"))
    assert host.scores(61, 62) == [-1000, 0]


def test_removed_pin_passes_the_guards_of_immunity(host):
    host.proc.process(61, "cron", cgroup="/system.slice/mariadb.service", resident_kb=1000000)
    host.add("mariadb", 61, fragment="OOMScoreAdjust=-1000\n")
    host.results(unit_pin("mariadb", -500))
    with pytest.raises(InputError, match="cron starts jobs, which would inherit immunity"):
        host.plan(unit_absent("mariadb"))
    host.proc.process(61, "mariadbd", score=-500, cgroup="/system.slice/mariadb.service", resident_kb=1000000)
    with pytest.raises(InputError, match="less than min_killable_percent=20"):
        host.plan(unit_absent("mariadb"), least=20)
    host.results(unit_absent("mariadb", force=True), least=20)
    assert host.scores(61) == [-1000]


def test_pin_children_of_unit(host):
    results = host.results(unit_pin("cron", -300, children="pin"))
    assert host.scores(20, 21, 22) == [-300, -300, -300]
    assert len(results["targets"][0]["processes"]) == 3


def test_pin_children_of_process(host):
    host.results(Pin("process", "cron", -300, children="pin"))
    assert host.scores(20, 21, 22, 10) == [-300, -300, -300, 0]


def test_children_of_one_target_are_not_reset_where_another_pins_them(host):
    targets = [unit_pin("cron", -300, children="reset"), Pin("process", "backup", -300)]
    host.results(*targets)
    assert host.scores(22) == [-300]
    assert not host.results(*targets)["changed"]


def test_process_that_took_over_a_pid_is_no_child(host, monkeypatch):
    real = TargetFinder._read_processes

    def read_processes(self, pin, pids, selector):
        host.proc.process(22, "stranger", parent=1, start_time=999, score=-1000)
        return real(self, pin, pids, selector)

    monkeypatch.setattr(TargetFinder, "_read_processes", read_processes)
    for children in ("pin", "reset"):
        host.apply(Pin("process", "cron", -300, children=children))
        assert host.scores(22) == [-1000]
