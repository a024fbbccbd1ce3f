# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules oom_info and oom_report_host share: tests/unit/plugins/modules has the rest."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import LostPin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import RecordedPin
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


def test_the_successor_of_a_pinned_process_is_younger_and_selected(fake_host, tmp_path):
    """Other processes have its name, too: older ones, those of users, those of other pid files."""
    for pid in (40, 60, 61):
        fake_host.process(pid, "worker", 1000)
    fake_host.process(62, "worker", 1000, cgroup="/user.slice/user-1000.slice/session-1.scope", uid=1000)
    (tmp_path / "pid").write_text("61\n")
    (tmp_path / "old").write_text("40\n")
    (tmp_path / "broken").write_text("?\n")
    ended = [
        RecordedPin(50 + number, 50 + number, 0, frozenset([-500]), target)
        for number, target in enumerate(["process=worker", f"pidfile={tmp_path}/pid", f"pidfile={tmp_path}/old"])
    ]
    ended += [RecordedPin(57, 57, 0, frozenset([-500]), f"pidfile={tmp_path}/{name}") for name in ("broken", "none")]
    found = examine.find_successors(ended, fake_host.proc.procfs, Systemd(str(fake_host.root)))
    assert sorted(found, key=lambda one: (-len(one.successors), one.target)) == [
        LostPin("process=worker", -500, (60, 61)),
        LostPin(f"pidfile={tmp_path}/pid", -500, (61,)),
        LostPin(f"pidfile={tmp_path}/broken", -500, ()),
        LostPin(f"pidfile={tmp_path}/none", -500, ()),
        LostPin(f"pidfile={tmp_path}/old", -500, ()),
    ]
