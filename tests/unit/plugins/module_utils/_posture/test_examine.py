# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules oom_info and oom_report_host share: tests/unit/plugins/modules has the rest."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._posture import examine

OPTIONS = {"domain": "host", "grower": None, "what_if": None, "top": 0}


def fail(*_arguments):
    raise AccessError("it cannot be read")


def test_posture_and_result_are_of_one_snapshot(fake_host):
    warnings = []
    examined = examine.examine_host(OPTIONS, warnings)
    assert (warnings, examined.unread) == ([], [])
    assert examined.results["ranking"] == [] and examined.results["if_it_grows"] == []
    assert examined.results["next_victim"]["pid"] in examined.posture.snapshot.tasks
    assert [one["name"] for one in examined.results["protected"]] == ["sshd"]


@pytest.mark.parametrize(
    "part, function",
    [
        ("sysctls", "read_policy"),
        ("units", "read_units"),
        ("pins", "read_recorded_pins"),
        ("kills", "read_kill_counts"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(fake_host, monkeypatch, part, function):
    """The others are read all the same."""
    monkeypatch.setattr(examine, function, fail)
    warnings = []
    examined = examine.examine_host(OPTIONS, warnings)
    assert examined.unread == [part]
    assert len(warnings) == 1 and warnings[0].endswith(": it cannot be read")
    assert examined.results["next_victim"]["name"] == "postgres"


def test_systemd_that_answers_half_is_a_part_that_cannot_be_read(fake_host, monkeypatch):
    monkeypatch.setattr(examine, "Systemd", lambda: Systemd(str(fake_host.root), lambda *_words: lambda: "Id=cut off"))
    assert examine.examine_host(OPTIONS, []).unread == ["units"]


def test_names_of_users_have_a_bound():
    names = examine.UserNames()
    assert names.find(0) == "root"
    assert [names.find(uid) for uid in range(3000000000, 3000000030)] == [
        str(uid) for uid in range(3000000000, 3000000030)
    ]
    assert len(names._names) == 20
