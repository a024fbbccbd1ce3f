# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kills of the kernel log are the trial's, could be, or have nothing to do with it."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.attribution import (
    TrialCgroup,
    find_own_path,
    path_of,
    pids_of,
    select_own_kills,
    sort_other_kills,
)

NAME = "oomguardtrial_7_100"
TRIAL = TrialCgroup(NAME, f"/user.slice/{NAME}", {10, 11}, counters_fit=True)


def kill(*pids, path=None, constraint="memcg"):
    """Return an event of the kernel log."""
    memcg = dict(path=path) if constraint == "memcg" else None
    return dict(constraint=constraint, memcg=memcg, victims=[dict(pid=pid, name=f"p{pid}") for pid in pids])


def test_pids_of_all_victims():
    assert pids_of([kill(1, 2), kill(3)]) == {1, 2, 3}


def test_path_of_the_cgroup_that_hit_its_limit():
    assert [path_of(kill(1, path="/a")), path_of(kill(1)), path_of(kill(1, constraint="none"))] == ["/a", None, None]


OTHERS = {
    "another cgroup": (kill(1, path="/system.slice/x.service"), TRIAL, None),
    "a cgroup beside": (kill(1, path="/user.slice/other"), TRIAL, None),
    "a name that begins alike": (kill(1, path="/user"), TRIAL, None),
    "no path, but the counters fit": (kill(1), TRIAL, None),
    "no path": (kill(1), TRIAL._replace(counters_fit=False), "its cgroup is not in the log"),
    "the whole host": (kill(1, constraint="none"), TRIAL, "not at the limit of a memory cgroup"),
    "a cpuset": (kill(1, constraint="cpuset"), TRIAL, "not at the limit of a memory cgroup"),
    "unknown": (kill(1, constraint=None), TRIAL, "not at the limit of a memory cgroup"),
    "a process of ours": (kill(10, path="/a"), TRIAL, "a process of the trial"),
    "our own cgroup": (kill(1, path=TRIAL.path), TRIAL, f"its cgroup /user.slice/{NAME} is the trial's"),
    "the cgroup above": (kill(1, path="/user.slice"), TRIAL, "its cgroup /user.slice contains the trial"),
    "the root": (kill(1, path="/"), TRIAL, "its cgroup / contains the trial"),
    "below our own cgroup": (kill(1, path=f"{TRIAL.path}/b"), TRIAL, f"its cgroup /user.slice/{NAME}/b is the trial's"),
    "our name elsewhere": (kill(1, path=f"/a/{NAME}/b"), TRIAL, None),
    "our name within a name": (kill(1, path=f"/user.slice/{NAME}x"), TRIAL, None),
    "a short name of ours": (kill(1, path="/data/a"), TRIAL._replace(name="a", path="/a"), None),
    "our name, our place is unknown": (
        kill(1, path=f"/a/{NAME}/b"),
        TRIAL._replace(path=None),
        f"its cgroup /a/{NAME}/b is named like the trial's",
    ),
    "our name within a name, our place is unknown": (
        kill(1, path=f"/a/x{NAME}"),
        TRIAL._replace(path=None),
        "where the trial's own cgroup is",
    ),
    "our place is unknown": (kill(1, path="/a"), TRIAL._replace(path=None), "where the trial's own cgroup is"),
    "our name and our place are unknown": (
        kill(1, path="/a"),
        TRIAL._replace(name="", path=None),
        "where the trial's own cgroup is",
    ),
    "a trial in the root cgroup": (kill(1, path="/a"), TRIAL._replace(name="", path="/"), None),
}


@pytest.mark.parametrize("event, trial, reason", OTHERS.values(), ids=list(OTHERS))
def test_sort_other_kills(event, trial, reason):
    unrelated, doubtful = sort_other_kills([event], trial)
    if reason is None:
        assert (unrelated, doubtful) == ([event], [])
    else:
        assert (unrelated, doubtful[0][0]) == ([], event)
        assert reason in doubtful[0][1]


OWN = {
    "by path": (kill(10, path=f"/{NAME}"), "cgroup", True),
    "by path, in a namespace": (kill(10, path=f"/docker/x/{NAME}"), "cgroup", True),
    "by pid": (kill(10), "cgroup", True),
    "a stranger in our cgroup": (kill(1, path=f"/{NAME}"), "cgroup", True),
    "another path": (kill(10, path="/a"), "cgroup", False),
    "a stranger": (kill(1), "cgroup", False),
    "the whole host": (kill(10, constraint="none"), "cgroup", False),
    "a member, on the host": (kill(10, constraint="none"), "host", True),
    "a stranger, on the host": (kill(1, constraint="none"), "host", False),
    "a limit, on the host": (kill(10, path="/a"), "host", False),
}


@pytest.mark.parametrize("event, scope, is_own", OWN.values(), ids=list(OWN))
def test_select_own_kills(event, scope, is_own):
    assert select_own_kills([event], NAME, {10, 11}, scope) == ([event] if is_own else [])


@pytest.mark.parametrize(
    "paths, found",
    [
        ([], None),
        ([None, f"/docker/x/{NAME}"], f"/docker/x/{NAME}"),
        ([f"/{NAME}"], f"/{NAME}"),
        ([f"/{NAME}/below"], None),
        ([f"/a/{NAME}x"], None),
    ],
)
def test_find_our_path_in_our_own_kills(paths, found):
    assert find_own_path([kill(10, path=path) for path in paths], NAME) == found
