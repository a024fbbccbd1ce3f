# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every pin of a host is taken back, and nothing else: to the byte, and to the score."""

import os
import shutil

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import finder
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.all_pins import plan_removal_of_all
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_locked
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.results import pin_results

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a record, and drop-ins")

OURS = HEADER + "\n[Service]\nOOMScoreAdjust=-500\n"
THEIRS = "[Service]\nOOMScoreAdjust=-100\nNice=5\n"


def unit_pin(unit, score=-500, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def pin(host, *pins):
    apply_locked(host.proc.procfs, host.systemd(), lambda: host.plan(*pins))


def plan_all(host, force=False):
    return plan_removal_of_all(host.proc.procfs, host.systemd(), 0, force)


def take_back_all(host, force=False):
    """Return the result of a run, which must be what check mode has shown."""
    plan = plan_all(host, force)
    planned = pin_results(plan.outcomes, plan.killable)
    before = files(host)
    plan, applied = apply_locked(host.proc.procfs, host.systemd(), lambda: plan_all(host, force))
    done = pin_results(applied.outcomes, plan.killable)
    assert done == planned
    assert done["changed"] == (files(host) != before)
    return dict(done, warnings=plan.warnings + applied.warnings)


def files(host):
    """Return all that a pin may change, without the folder of the lock, which stays."""
    found, scores = host.files()
    return {path: text for path, text in found.items() if "/run/oomguard" not in path}, scores


def test_nothing_to_take_back(host):
    before = files(host)
    results = take_back_all(host)
    assert (results["changed"], results["msg"]) == (False, "no pin of this collection is on this host")
    assert (results["report"], results["targets"], results["diff"]) == ([], [], {"before": "", "after": ""})
    assert files(host) == before


def test_all_is_as_it_was(host):
    """Units, a unit that is gone, single processes, a whole cgroup, and children of these."""
    host.proc.write("22/oom_score_adj", "700\n")
    host.proc.write("70/oom_score_adj", "250\n")
    host.write("etc/systemd/system/mariadb.service.d/90-theirs.conf", THEIRS)
    host.add("gone")
    before = files(host)
    pin(
        host,
        unit_pin("docker", children="pin"),
        unit_pin("mariadb", -600, oom_policy="continue"),
        unit_pin("containerd", -900),
        unit_pin("gone"),
        Pin("process", "java", -300),
        Pin("cgroup", "/system.slice/cron.service", -200),
    )
    host.known["gone.service"].update(LoadState="not-found", FragmentPath="")
    host.proc.process(71, "jmap", score=-300, parent=70, cgroup="/system.slice/jenkins.service")
    results = take_back_all(host)
    host.known["gone.service"].update(LoadState="loaded")
    assert host.scores(10, 11, 20, 21, 22, 70, 71) == [0, 0, 0, 0, 700, 250, 0]
    assert files(host)[0] == before[0]
    assert not (host.root / "run/oomguard/scores").exists()
    assert [target["target"] for target in results["targets"]][-1] == "record=/run/oomguard/scores"
    assert len(results["targets"]) == 5  # four units; java, docker-proxy and three processes of cron are one
    again = take_back_all(host)
    assert (again["changed"], again["targets"]) == (False, [])


def test_check_mode_lists_all_first(host):
    pin(host, unit_pin("docker"), unit_pin("mariadb"), Pin("pid", "70", 5))
    plan = plan_all(host)
    results = pin_results(plan.outcomes, plan.killable, planned=True)
    assert results["report"] == [
        "dockerd[10]: -500 -> 0, drop-in to be removed (docker.service)",
        "mariadb.service is not running: drop-in to be removed",
        "java[70]: 5 -> 0 (jenkins.service)",
    ]
    assert results["msg"] == "3 pins would change, 0 unchanged"
    assert "# /etc/systemd/system/mariadb.service.d/60-oomguard.conf" in results["diff"]["before"]
    assert results["diff"]["after"] == "10 dockerd oom_score_adj 0\n70 java oom_score_adj 0\n"


STRAYS = {
    "a copy with another name": "etc/systemd/system/docker.service.d/99-copy.conf",
    "in /run": "run/systemd/system/docker.service.d/60-oomguard.conf",
    "of a template": "etc/systemd/system/getty@.service.d/60-oomguard.conf",
    "of a socket": "etc/systemd/system/docker.socket.d/60-oomguard.conf",
    "of every service": "etc/systemd/system/service.d/60-oomguard.conf",
    "of an alias": "etc/systemd/system/sshd.service.d/60-oomguard.conf",
    "of a unit that is gone": "etc/systemd/system/gone.service.d/60-oomguard.conf",
    "of no unit": "etc/systemd/system/a b.d/60-oomguard.conf",
}


@pytest.mark.parametrize("path", STRAYS.values(), ids=list(STRAYS))
def test_drop_in_is_ours_by_its_header(host, path):
    before = files(host)
    host.write(path, OURS)
    host.reload()
    results = take_back_all(host)
    assert results["changed"] and len(results["targets"]) == 1
    assert files(host) == before


FOREIGN = {
    "without our header": "[Service]\nOOMScoreAdjust=-500\n",
    "empty": "",
    "that quotes it": f"[Service]\nExecStart=/bin/echo {HEADER}\n",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=list(FOREIGN))
def test_drop_in_of_a_colleague_stays(host, text):
    host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", text)
    (host.root / "etc/systemd/system/fifo.d").mkdir()
    os.mkfifo(str(host.root / "etc/systemd/system/fifo.d/x.conf"))
    (host.root / "etc/systemd/system/dangling.d").symlink_to("/nonexistent")
    host.reload()
    before = files(host)
    assert not take_back_all(host)["changed"]
    assert files(host) == before


def test_lines_of_a_colleague_in_our_drop_in_stay(host):
    host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", "[Service]\nNice=5\n")
    before = files(host)
    pin(host, unit_pin("docker"))
    assert HEADER in host.drop_in("docker")
    results = take_back_all(host)
    assert files(host) == before
    assert results["report"] == ["dockerd[10]: -500 -> 0, drop-in restored (docker.service)"]


@pytest.mark.parametrize("alias", ["moby", "container-engine"])  # before the folder in order, and after it
def test_folder_that_a_link_leads_to_is_searched_once(host, alias):
    pin(host, unit_pin("docker"))
    (host.root / f"etc/systemd/system/{alias}.service.d").symlink_to("docker.service.d")
    assert len(take_back_all(host)["targets"]) == 1
    assert (host.drop_in("docker"), host.scores(10)) == (None, [0])


BIG = "#" * (2 << 20)


@pytest.mark.parametrize(
    "unit, scores, end",
    [
        ("big", [0, 0], "; if it holds a pin of this collection, that pin stays"),
        ("docker", [-500, 0], "; docker.service loses our drop-in, but its processes keep their scores: restart it"),
    ],
)
def test_file_that_cannot_be_read_costs_no_other_pin(host, unit, scores, end):
    pin(host, unit_pin("docker"), Pin("pid", "70", 5))
    host.write(f"etc/systemd/system/{unit}.service.d/x.conf", BIG)
    warnings = take_back_all(host)["warnings"]
    start = f"/etc/systemd/system/{unit}.service.d/x.conf cannot be read: it is longer than 1 MiB: move it away"
    assert start + end in warnings
    assert (host.drop_in("docker"), host.scores(10, 70)) == (None, scores)


def test_host_is_read_once_for_all_recorded_processes(host, monkeypatch):
    """Whatever their number: no other run writes meanwhile."""
    tables = []

    class CountedTable(ProcessTable):
        def __init__(self, procfs):
            tables[-1] += 1
            super().__init__(procfs)

    monkeypatch.setattr(finder, "ProcessTable", CountedTable)
    for number in (1, 20):
        pids = range(1000, 1000 + number)
        for pid in pids:
            host.proc.process(pid, "worker")
        pin(host, *(Pin("pid", str(pid), 5) for pid in pids))
        tables.append(0)
        take_back_all(host)
        assert set(host.scores(*pids)) == {0}
    assert tables[0] == tables[1] > 0


def test_what_a_killed_run_left_goes(host):
    before = files(host)
    host.write("etc/systemd/system/gone.service.d/.60-oomguard.conf.new", "[Serv")
    assert take_back_all(host)["changed"]
    assert files(host) == before


def test_without_systemd_files_go_all_the_same(host):
    """An image that was built with systemd, and runs without it."""
    before = files(host)
    host.write("etc/systemd/system/docker.service.d/60-oomguard.conf", OURS)
    (host.root / "run/systemd/system").rmdir()
    pin(host, Pin("pid", "70", 5))
    host.calls.clear()
    assert take_back_all(host)["report"][0] == (
        "/etc/systemd/system/docker.service.d/60-oomguard.conf: drop-in removed"
    )
    (host.root / "run/systemd/system").mkdir()
    assert (files(host), host.calls) == (before, [])


def test_failure_puts_all_pins_back(host, monkeypatch):
    pin(host, unit_pin("docker"), Pin("pid", "70", 5))
    host.write("run/systemd/system/x.d/y.conf", OURS)
    before = files(host)
    real = host.ask

    def fail(*command):
        if command[1] == "daemon-reload":
            raise AccessError("systemctl daemon-reload failed: no bus")
        return real(*command)

    monkeypatch.setattr(host, "ask", fail)
    with pytest.raises(Exception, match="no bus"):
        apply_locked(host.proc.procfs, host.systemd(), lambda: plan_all(host))
    assert files(host) == before


def test_process_that_took_over_a_pid_keeps_its_score(host):
    pin(host, Pin("pid", "70", 5))
    shutil.rmtree(str(host.proc.root / "70"))
    host.proc.process(70, "innocent", start_time=999, score=5)
    assert not take_back_all(host)["changed"]
    assert (host.scores(70), (host.root / "run/oomguard/scores").exists()) == ([5], False)


def test_immunity_that_a_process_had_comes_back(host):
    """It had it before: no guard has to judge that again."""
    host.proc.process(73, "bash", score=-1000, cgroup="/system.slice/jenkins.service")
    pin(host, Pin("pid", "73", 5))
    take_back_all(host)
    assert host.scores(73) == [-1000]


def test_pin_over_an_inherited_pin(host):
    """A fork of a pinned process has its score: with all pins, that score goes, too."""
    host.proc.process(72, "jmap", parent=70, cgroup="/system.slice/jenkins.service")
    before = files(host)
    pin(host, unit_pin("docker"), Pin("pid", "70", 300))
    host.proc.write("11/oom_score_adj", "-500\n")  # forked by docker's main process since
    host.proc.write("72/oom_score_adj", "300\n")
    pin(host, Pin("pid", "70", 500, children="pin"), Pin("pid", "11", 400))
    assert host.scores(10, 11, 70, 72) == [-500, 400, 500, 500]
    take_back_all(host)
    assert files(host) == before


def test_main_process_is_taken_back_once(host):
    """It has two pins: the drop-in of its unit, and a later one by its pid."""
    before = files(host)
    pin(host, unit_pin("docker"))
    pin(host, Pin("pid", "10", -700))
    assert len(take_back_all(host)["targets"]) == 1
    assert files(host) == before


def test_user_is_told_to_become_root(host, as_nobody):
    pin(host, Pin("pid", "70", 5))
    expected = "scores cannot be read: ran as uid 65534: add become: true"
    with as_nobody(host.root), pytest.raises(AccessError, match=expected):
        plan_all(host)


def break_record(host, monkeypatch):
    (host.root / "run/oomguard").mkdir(mode=0o700)
    host.write("run/oomguard/scores", "{")
    (host.root / "run/oomguard/scores").chmod(0o600)


def fill_disk(host, monkeypatch):
    """Fail as open(2) of a full file system does, in every write of the record."""

    def fail(_record, _content):
        raise AccessError("/run/oomguard/scores cannot be written: No space left on device: free some")

    monkeypatch.setattr(PinRecord, "_save", fail)


@pytest.mark.parametrize("spoil", [break_record, fill_disk])
def test_pin_holds_without_its_record(host, monkeypatch, spoil):
    spoil(host, monkeypatch)
    _plan, applied = apply_locked(
        host.proc.procfs, host.systemd(), lambda: host.plan(Pin("pid", "70", 5), Pin("pid", "32", 6))
    )
    assert host.scores(70, 32) == [5, 6]
    [warning] = applied.warnings
    assert warning.startswith("/run/oomguard/scores ")
    assert warning.endswith(
        "; the scores before this pin are not recorded:"
        " state=absent gives the processes the score of their unit or parent"
    )
