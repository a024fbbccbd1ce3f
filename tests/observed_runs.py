# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of a trial as the tests of the verdict and of the answer need them."""

from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.verdict import (
    Actor,
    ObservedRun,
    Surroundings,
)

LIMIT_KB = 64 * 1024
HOG, DECOY, STRANGER = 101, 100, 666


def kill(*pids, **facts):
    """Return an event of the kernel log."""
    score = facts.pop("score", None)
    return dict(
        victims=[dict(pid=pid, name=f"p{pid}", oom_score_adj=score) for pid in pids], memcg=dict(path="/trial"), **facts
    )


def actor(role, wanted, **seen):
    pid = HOG if role == "hog" else DECOY
    return Actor(
        **dict(
            dict(
                role=role, pid=pid, name=role, wanted_score=wanted, score=wanted, exit=None, signal=None, outlived=True
            ),
            **seen,
        )
    )


KILLED = dict(signal=9, outlived=False)


def treatment(**changes):
    usual = dict(
        name="treatment",
        expected="hog",
        decoy=actor("decoy", -900),
        hog=actor("hog", 0, **KILLED),
        kills=[kill(HOG, score=0)],
        cgroup_oom_kill=1,
        lines=["Killed process 101 (hog)"],
        problems=[],
    )
    return ObservedRun(**dict(usual, **changes))


def control(**changes):
    usual = dict(
        name="control",
        expected="decoy",
        decoy=actor("decoy", 0, **KILLED),
        hog=actor("hog", 0),
        kills=[kill(DECOY)],
        cgroup_oom_kill=1,
        lines=[],
        problems=[],
    )
    return ObservedRun(**dict(usual, **changes))


def quiet(**changes):
    usual = dict(checked=70, lost=[], doubtful=[], unrelated=[], counted_kills=2, logged_kills=2, log_error=None)
    return Surroundings(**dict(usual, **changes))
