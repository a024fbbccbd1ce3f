# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Own trials are recognised by a cgroup that only root could have made."""

import os

import pytest
from event_lines import SHOP, events_of, report

from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.trial_places import TrialPlaces
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.leftovers import name_trial_cgroup

NAME = "oomguardtrial_1234_567890"
OWN = "/jobs/own"


@pytest.fixture
def host(proc, tmp_path):
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path / 'cgroup'} rw - cgroup cgroup rw,memory\n")
    proc.write("self/cgroup", f"4:memory:{OWN}\n")
    (tmp_path / ("cgroup" + OWN)).mkdir(parents=True)
    proc.cgroups = tmp_path / "cgroup"
    return proc


def is_own(host, event=None, **changes):
    [own] = events_of(report(**changes))
    return TrialPlaces(host.procfs).is_own(dict(own, **(event or {})))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's cgroups count")
@pytest.mark.parametrize(
    "path",
    [
        f"/{NAME}",
        f"/{NAME}.slice",
        f"/{NAME}.slice/{NAME}_0_hog.service",
        f"{OWN}/{NAME}",
        f"/jobs/{NAME}",
    ],
)
def test_where_trials_make_their_cgroup(host, path):
    assert is_own(host, limit=path)
    assert is_own(host, cause="none", task=path)
    assert is_own(host, limit="/jobs", task=path)


@pytest.mark.parametrize(
    "path",
    [
        f"/user.slice/user-1000.slice/user@1000.service/{NAME}",
        f"/user.slice/user-1000.slice/user@1000.service/{NAME}.slice",
        f"{SHOP}/{NAME}",
        f"/docker/{'0' * 64}/{NAME}",
        f"/other/{NAME}",
        f"/other/{NAME}/{NAME}",
        f"/{NAME}x",
        "/oomguardtrial_1",
        "/x" + NAME,
        "/a\nb/" + NAME,
        SHOP,
        "/",
    ],
)
def test_user_cannot_hide_a_kill(host, path):
    assert not is_own(host, limit=path)
    assert not is_own(host, cause="none", task=path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
@pytest.mark.parametrize("change", [lambda path: os.chown(path, 1000, 0), lambda path: os.chmod(path, 0o777)])
def test_cgroup_above_that_a_user_may_change(host, change):
    change(str(host.cgroups / "jobs"))
    assert not is_own(host, limit=f"{OWN}/{NAME}")


def test_only_the_kernels_own_record_counts(host):
    """A process may have any name, and a program may write any line."""
    assert not is_own(host, name="oomguard-hog")
    assert not is_own(host, name=NAME[:15])
    assert not is_own(host, limit=f"/{NAME}", event=dict(trusted=False))
    assert not is_own(host, limit=f"/{NAME}", event=dict(killer="systemd-oomd"))
    assert not is_own(host, limit=f"/{NAME}", event=dict(victims=[]))


def test_one_victim_elsewhere(host):
    """If the host ran out of memory, all victims have to be a trial's."""
    [event] = events_of(report(cause="none", task=f"/{NAME}"))
    event["victims"].append(dict(event["victims"][0], cgroup=SHOP))
    assert not TrialPlaces(host.procfs).is_own(event)


def test_host_without_cgroups(proc):
    proc.write("self/mountinfo", "")
    assert not is_own(proc, limit=f"/jobs/{NAME}")
    assert is_own(proc, limit=f"/{NAME}")


def test_name_is_the_one_that_trials_give(host):
    host.process(77, start_time=4711)
    with host.procfs.open(77) as directory:
        name = name_trial_cgroup(directory.process())
    assert is_own(host, limit=f"/{name}") and is_own(host, limit=f"/{name}.slice/x.service")
