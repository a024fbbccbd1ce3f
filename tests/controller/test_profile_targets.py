# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Combine profiles and a host's own targets."""

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.oomguard.linux.plugins.filter.protect_targets import FilterModule, protect_targets
from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.profile_targets import combine_targets

PROFILES = {
    "containers": [
        {"unit": "docker", "process": "dockerd", "score": -500, "source": "its unit"},
        {"unit": "crio", "process": "crio", "score": -999, "aliases": ["cri-o"], "source": "its unit"},
    ],
    "node": [
        {"unit": "exporter", "process": "exporter", "score": -999, "source": "pods have -997"},
        {"unit": "agent", "process": "agent", "score": -999, "oom_policy": "continue", "source": "its image"},
        {"unit": "snap.agent", "process": "agent", "score": -900, "oom_policy": "continue", "source": "the snap"},
    ],
    "database": [
        {"unit": "mariadb", "process": "mariadbd", "score": -600, "aliases": ["mysql"], "source": "its unit"},
        {"unit": "mysql", "process": "mysqld", "score": -600, "aliases": ["mariadb"], "source": "the same"},
    ],
    "observers": [
        {"unit": "exporter", "process": "exporter", "score": -250, "children": "reset", "source": "the journal"}
    ],
    "brokers": [{"unit": "kafka", "score": -500, "source": "as another broker"}],
}

DOCKER = {"unit": "docker", "score": -500, "missing": "ignore", "state": "present"}
CRIO = {"unit": "crio", "score": -999, "missing": "ignore", "state": "present"}
EXPORTER = {"unit": "exporter", "score": -999, "missing": "ignore", "state": "present"}
OBSERVER = {"unit": "exporter", "score": -250, "children": "reset", "missing": "ignore", "state": "present"}
AGENT = {"unit": "agent", "score": -999, "oom_policy": "continue", "missing": "ignore", "state": "present"}
SNAP = {"unit": "snap.agent", "score": -900, "oom_policy": "continue", "missing": "ignore", "state": "present"}


def own(**target):
    return dict({"state": "present"}, **target)


CASES = {
    "an entry without a process, if pins are not persistent": ([], ["brokers"], {"persistent": False}, []),
    "no profile and no target": ([], [], {}, []),
    "a profile": ([], ["containers"], {}, [DOCKER, CRIO]),
    "profiles as text, as from the command line": ([], "containers,observers", {}, [DOCKER, CRIO, OBSERVER]),
    "an unanswered survey question": ([], "", {}, []),
    "an empty name among others": ([], ["", "containers"], {}, [DOCKER, CRIO]),
    "a profile twice": ([], ["containers", "containers"], {}, [DOCKER, CRIO]),
    "the lower score wins": ([], ["observers", "node"], {}, [EXPORTER, AGENT, SNAP]),
    "the lower score wins, whatever the order": ([], ["node", "observers"], {}, [EXPORTER, AGENT, SNAP]),
    "targets alone": ([{"pid": 7, "score": 0}], [], {}, [own(pid=7, score=0)]),
    "targets come last": ([{"process": "x", "score": 1}], ["observers"], {}, [OBSERVER, own(process="x", score=1)]),
    "a unit of no profile": ([{"unit": "x", "score": 1}], [], {}, [own(unit="x", score=1, persistent=True)]),
    "a unit replaces": (
        [{"unit": "docker", "score": -900, "missing": "fail"}],
        ["containers"],
        {},
        [CRIO, own(unit="docker", score=-900, missing="fail", persistent=True)],
    ),
    "a unit by its full name replaces": (
        [{"unit": "docker.service", "score": -900}],
        ["containers"],
        {},
        [CRIO, own(unit="docker.service", score=-900, persistent=True)],
    ),
    "a unit by its alias replaces": (
        [{"unit": "cri-o", "score": -900}],
        ["containers"],
        {},
        [DOCKER, own(unit="cri-o", score=-900, persistent=True)],
    ),
    "a process replaces the other names of its unit": (
        [{"process": "mariadbd", "score": -900}],
        ["database"],
        {},
        [own(process="mariadbd", score=-900)],
    ),
    "a process replaces all units that run it": (
        [{"process": "agent", "score": 0}],
        ["node"],
        {},
        [EXPORTER, own(process="agent", score=0)],
    ),
    "another selector with the same value replaces nothing": (
        [{"container": "docker", "score": 0}],
        ["containers"],
        {},
        [DOCKER, CRIO, own(container="docker", score=0)],
    ),
    "selectors without a value select nothing": (
        [{"unit": None, "process": None, "pid": 7, "score": 0}],
        ["containers"],
        {},
        [DOCKER, CRIO, own(unit=None, process=None, pid=7, score=0)],
    ),
    "an absent target removes an entry": (
        [{"unit": "docker", "state": "absent"}],
        ["containers"],
        {},
        [CRIO, {"unit": "docker", "persistent": True, "state": "absent"}],
    ),
    "not persistent: by process, without keys of units": (
        [],
        ["node"],
        {"persistent": False},
        [
            {"process": "exporter", "score": -999, "missing": "ignore", "state": "present"},
            {"process": "agent", "score": -999, "missing": "ignore", "state": "present"},
        ],
    ),
    "not persistent: units too, unless they set it themselves": (
        [{"unit": "x", "score": 1}, {"unit": "y", "score": 1, "persistent": True}, {"process": "z", "score": 1}],
        [],
        {"persistent": False},
        [own(unit="x", score=1, persistent=False), own(unit="y", score=1, persistent=True), own(process="z", score=1)],
    ),
    "not persistent: a unit replaces an entry that is pinned by process": (
        [{"unit": "docker", "score": 1}],
        ["containers"],
        {"persistent": False},
        [
            {"process": "crio", "score": -999, "missing": "ignore", "state": "present"},
            own(unit="docker", score=1, persistent=False),
        ],
    ),
    "absent: no score and no policy": (
        [
            {
                "unit": "x",
                "score": 1,
                "oom_policy": "kill",
                "managed_oom_preference": "omit",
                "children": "reset",
            },
            {"pid": 7, "score": 0, "state": "present"},
        ],
        ["node"],
        {"state": "absent"},
        [
            {"unit": "exporter", "missing": "ignore", "state": "absent"},
            {"unit": "agent", "missing": "ignore", "state": "absent"},
            {"unit": "snap.agent", "missing": "ignore", "state": "absent"},
            {"unit": "x", "children": "reset", "persistent": True, "state": "absent"},
            {"pid": 7, "state": "absent"},
        ],
    ),
}


@pytest.mark.parametrize("targets, chosen, options, expected", CASES.values(), ids=list(CASES))
def test_combine_profiles_and_targets(targets, chosen, options, expected):
    assert protect_targets(targets, PROFILES, chosen, **options) == expected


def test_input_is_not_changed():
    targets = [{"unit": "x", "score": 1}]
    protect_targets(targets, PROFILES, ["containers"], state="absent")
    assert targets == [{"unit": "x", "score": 1}]
    assert PROFILES["containers"][0] == {"unit": "docker", "process": "dockerd", "score": -500, "source": "its unit"}


def test_refuse_unknown_profile():
    with pytest.raises(InputError, match="profile db does not exist"):
        combine_targets([], PROFILES, ["db"])
    with pytest.raises(
        AnsibleFilterError, match="profile nodes, db does not exist: choose from containers, node, database, observers"
    ):
        protect_targets([], PROFILES, ["nodes", "containers", "db"])


def test_ansible_finds_the_filter():
    assert FilterModule().filters() == {"protect_targets": protect_targets}
