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


OWN_PATH = f"/user.slice/{NAME}"
# The events, the trial's path as this host shows it, the scope, and which events are the trial's.
OWN = {
    "our path": ([kill(10, path=OWN_PATH)], OWN_PATH, "cgroup", [0]),
    "by pid, the report has no path": ([kill(10)], OWN_PATH, "cgroup", [0]),
    "a stranger in our cgroup": ([kill(1, path=OWN_PATH)], OWN_PATH, "cgroup", [0]),
    "our name elsewhere": ([kill(1, path=f"/user.slice/x/{NAME}")], OWN_PATH, "cgroup", []),
    "our name as a part": ([kill(1, path=f"/{NAME}/user.slice")], OWN_PATH, "cgroup", []),
    "a cgroup below ours": ([kill(1, path=f"{OWN_PATH}/x")], OWN_PATH, "cgroup", []),
    "another path": ([kill(10, path="/a")], OWN_PATH, "cgroup", []),
    "a stranger": ([kill(1)], OWN_PATH, "cgroup", []),
    "the whole host": ([kill(10, constraint="none")], OWN_PATH, "cgroup", []),
    "a namespace, learned from a member": (
        [kill(1, path=f"/docker/x/{NAME}"), kill(10, path=f"/docker/x/{NAME}"), kill(2, path=f"/user.slice/{NAME}")],
        None,
        "cgroup",
        [0, 1],
    ),
    "a namespace, no member was killed": ([kill(1, path=f"/docker/x/{NAME}")], None, "cgroup", []),
    "a member, on the host": ([kill(10, constraint="none")], "/", "host", [0]),
    "a stranger, on the host": ([kill(1, constraint="none")], "/", "host", []),
    "a limit, on the host": ([kill(10, path="/a")], "/", "host", []),
}


@pytest.mark.parametrize("events, path, scope, own", OWN.values(), ids=list(OWN))
def test_select_own_kills(events, path, scope, own):
    assert select_own_kills(events, NAME, path, {10, 11}, scope) == [events[number] for number in own]


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
