# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pins are refused or warned of, from requests and facts alone."""

import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Killable, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import (
    MAX_SHOWN,
    WHY_NOT_IMMUNE,
    WHY_NOT_LOWERED,
    find_keeping,
    find_self_managing,
    hands_on_immunity,
    is_guarded,
    is_reported_if_missing,
    name_program,
    name_user_cgroup,
    refuse_conflicts,
    refuse_contradictions,
    refuse_few_killable,
    refuse_missing,
    refuse_pin,
    shorten_name,
    starts_logins,
    warnings_for_inherited,
    warnings_for_missing,
    warnings_for_not_pinned,
    warnings_for_policy,
    warnings_for_several,
    why_not_pinned,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    Change,
    Outcome,
    PassedOver,
    Pin,
)


def change(pid, before, after, name="x"):
    return Change(Process(pid, name, 100, 1, False, 0), before, after)


def outcome(pin, changes=(), inherited=(), **facts):
    facts = dict(dict(unit=None, services=set(), vanished=0), **facts)
    return Outcome(pin, changes=list(changes), inherited=list(inherited), **facts)


# --- targets that make no sense ---------------------------------------------------

CONTRADICTIONS = {
    "no score": (Pin("pid", "7", None), "pid=7: score is missing: set it, or state: absent beside the selector"),
    "a score to remove": (Pin("pid", "7", 1, state="absent"), "state=absent removes the pin: leave out score"),
    "a policy to remove": (Pin("unit", "x", None, state="absent", oom_policy="kill"), "leave out oom_policy"),
    "a preference to remove": (
        Pin("unit", "x", None, state="absent", managed_oom_preference="omit"),
        "state=absent removes the pin: leave out managed_oom_preference",
    ),
    "a preference without a drop-in": (
        Pin("pid", "7", 1, managed_oom_preference="omit"),
        "pid=7: managed_oom_preference needs the drop-in of a unit: select by unit, without persistent=false",
    ),
    "score above": (Pin("pid", "7", 1001), "pid=7: score 1001 is out of range: set it to -1000 to 1000"),
    "score below": (Pin("pid", "7", -1001), "pid=7: score -1001 is out of range: set it to -1000 to 1000"),
    "a process that lasts": (Pin("pid", "7", 1, persistent=True), "only a unit can be pinned persistently"),
    "a policy without a drop-in": (Pin("unit", "x", 1, oom_policy="kill"), "oom_policy needs the drop-in of a unit"),
}


@pytest.mark.parametrize("pin, words", CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
def test_refuse_contradictions(pin, words):
    with pytest.raises(InputError, match=re.escape(words)):
        refuse_contradictions(pin)


@pytest.mark.parametrize("score", [-1000, 0, 1000])
def test_accept_any_score_in_range(score):
    refuse_contradictions(Pin("pid", "7", score))


def drop_in_outcome(score, **options):
    return outcome(Pin("unit", "x.service", score, **options), unit="x.service", drop_in=DropIn("/x.conf", None, ""))


CONFLICTS = {
    "a process": (
        [outcome(Pin("process", "x", -5), [change(7, 0, -5)]), outcome(Pin("pid", "7", 0), [change(7, 0, 0)])],
        "process 7 (x) is selected twice: process=x asks for score -5, pid=7 asks for score 0: leave out one of them",
    ),
    "a unit": (
        [drop_in_outcome(1), drop_in_outcome(2)],
        "unit x.service is selected twice: unit=x.service asks for score 1, unit=x.service asks for score 2",
    ),
    "two policies": (
        [drop_in_outcome(1, oom_policy="kill"), drop_in_outcome(1)],
        "unit=x.service asks for score 1 and oom_policy kill, unit=x.service asks for score 1",
    ),
    "present and absent": (
        [drop_in_outcome(1), drop_in_outcome(None)],
        "unit=x.service asks for score 1, unit=x.service asks for no score",
    ),
}


@pytest.mark.parametrize("outcomes, words", CONFLICTS.values(), ids=list(CONFLICTS))
def test_refuse_conflicts(outcomes, words):
    with pytest.raises(InputError, match=re.escape(words)):
        refuse_conflicts(outcomes)


def test_accept_two_targets_that_agree():
    refuse_conflicts(
        [outcome(Pin("process", "x", 5), [change(7, 0, 5)]), outcome(Pin("pid", "7", 5), [change(7, 0, 5)])]
    )
    refuse_conflicts([drop_in_outcome(1), drop_in_outcome(1)])


# --- targets that are not there ---------------------------------------------------


def advise(pin):
    return f"look for {pin.value}"


def test_refuse_missing_target():
    refuse_missing([outcome(Pin("pid", "7", 1), [change(7, 0, 1)])], {}, advise)
    with pytest.raises(
        NotFoundError, match=r"^pid=8: no such process; look for 8 \(missing=ignore or missing=warn accepts that\)$"
    ):
        refuse_missing([outcome(Pin("pid", "8", 1))], {}, advise)
    pin = Pin("unit", "x", 1)
    with pytest.raises(NotFoundError, match=r"^unit=x: no such system unit; check it \(missing"):
        refuse_missing([outcome(pin)], {pin: "unit=x: no such system unit; check it"}, advise)


MAY_BE_MISSING = {
    "ignored": (Pin("pid", "8", 1, missing="ignore"), []),
    "warned of": (Pin("pid", "8", 1, missing="warn"), ["pid=8: no such process; look for 8"]),
    "absent anyway": (Pin("pid", "8", None, state="absent"), []),
    "absent and warned of": (Pin("pid", "8", None, state="absent", missing="warn"), []),
}


@pytest.mark.parametrize("pin, warnings", MAY_BE_MISSING.values(), ids=list(MAY_BE_MISSING))
def test_accept_missing_target(pin, warnings):
    refuse_missing([outcome(pin)], {}, advise)
    assert warnings_for_missing([outcome(pin), outcome(pin)], {}, advise) == warnings


def strangers(number):
    process = Process(9, "containerd", 100, 1, False, 0)
    return (PassedOver(process, 1000, "it runs as uid 1000 (alice)"),) * number


def test_explain_what_was_passed_over():
    passed = outcome(Pin("process", "containerd", -999), passed_over=strangers(1))
    words = (
        "process=containerd: no process was selected, because a user could have put there what fits:"
        " process 9 (containerd): it runs as uid 1000 (alice). Name its user in users, select a container by container"
        " or cgroup, or use unit or pid"
    )
    with pytest.raises(NotFoundError, match=re.escape(words + " (missing=ignore")):
        refuse_missing([passed], {}, advise)
    for pin in (Pin("process", "containerd", -999, missing="ignore"), Pin("process", "containerd", None, "absent")):
        refuse_missing([passed._replace(pin=pin)], {}, advise)
        assert warnings_for_missing([passed._replace(pin=pin)], {}, advise) == [words]
    assert warnings_for_missing([passed._replace(changes=[change(7, 0, -999)])], {}, advise) == []
    many = passed._replace(pin=pin, passed_over=strangers(MAX_SHOWN + 3))
    assert "; and 3 more. Name its user" in warnings_for_missing([many], {}, advise)[0]


def test_warn_of_processes_that_are_not_immune():
    pin = Pin("container", "web", -1000)
    shells = tuple(one._replace(why=WHY_NOT_IMMUNE) for one in strangers(MAX_SHOWN + 1))
    [warning] = warnings_for_not_pinned([outcome(pin, [change(7, 0, -1000)], passed_over=strangers(1) + shells)])
    assert warning.startswith("container=web: not pinned at -1000: process ")
    assert warning.count("process ") == MAX_SHOWN
    assert f", ...: {WHY_NOT_IMMUNE}" in warning
    assert warnings_for_not_pinned([outcome(pin, passed_over=shells)]) == []  # it is missing
    assert warnings_for_not_pinned([outcome(pin, [change(7, 0, -1000)], passed_over=strangers(1))]) == []


def test_unit_without_process_is_found():
    found = outcome(Pin("unit", "x", 1), effective_after_restart=0)
    assert (found.found, found.changed, found._replace(reload=True).changed) == (True, False, True)
    refuse_missing([found], {}, advise)


def test_warn_of_processes_that_keep_a_removed_pin():
    heirs = [change(pid, -5, -5) for pid in range(10, 16)]
    removed = outcome(Pin("unit", "x", None, state="absent"), [change(7, -5, 0)], heirs)
    [warning] = warnings_for_inherited([removed])
    assert warning.startswith(
        "unit=x: processes started since the pin keep the score that they inherited: use children"
    )
    assert warning.endswith("process 13 (x), process 14 (x), ...")
    assert warnings_for_inherited([removed._replace(inherited=[change(10, -5, 0), change(11, -9, -9)])]) == []
    assert warnings_for_inherited([removed._replace(pin=Pin("unit", "x", 0))]) == []


# --- pins that would do harm, or have no effect -------------------------------------

PROGRAMS = {
    "pid 1 of a container": ("nginx", True, "init"),
    "a plain name": ("cron", False, "cron"),
    "a title": ("tmux: server", False, "tmux"),
    "init": ("systemd", True, "init"),
    "the manager of a user": ("systemd", False, "systemd"),
}


@pytest.mark.parametrize("comm, is_init, name", PROGRAMS.values(), ids=list(PROGRAMS))
def test_name_program(comm, is_init, name):
    assert name_program(comm, is_init) == name


NAMES = {
    "docker": "docker",
    "docker.service": "docker",
    "ssh.service": "sshd",
    "sshd@1.service": "sshd",
    "postgresql@15-main": "postgresql",
    "user@1000.service": "user@",
    "udevd": "systemd-udevd",
}


@pytest.mark.parametrize("name, short", NAMES.items())
def test_shorten_name(name, short):
    assert shorten_name(name) == short


@pytest.mark.parametrize(
    "name, guarded, starts",
    [("sshd", True, False), ("bash", True, True), ("crio", True, True), ("nginx", False, False)],
)
def test_guarded_names(name, guarded, starts):
    assert (is_guarded(name), hands_on_immunity(name)) == (guarded, starts)


LOGINS = [
    "getty@tty1.service", "serial-getty@ttyS0", "agetty", "login", "gdm3.service", "gdm-session-wor", "lightdm", "sddm",
    "xdm", "lxdm", "greetd", "ly", "console-getty", "tmux", "screen", "su", "sudo", "xrdp-sesman", "cockpit-session",
    "cockpit.service", "user@1000.service", "systemd", "display-manager.service", "dropbear",
]  # fmt: skip
NO_LOGINS = ["nginx", "bash", "cron.service", "docker.service", "systemd-journald", "systemd-logind", "lyx", "user"]


@pytest.mark.parametrize("name", LOGINS)
def test_refuse_login_programs_below_0(name):
    assert starts_logins(name) and is_guarded(name)
    for score in (-1, -1000):
        with pytest.raises(InputError, match=rf"^x with score={score}: .* starts the shells of users.*force=true over"):
            refuse_pin("x", score, {name})
    for score in (0, 500, None):
        refuse_pin("x", score, {name})
    assert why_not_pinned(-1, name) == WHY_NOT_LOWERED
    assert why_not_pinned(0, name) is None


@pytest.mark.parametrize("name", NO_LOGINS)
def test_accept_other_programs_below_0(name):
    assert not starts_logins(name)
    refuse_pin("x", -1, {name})
    assert why_not_pinned(-1, name) is None


CGROUPS = {
    "/user.slice": {"user@"},
    "/user.slice/user-1000.slice/": {"user@"},
    "/user.slice/user-1000.slice/user@1000.service": {"user@"},
    "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service": set(),
    "/system.slice/user@x.service": set(),
    "/system.slice/cron.service": set(),
}


@pytest.mark.parametrize("path, names", CGROUPS.items())
def test_name_cgroup(path, names):
    assert name_user_cgroup(path) == names


SEVERAL = {
    "six of one": (Pin("process", "postgres", -500), (("postgresql@15-main.service", 6), (None, 1)), 1),
    "by a pattern": (Pin("pattern", "postgres", -500), (("a.service", 2), ("b.service", 2)), 2),
    "one of each": (Pin("process", "postgres", -500), (("a.service", 1), ("b.service", 1)), 0),
    "of no service": (Pin("process", "postgres", -500), ((None, 6),), 0),
    "of a cgroup": (Pin("cgroup", "/x", -500), (("a.service", 6),), 0),
    "a whole tree": (Pin("process", "postgres", -500, children="pin"), (("a.service", 6),), 0),
    "a removed pin": (Pin("process", "postgres", None, "absent"), (("a.service", 6),), 0),
}


@pytest.mark.parametrize("pin, units, number", SEVERAL.values(), ids=list(SEVERAL))
def test_warn_of_several_processes_of_a_service(pin, units, number):
    warnings = warnings_for_several([outcome(pin, [change(7, 0, -500)], units=units)])
    assert len(warnings) == number
    assert all(": select by unit=" in warning and "raises" not in warning for warning in warnings)


def test_warn_of_children_that_inherited_a_pin():
    pinned = outcome(Pin("unit", "x", -400), [change(7, -400, -400)], [change(8, -400, -400), change(9, -7, -7)])
    [warning] = warnings_for_inherited([pinned])
    assert warning == (
        "unit=x: 1 other processes have inherited the score -400: use children=reset, or children=pin if they are to"
        " have it: process 8 (x)"
    )
    assert [one.process.pid for one in find_keeping(pinned)] == [8]
    assert warnings_for_inherited([pinned._replace(inherited=[change(8, -400, 0)])]) == []


@pytest.mark.parametrize("missing, reported", [("fail", True), ("warn", True), ("ignore", False)])
def test_is_reported_if_missing(missing, reported):
    assert is_reported_if_missing(Pin("pid", "7", 1, missing=missing)) is reported
    assert not is_reported_if_missing(Pin("pid", "7", None, "absent", missing=missing))


@pytest.mark.parametrize(
    "names, found", [([], None), (["docker.service", "dockerd"], None), (["ssh.service", "cron"], "sshd")]
)
def test_find_self_managing(names, found):
    assert find_self_managing(names) == found


REFUSED = {
    "its own manager": (-900, {"kubelet"}, "x with score=-900: kubelet writes its own score every few minutes"),
    "its own manager, unpinned": (None, {"iscsid"}, "x with state=absent: iscsid makes itself immune: leave it alone"),
    "a job runner, immune": (-1000, {"cron.service"}, "x at -1000: cron starts jobs, which would inherit immunity"),
    "a runtime, immune": (-1000, {"crio"}, "x at -1000: crio starts helpers for every container with its own score"),
}


@pytest.mark.parametrize("score, names, words", REFUSED.values(), ids=list(REFUSED))
def test_refuse_pin(score, names, words):
    with pytest.raises(InputError, match=re.escape(words) + r".* \(force=true overrides\)$"):
        refuse_pin("x", score, names)


ACCEPTED = {
    "a job runner above -1000": (-999, {"cron"}),
    "a runtime above -1000": (-999, {"crio"}),
    "another program, immune": (-1000, {"mariadbd"}),
    "no score": (None, {"cron"}),
}


@pytest.mark.parametrize("score, names", ACCEPTED.values(), ids=list(ACCEPTED))
def test_accept_pin(score, names):
    refuse_pin("x", score, names)


def test_refuse_few_killable():
    refuse_few_killable(Killable(2, 1), 66)
    with pytest.raises(InputError, match=r"hold 66 % of the used memory \(2 KiB, immune 1 KiB\).*force=true overrides"):
        refuse_few_killable(Killable(2, 1), 67)


UNDONE = {
    "stop": (
        -300,
        {"x"},
        "stop",
        1,
        "x: with OOMPolicy=stop systemd stops the whole unit, the pinned process included",
    ),
    "stop, immune": (-1000, {"x"}, "stop", 1, "systemd stops the whole unit"),
    "kill": (-300, {"x"}, "kill", 1, "x: with OOMPolicy=kill the kernel kills every process of the unit that is not"),
    "a job runner without a job yet": (-300, {"cron.service"}, "stop", 0, "set oom_policy=continue"),
}


def test_kill_is_what_systemd_oomd_needs():
    """No run tells to set continue, and the next one kill."""
    [warning] = warnings_for_policy("x", -300, {"x"}, "kill", 1, needs_kill=True)
    assert "move what must live to a unit of its own. Or set oom_policy=continue: then" in warning
    [warning] = warnings_for_policy("x", -300, {"x"}, "stop", 1, needs_kill=True)
    assert warning.endswith("set oom_policy=continue")


@pytest.mark.parametrize("score, names, policy, others, words", UNDONE.values(), ids=list(UNDONE))
def test_warn_where_policy_undoes_pin(score, names, policy, others, words):
    [warning] = warnings_for_policy("x", score, names, policy, others)
    assert words in warning


KEPT = {
    "kill spares immune processes": (-1000, {"x"}, "kill", 1),
    "no other process in the unit": (-300, {"x"}, "stop", 0),
    "continue": (-300, {"x"}, "continue", 1),
    "systemd before 243": (-300, {"x"}, None, 1),
    "raised": (300, {"x"}, "stop", 1),
}


@pytest.mark.parametrize("score, names, policy, others", KEPT.values(), ids=list(KEPT))
def test_no_warning_where_policy_keeps_pin(score, names, policy, others):
    assert warnings_for_policy("x", score, names, policy, others) == []
