# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which score may be written to which process, and why not."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Killable, Process
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.writes import (
    Write,
    choose_score,
    move_to_immune,
    refuse_write,
    runs_in,
)

UDEVD = "/system.slice/systemd-udevd.service"
SESSION = "/user.slice/user-1000.slice/user@1000.service"

# The cgroups of a process, the one that systemd reports for a service, whether it runs in it.
BELONGS = {
    "in it": ([UDEVD], UDEVD, True),
    "below it": ([UDEVD + "/worker"], UDEVD, True),
    "in one hierarchy of several": (["/", UDEVD], UDEVD, True),
    "in none": ([], UDEVD, False),
    "next to it": ([UDEVD + "x"], UDEVD, False),
    "a copy below a session": ([SESSION + UDEVD], UDEVD, False),
    "a name behind a form feed": ([SESSION + "/x\f0::" + UDEVD], UDEVD, False),
    "a delegated folder": (["/delegated" + UDEVD], UDEVD, False),
    "a service without a cgroup": ([UDEVD], "", False),
    "a service in the root": ([UDEVD], "/", False),
    "a service of a user": ([SESSION + "/app"], SESSION, False),
}


@pytest.mark.parametrize("cgroups, control_group, belongs", BELONGS.values(), ids=list(BELONGS))
def test_runs_in(cgroups, control_group, belongs):
    assert runs_in(cgroups, control_group) is belongs


@pytest.mark.parametrize("given, is_main, score", [(-999, False, -999), (-1000, False, 0), (-1000, True, -1000)])
def test_only_a_main_process_gets_immunity(given, is_main, score):
    assert choose_score(given, is_main) == score


def write(name="x", before=0, after=-500, now=None, is_heir=False, is_late=False, planned=None, cgroups=(), **pin):
    process = Process(7, name, 100, 1, False, 1000)
    return Write(
        Pin("cgroup", "/x", after, **pin),
        process,
        Change(process, before, after),
        before if now is None else now,
        is_heir,
        is_late,
        planned,
        list(cgroups),
    )


ALL_KILLABLE = Killable(2000, 0)

ACCEPTED = {
    "what a user asked for": write(),
    "immunity": write(after=-1000),
    "a score that the process has changed meanwhile": write(now=77),
    "an heir that has raised its score a little": write(before=-500, now=-499, after=0, is_heir=True),
    "an heir that has moved, but gets a higher score": write(
        before=-500, after=0, is_heir=True, planned=["/x"], cgroups=["/y"]
    ),
    "an heir": write(before=-500, after=0, is_heir=True, planned=["/x"], cgroups=["/x"]),
    "a job runner by force": write("cron", after=-1000, force=True),
    "late": write(after=-1000, is_late=True),
}


@pytest.mark.parametrize("accepted", ACCEPTED.values(), ids=list(ACCEPTED))
def test_accept(accepted):
    assert refuse_write(accepted, ALL_KILLABLE, 50) is None


REFUSED = {
    "an heir with a score of its own": (
        write(before=-500, now=300, after=0, is_heir=True),
        "cgroup=/x: process 7 (x) keeps its score 300: it has changed the score -500 that it inherited,"
        " and is left alone",
    ),
    "an heir that has moved": (
        write(before=-500, after=-900, is_heir=True, planned=["/x"], cgroups=["/y"]),
        "cgroup=/x: process 7 (x) keeps its score -500: it has moved to another cgroup during this run; run again",
    ),
    "an immune heir": (
        write(after=-1000, is_heir=True, planned=["/x"], cgroups=["/x"], force=True),
        "cgroup=/x: process 7 (x) keeps its score 0: no process inherits immunity;"
        " select it itself if it is to have -1000",
    ),
    "a job runner": (
        write("bash", after=-1000),
        "process 7 (bash) keeps its score 0: cgroup=/x at -1000: bash starts jobs, which would inherit immunity and"
        " leave the killer no victim: use -999 or higher, and oom_policy=continue (force=true overrides)",
    ),
}


@pytest.mark.parametrize("refused, words", REFUSED.values(), ids=list(REFUSED))
def test_refuse(refused, words):
    assert refuse_write(refused, ALL_KILLABLE, 50) == words


def test_refuse_late_immunity_that_leaves_too_little_killable():
    late = write(after=-1000, is_late=True)
    assert "min_killable_percent=51" in refuse_write(late, ALL_KILLABLE, 51)
    assert refuse_write(late._replace(is_late=False), ALL_KILLABLE, 51) is None  # the plan has counted it


def test_move_to_immune():
    assert move_to_immune(Killable(2000, 5), write().process) == Killable(1000, 1005)
