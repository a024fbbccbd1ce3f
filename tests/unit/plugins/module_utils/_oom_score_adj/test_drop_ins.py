# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drop-ins of units: what is written, what overrides it, and the way back."""

import functools
import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.programs import run_program
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust, OOMPolicy and ManagedOOMPreference"
    " here and nothing else.\n"
)


def unit_pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def unit_absent(unit, **options):
    return unit_pin(unit, None, state="absent", **options)


# --- what is written ----------------------------------------------------------------------


def test_pin_main_process_now_and_at_next_start(host):
    results = host.results(unit_pin("docker"))
    assert host.scores(10, 11) == [-500, 0]
    assert host.drop_in("docker") == HEADER + "[Service]\nOOMScoreAdjust=-500\n"
    [target] = results["targets"]
    assert (target["target"], target["unit"], target["found"], target["changed"]) == (
        "unit=docker.service",
        "docker.service",
        True,
        True,
    )
    assert (target["effective_after_restart"], target["restart_required"], target["inherited"]) == (-500, False, [])
    assert (
        target["drop_in"]["before"] is None
        and target["drop_in"]["path"] == "/etc/systemd/system/docker.service.d/60-oomguard.conf"
    )
    assert "# /etc/systemd/system/docker.service.d/60-oomguard.conf\n" + HEADER in results["diff"]["after"]
    mode = os.stat(str(host.root / "etc/systemd/system/docker.service.d/60-oomguard.conf")).st_mode
    assert mode & 0o777 == 0o644


def test_second_run_changes_and_reloads_nothing(host):
    targets = [
        unit_pin("docker", children="pin"),
        unit_pin("cron", -300, oom_policy="continue"),
        unit_pin("mariadb", -600),
    ]
    assert host.results(*targets)["changed"]
    host.calls.clear()
    assert not host.results(*targets)["changed"]
    assert len(host.calls) == 1


def test_all_units_take_one_question_and_one_reload(host):
    host.results(unit_pin("docker"), unit_pin("cron", -300), unit_pin("mariadb", -600), unit_pin("containerd", -999))
    verbs = [command[1] for command in host.calls]
    assert verbs == ["show", "daemon-reload", "show"]  # the second reads back what systemd loaded


def test_alias_gets_drop_in_of_its_unit(host):
    results = host.results(unit_pin("sshd", -1000, force=True))
    assert results["targets"][0]["unit"] == "ssh.service"
    assert host.drop_in("sshd") is None and host.drop_in("ssh") is not None


def test_stopped_unit_gets_drop_in(host):
    results = host.results(unit_pin("mariadb", -600))
    assert host.drop_in("mariadb") == HEADER + "[Service]\nOOMScoreAdjust=-600\n"
    assert (results["targets"][0]["found"], results["targets"][0]["processes"]) == (True, [])


@pytest.mark.parametrize("state", ["activating", "deactivating", "failed"])
def test_unit_in_transition_gets_drop_in_and_warning(host, state):
    host.known["postgresql.service"]["ActiveState"] = state
    results = host.results(unit_pin("postgresql"))
    assert host.drop_in("postgresql") is not None
    assert any(f"postgresql.service is {state} and has no main process" in one for one in results["warnings"]) == (
        state != "failed"
    )


def test_no_drop_in_without_persistence(host):
    results = host.results(unit_pin("docker", persistent=False))
    assert (host.scores(10), host.drop_in("docker"), host.reloads()) == ([-500], None, 0)
    assert results["targets"][0]["effective_after_restart"] == 0


def test_policy_is_added_to_drop_in_and_removed(host):
    host.results(unit_pin("cron", -300, oom_policy="continue"))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\nOOMPolicy=continue\n"
    host.results(unit_pin("cron", -300))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"


def test_systemd_before_243_always_continues(host):
    del host.defaults["OOMPolicy"]
    host.results(unit_pin("cron", -300, oom_policy="continue"))
    assert host.drop_in("cron") == HEADER + "[Service]\nOOMScoreAdjust=-300\n"
    with pytest.raises(InputError, match=r"oom_policy=kill needs systemd 243; this one is older and always continues"):
        host.plan(unit_pin("cron", -300, oom_policy="kill"))


PREFERENCE = HEADER + "[Service]\nOOMScoreAdjust=-900\nManagedOOMPreference=omit\n"


def marks_of(host, unit):
    return sorted(mark.name for mark in (host.cgroups / "system.slice" / (unit + ".service")).glob("user.oomd_*"))


def test_preference_is_live_and_taken_back(host):
    before = host.files()
    results = host.results(unit_pin("cron", -900, managed_oom_preference="omit"))
    assert (host.drop_in("cron"), marks_of(host, "cron")) == (PREFERENCE, ["user.oomd_omit"])
    assert [target["managed_oom_preference"] for target in results["targets"]] == ["omit"]
    assert "ManagedOOMPreference=omit" in results["diff"]["after"]
    assert not host.results(unit_pin("cron", -900, managed_oom_preference="omit"))["changed"]
    host.results(unit_pin("cron", -900, managed_oom_preference="avoid"))
    assert marks_of(host, "cron") == ["user.oomd_avoid"]
    host.results(unit_absent("cron"))
    assert host.files() == before


def test_preference_that_systemd_has_not_applied_is_applied(host):
    host.results(unit_pin("cron", -900, managed_oom_preference="omit"))
    mark = host.cgroups / "system.slice/cron.service/user.oomd_omit"
    mark.rename(mark.with_name("user.oomd_avoid"))
    assert host.results(unit_pin("cron", -900, managed_oom_preference="omit"))["changed"]
    assert marks_of(host, "cron") == ["user.oomd_omit"]


def test_systemd_before_248_has_no_preference(host):
    del host.defaults["ManagedOOMPreference"]
    with pytest.raises(
        InputError,
        match=r"unit=cron\.service: managed_oom_preference=omit needs systemd 248, and this one is 247\.3-7: leave",
    ):
        host.plan(unit_pin("cron", -300, managed_oom_preference="omit"))
    assert host.results(unit_pin("cron", -300))["targets"][0]["managed_oom_preference"] is None


def test_two_preferences_for_one_unit_are_refused(host):
    before = host.files()
    with pytest.raises(
        InputError, match=r"managed_oom_preference omit, .* managed_oom_preference avoid: leave out one"
    ):
        host.plan(
            unit_pin("cron", -900, managed_oom_preference="omit"),
            unit_pin("cron", -900, managed_oom_preference="avoid"),
        )
    assert host.files() == before


def test_warn_of_later_preference(host):
    file = "etc/systemd/system/cron.service.d/90-x.conf"
    host.write(file, "[Service]\nManagedOOMPreference=none\n")
    warnings = host.plan(unit_pin("cron", -300, managed_oom_preference="omit")).warnings
    words = f"unit=cron.service: ManagedOOMPreference will be none, not omit: /{file} wins; remove ManagedOOMPreference"
    assert any(words in one for one in warnings)


PREFERENCES = {-1000: "omit", -999: "omit", -998: "avoid", -500: "avoid", -499: "none", 0: "none", 1000: "none"}


def plan_protected(host, *pins):
    return plan_pins(host.proc.procfs, host.systemd(), pins, 0, protects=True)


@pytest.mark.parametrize("score, preference", PREFERENCES.items())
def test_protect_turns_scores_into_preferences(host, score, preference):
    assert plan_protected(host, unit_pin("docker", score, force=True)).outcomes[0].preference == preference


def test_protect_keeps_what_targets_ask_for(host):
    pins = [
        unit_pin("cron.service", -900, managed_oom_preference="none"),
        unit_pin("docker.service", -900, persistent=False),
        Pin("pid", "70", -900),
        unit_absent("mariadb.service"),
    ]
    assert [one.pin for one in plan_protected(host, *pins).outcomes] == pins


def test_protect_leaves_old_systemd_alone(host):
    del host.defaults["ManagedOOMPreference"]
    drop_in = plan_protected(host, unit_pin("cron", -900)).outcomes[0].drop_in
    assert drop_in.after == HEADER + "[Service]\nOOMScoreAdjust=-900\n"


OLD_HEADER = (
    "# Managed by oomguard.linux.oom_score_adj, which overwrites OOMScoreAdjust and OOMPolicy here and nothing else.\n"
)


def test_drop_in_of_an_earlier_release_is_ours(host):
    before = host.files()
    host.write("etc/systemd/system/cron.service.d/60-oomguard.conf", OLD_HEADER + "[Service]\nOOMScoreAdjust=-300\n")
    host.reload()
    host.results(unit_pin("cron", -300, managed_oom_preference="avoid"))
    assert host.drop_in("cron").count("# Managed by") == 1
    assert host.systemd().own_drop_ins()[0] != []
    host.results(unit_absent("cron"))
    assert host.files() == before


def test_same_target_twice_gives_two_results_and_one_reload(host):
    results = host.results(unit_pin("docker"), unit_pin("docker"))
    assert [target["target"] for target in results["targets"]] == ["unit=docker.service"] * 2
    assert host.reloads() == 1


def test_folder_is_readable_for_everybody_with_any_umask(host):
    before = os.umask(0o077)
    try:
        host.results(unit_pin("docker"))
    finally:
        os.umask(before)
    assert os.stat(str(host.root / "etc/systemd/system/docker.service.d")).st_mode & 0o777 == 0o755


# --- files that systemd has not read yet ------------------------------------------------------


def test_load_drop_in_that_systemd_never_read(host):
    host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", HEADER + "[Service]\nOOMScoreAdjust=-500\n")
    host.proc.write("10/oom_score_adj", "-500\n")
    results = host.results(unit_pin("docker"))
    assert (results["changed"], host.reloads()) == (True, 1)
    assert not host.results(unit_pin("docker"))["changed"]


def test_load_policy_that_systemd_never_read(host):
    host.results(unit_pin("cron", -300))
    host.write(
        "etc/systemd/system/cron.service.d/60-oomguard.conf",
        HEADER + "[Service]\nOOMScoreAdjust=-300\nOOMPolicy=continue\n",
    )
    host.calls.clear()
    results = host.results(unit_pin("cron", -300, oom_policy="continue"))
    assert (results["changed"], host.reloads(), results["warnings"]) == (True, 1, [])
    assert not host.results(unit_pin("cron", -300, oom_policy="continue"))["changed"]


# --- drop-ins of others -----------------------------------------------------------------------


def test_warn_of_later_drop_in_and_leave_it(host):
    host.write("etc/systemd/system/docker.service.d/90-local.conf", "[Service]\nOOMScoreAdjust=-100\n")
    results = host.results(unit_pin("docker"))
    assert results["targets"][0]["effective_after_restart"] == -100
    assert host.drop_in("docker", file="90-local.conf") == "[Service]\nOOMScoreAdjust=-100\n"
    assert any("at its next start the score will be -100, not -500" in warning for warning in results["warnings"])
    assert host.scores(10) == [-500]


def test_ignore_earlier_drop_in_and_one_hidden_by_its_name(host):
    host.write("usr/lib/systemd/system/docker.service.d/50-vendor.conf", "[Service]\nOOMScoreAdjust=-100\n")
    host.write("usr/lib/systemd/system/docker.service.d/90-x.conf", "[Service]\nOOMScoreAdjust=-100\n")
    host.write("etc/systemd/system/docker.service.d/90-x.conf", "")
    plan = host.plan(unit_pin("docker"))
    assert plan.outcomes[0].effective_after_restart == -500
    assert plan.warnings == []


def test_ignore_values_that_systemd_ignores(host):
    host.write(
        "usr/lib/systemd/system/docker.service.d/90-x.conf",
        "[Service]\nOOMScoreAdjust=-100 # why\nOOMScoreAdjust=-2000\n",
    )
    assert host.plan(unit_pin("docker")).outcomes[0].effective_after_restart == -500


def test_respect_drop_in_of_generator(host):
    host.write("run/systemd/generator/docker.service.d/90-x.conf", "[Service]\nOOMScoreAdjust=-100\n")
    host.known["docker.service"]["DropInPaths"] = "/run/systemd/generator/docker.service.d/90-x.conf"
    assert host.plan(unit_pin("docker")).outcomes[0].effective_after_restart == -100


def test_warn_of_later_policy(host):
    host.write("etc/systemd/system/cron.service.d/90-x.conf", "[Service]\nOOMPolicy=stop\n")
    warnings = host.plan(unit_pin("cron", -300, oom_policy="continue")).warnings
    assert any("OOMPolicy will be stop, not continue" in one for one in warnings)
    assert any("set oom_policy=continue" in one for one in warnings)


# --- the way back -----------------------------------------------------------------------------


def test_absent_restores_every_byte(host):
    before = host.files()
    host.results(
        unit_pin("docker"),
        unit_pin("cron", -300, oom_policy="continue", children="pin"),
        unit_pin("containerd", -900),
        unit_pin("mariadb", -600),
    )
    assert host.files() != before
    results = host.results(
        unit_absent("docker"), unit_absent("cron", children="pin"), unit_absent("containerd"), unit_absent("mariadb")
    )
    assert host.files() == before
    assert [target["effective_after_restart"] for target in results["targets"]] == [0, 0, -999, 0]
    assert not host.results(unit_absent("docker"), unit_absent("nosuch"))["changed"]


def test_absent_restores_default_score_of_all_units(host):
    host.defaults["OOMScoreAdjust"] = "100"
    host.reload()
    host.proc.write("10/oom_score_adj", "100\n")
    before = host.files()
    host.results(unit_pin("docker"))
    results = host.results(unit_absent("docker"))
    assert host.files() == before
    assert results["targets"][0]["effective_after_restart"] == 100


def test_absent_removes_drop_in_of_removed_package(host):
    host.results(unit_pin("mariadb", -600))
    host.known["mariadb.service"].update(LoadState="not-found", FragmentPath="")
    host.results(unit_absent("mariadb"))
    assert host.drop_in("mariadb") is None


def test_absent_of_unit_without_main_process_needs_restart(host):
    host.write("etc/systemd/system/postgresql.service.d/60-oomguard.conf", "[Service]\nOOMScoreAdjust=-5\n")
    host.reload()
    results = host.results(unit_absent("postgresql"))
    target = results["targets"][0]
    assert (results["changed"], target["restart_required"], target["processes"]) == (True, True, [])


def test_absent_without_persistence_leaves_drop_in(host):
    host.results(unit_pin("docker"))
    results = host.results(unit_absent("docker")._replace(persistent=False))
    assert (host.drop_in("docker") is None, results["targets"][0]["drop_in"], host.scores(10)) == (False, None, [-500])


LEFTOVER = ".60-oomguard.conf.new"


def test_present_removes_what_a_killed_run_left(host):
    host.results(unit_pin("docker"))
    host.write("etc/systemd/system/docker.service.d/" + LEFTOVER, "[Serv")
    assert host.results(unit_pin("docker"))["changed"]
    assert host.drop_in("docker", file=LEFTOVER) is None
    assert not host.results(unit_pin("docker"))["changed"]


@pytest.mark.parametrize("name", ["docker", "mariadb", "nosuch"])
@pytest.mark.parametrize("leftover", [LEFTOVER, ""])
def test_absent_leaves_nothing_of_a_killed_run(host, name, leftover):
    folder = host.root / f"etc/systemd/system/{name}.service.d"
    folder.mkdir()
    if leftover:
        (folder / leftover).write_text("[Serv")
    assert host.results(unit_absent(name))["changed"]
    assert not folder.exists()
    assert not host.results(unit_absent(name))["changed"]


# --- systemd itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("names, calls", [(["docker.service", "cron.service"], 1), (["cron.service"], 2)])
def test_systemd_may_be_asked_before_its_answer_is_read(host, names, calls):
    begun = []
    systemd = Systemd(str(host.root), lambda *command: begun.append(command) or functools.partial(host.ask, *command))
    systemd.ask_for(["docker.service", "cron.service", "docker.service"])
    assert [unit.id for unit in systemd.units(names).values()] == names
    assert list(systemd.units(["dbus.service"])) == ["dbus.service"]
    assert len(begun) == calls + 1


NAMES = {
    "docker": "docker.service",
    "docker.service": "docker.service",
    "a@b": "a@b.service",
    "dev-x\\x2dy": "dev-x\\x2dy.service",
    "org.x": "org.x.service",
}


@pytest.mark.parametrize("given, name", NAMES.items())
def test_service_name(given, name):
    assert service_name(given) == name


def test_name_systemctl_that_cannot_be_started():
    with pytest.raises(UnsupportedError, match="/nonexistent/systemctl cannot be started: No such file"):
        run_program("/nonexistent/systemctl", "show")
