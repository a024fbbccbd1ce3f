# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which score a process gets back, which children keep one, and which services are selected."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import pin_record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_locked
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a record")


def unit_pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def unit_absent(unit, **options):
    return unit_pin(unit, None, state="absent", **options)


def absent(selector, value, **options):
    return Pin(selector, value, None, "absent", **options)


def locked(host, *pins):
    """Plan and write as a run does, under the lock."""
    plan, applied = apply_locked(host.proc.procfs, host.systemd(), lambda: host.plan(*pins))
    return plan.warnings + applied.warnings


def record(host):
    file = host.root / "run/oomguard/scores"
    return file.exists()


# --- the score before ---------------------------------------------------------------------

SELECTED = {
    "by its name": ("process", "java"),
    "by its pid": ("pid", "70"),
    "by its cgroup": ("cgroup", "/system.slice/jenkins.service"),
}


@pytest.fixture
def jenkins(host):
    """Add a unit whose process has a score of its own."""
    host.add("jenkins", 70, fragment="OOMScoreAdjust=-100\n")
    host.proc.write("70/oom_score_adj", "250\n")
    return host


@pytest.mark.parametrize("selector, value", SELECTED.values(), ids=list(SELECTED))
def test_absent_gives_back_the_score_before(jenkins, selector, value):
    """Neither that of its unit, -100, nor that of its parent, 0."""
    locked(jenkins, Pin(selector, value, -300))
    locked(jenkins, Pin(selector, value, -400))
    assert (jenkins.scores(70), record(jenkins)) == ([-400], True)
    locked(jenkins, absent(selector, value))
    assert (jenkins.scores(70), record(jenkins)) == ([250], False)


def test_absent_of_what_another_program_has_set_since(jenkins):
    locked(jenkins, Pin("pid", "70", -300))
    jenkins.proc.write("70/oom_score_adj", "-50\n")
    locked(jenkins, absent("pid", "70"))
    assert (jenkins.scores(70), record(jenkins)) == ([-100], False)


def test_absent_without_a_change_removes_an_old_record(jenkins):
    locked(jenkins, Pin("pid", "70", -300))
    jenkins.proc.write("70/oom_score_adj", "-100\n")
    plan = jenkins.plan(absent("pid", "70"))
    assert (plan.changed, plan.finder.has_stale_record) == (False, True)
    locked(jenkins, absent("pid", "70"))
    assert not record(jenkins)


def test_absent_of_the_whole_unit_gives_back_the_scores_before(host):
    host.proc.write("22/oom_score_adj", "700\n")
    locked(host, unit_pin("cron", -300, children="pin"))
    assert host.scores(20, 21, 22) == [-300] * 3
    locked(host, unit_absent("cron", children="pin"))
    assert (host.scores(20, 21, 22), record(host)) == ([0, 0, 700], False)


def test_main_process_of_a_unit_with_a_drop_in_needs_no_record(host):
    locked(host, unit_pin("docker"))
    assert not record(host)


def test_absent_of_unit_after_a_pin_by_pid(host):
    """Both pins are taken back: that of the unit, and the later one of its process."""
    locked(host, unit_pin("docker"))
    locked(host, Pin("pid", "10", -700))
    locked(host, unit_absent("docker"))
    assert (host.scores(10), record(host)) == ([0], False)


def test_absent_of_unit_that_was_pinned_without_a_drop_in(host):
    host.proc.write("10/oom_score_adj", "-100\n")
    locked(host, unit_pin("docker", persistent=False))
    locked(host, unit_absent("docker", persistent=False))
    assert (host.scores(10), record(host)) == ([-100], False)


def test_immunity_of_before_passes_the_guards(host):
    for pid in (22, 70):
        host.proc.write(f"{pid}/oom_score_adj", "-1000\n")
        locked(host, Pin("pid", str(pid), 5))
    locked(host, absent("pid", "22"))
    assert host.scores(22) == [-1000]
    with pytest.raises(InputError, match="pid=70 at -1000: jenkins starts jobs"):
        locked(host, absent("pid", "70"))


def test_record_that_cannot_be_brought_up_to_date_is_a_warning(host, monkeypatch):
    """All pins are written, and an entry too many does no harm."""
    locked(host, Pin("pid", "70", -300))
    before = (host.root / "run/oomguard/scores").read_bytes()

    def fail(*_arguments):
        raise AccessError("/run/oomguard/scores cannot be written: No space left on device: free space")

    monkeypatch.setattr(pin_record.PinRecord, "settle", fail)
    assert any("scores cannot be written" in warning for warning in locked(host, Pin("pid", "70", -700)))
    assert host.scores(70) == [-700]
    assert (host.root / "run/oomguard/scores").read_bytes() != before  # it has both until the next run
    monkeypatch.undo()
    monkeypatch.setattr(
        "ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply.SECOND_LOOK_SECONDS", 0
    )
    locked(host, absent("pid", "70"))
    assert (host.scores(70), record(host)) == ([0], False)


def test_too_many_processes_are_a_warning(host, monkeypatch):
    monkeypatch.setattr(pin_record, "MAX_ENTRIES", 1)
    warnings = locked(host, Pin("cgroup", "/system.slice/cron.service", -300))
    assert any("the scores of 2 processes before this pin were not recorded" in warning for warning in warnings)


# --- children -----------------------------------------------------------------------------


def test_children_that_inherited_are_reported_in_every_run(host):
    """A restart of the unit, or a fork, gave two children the score."""
    locked(host, unit_pin("cron", -400))
    for pid in (21, 22):
        host.proc.write(f"{pid}/oom_score_adj", "-400\n")
    for _run in range(2):
        results = host.results(unit_pin("cron", -400))
        assert not results["changed"]
        [warning] = [one for one in results["warnings"] if "inherited" in one]
        assert warning == (
            "unit=cron.service: 2 other processes have inherited the score -400: use children=reset, or children=pin"
            " if they are to have it: process 21 (sh), process 22 (backup)"
        )
        assert results["not_lasting"] == [
            {"target": "unit=cron.service", "unit": "cron.service", "reason": "inherited by 2 children"}
        ]
        assert results["msg"] == "cron[20]: -400, no change; not lasting: inherited by 2 children"
    for children in ("pin", "reset"):
        assert host.results(unit_pin("cron", -400, children=children))["not_lasting"] == []


def test_absent_resets_only_children_with_the_removed_score(host):
    """What the unit itself gives is no pin: containerd's helpers keep it."""
    for pid in (40, 41, 42):
        host.proc.process(pid, "shimd", score=-999, parent=1 if pid == 40 else 40, cgroup="/system.slice/shimd.service")
    host.add("shimd", 40, fragment="OOMScoreAdjust=-999\n", children=[41, 42])
    locked(host, unit_pin("shimd", -500))
    host.proc.write("41/oom_score_adj", "-500\n")
    locked(host, unit_absent("shimd", children="reset"))
    assert host.scores(40, 41, 42) == [-999, -999, -999]


def test_absent_resets_children_of_a_unit_that_has_ended_them_its_own_way(host):
    """The main process has set its own score; the children still have that of the drop-in."""
    locked(host, unit_pin("cron", -400))
    for pid, score in ((20, 7), (21, -400)):
        host.proc.write(f"{pid}/oom_score_adj", f"{score}\n")
    locked(host, unit_absent("cron", children="reset"))
    assert host.scores(20, 21) == [7, 0]


# --- several processes of a service ----------------------------------------------------------


@pytest.fixture
def postgres(host):
    """Add a postmaster at -900 with five backends, as Debian runs it."""
    host.proc.process(812, "postgres", score=-900, cgroup="/system.slice/postgresql@15-main.service")
    for pid in range(813, 818):
        host.proc.process(pid, "postgres", parent=812, cgroup="/system.slice/postgresql@15-main.service")
    host.add("postgresql@15-main", 812, children=list(range(813, 818)))
    return host


@pytest.mark.parametrize("pin", [Pin("process", "postgres", -500), Pin("process", "postgres", -500, force=True)])
def test_name_of_several_processes_of_a_unit(postgres, pin):
    [warning] = postgres.plan(pin).warnings
    assert warning == (
        "process=postgres selects 6 processes of postgresql@15-main.service, and raises process 812 (postgres) from"
        " -900: select by unit=postgresql@15-main.service, which pins its main process, and also the next one"
    )


def test_no_warning_where_several_are_meant(postgres):
    for pin in (
        Pin("process", "postgres", -500, children="pin"),
        Pin("cgroup", "/system.slice/postgresql@15-main.service", -500),
        absent("process", "postgres"),
    ):
        assert not any("selects 6" in warning for warning in postgres.plan(pin).warnings)


# --- containers -------------------------------------------------------------------------------


def test_container_has_its_name(host, monkeypatch):
    container = "c" * 64
    (host.cgroups / f"docker/{container}").mkdir(parents=True)
    (host.cgroups / f"docker/{container}/cgroup.procs").write_text("40\n")
    host.proc.process(40, "nginx", cgroup=f"/docker/{container}")
    monkeypatch.setattr(
        "ansible_collections.oomguard.linux.plugins.module_utils._host.containers.find_container_name",
        lambda found, _users: {container: "web1"}[found],
    )
    results = host.results(Pin("container", container[:12], 500))
    assert results["report"] == ["web1 (cccccccccccc): nginx[40]: 0 -> 500; not lasting: has no unit"]
    [target] = results["targets"]
    assert (target["container_id"], target["container_name"]) == (container, "web1")
