# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as its action plugin runs it: one answer with the posture and the new kills."""

import json
import os

import pytest
from event_lines import explained, kmsg, report, stamped

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import parse_kmsg_line
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import gather as gathering
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts
from ansible_collections.oomguard.linux.plugins.module_utils._posture import examine
from ansible_collections.oomguard.linux.plugins.modules import oom_report_host

JAVA, SSHD = (2210, "java", 55000, 0), (50, "sshd", 45000, 0)
KILLS = [explained(JAVA, SSHD), report(pid=7, name="eat")]
SINCE = "2026-11-01T00:00:00Z"


def append(path, reports, hour):
    """Append to a log that nobody has written to for a while: the last report is finished."""
    with open(str(path), "a") as stream:
        stream.write("\n".join(stamped(reports, hour=hour)) + "\n")
    os.utime(str(path), (1000000000 + hour, 1000000000 + hour))


@pytest.fixture
def log(tmp_path, fake_host, monkeypatch):
    """Let the module read a file in place of the host's own log; return its path."""
    path = tmp_path / "kern.log"
    append(path, KILLS[:1], 14)
    asked = []

    def read(query, procfs, **hooks):
        asked.append(query)
        return gather(query._replace(source="file", paths=[str(path)]), procfs, **hooks)

    monkeypatch.setattr(oom_report_host, "gather", read)
    return path, asked


def test_first_run_reads_all_and_the_next_one_what_is_new(log, run_module):
    path, asked = log
    first = run_module("oom_report_host", since=SINCE)
    assert [event["name"] for event in first["events"]] == ["java"]
    assert (asked[0].since, asked[0].boot, asked[0].cursor) == (SINCE, "all", None)
    append(path, KILLS[1:], 15)
    record = {"cursor": first["cursor"], "pins": first["pins"]}
    second = run_module("oom_report_host", since=SINCE, record=record)
    assert [event["name"] for event in second["events"]] == ["eat"]
    assert (asked[1].since, asked[1].cursor) == (None, first["cursor"])
    assert second["lost"] == []
    record["cursor"] = second["cursor"]
    assert run_module("oom_report_host", since=SINCE, record=record)["events"] == []


def test_posture_is_that_of_oom_info(log, run_module):
    answer, info = run_module("oom_report_host", since=SINCE), run_module("oom_info", top=0)
    for key in ("kernel", "policy", "domain", "next_victim", "protected", "immune", "findings"):
        assert answer[key] == info[key], key
    assert (answer["unread"], answer["unlogged_kills"]) == ([], 0)
    assert "ranking" not in answer


def test_kills_are_compared_with_the_pins_of_today(log, run_module):
    """On this host sshd is pinned, so it could not be the victim, and java died all the same."""
    [event] = run_module("oom_report_host", since=SINCE)["events"]
    assert event["with_todays_pins"] == "same"
    assert event["with_todays_pins_text"] == "with these pins java[2210] would have been chosen all the same"
    assert event["runner_up"] == "sshd[50]"


def test_a_host_without_pins(log, run_module, fake_host):
    for pid in (40, 50):
        fake_host.proc.write(f"{pid}/oom_score_adj", "0\n")
    [event] = run_module("oom_report_host", since=SINCE)["events"]
    assert (event["with_todays_pins"], event["with_todays_pins_text"]) == ("same", "no process is pinned today")


def test_other_pins_have_all_kills_read_again(log, run_module, fake_host):
    first = run_module("oom_report_host", since=SINCE)
    fake_host.proc.write("10/oom_score_adj", "-300\n")  # app
    record = {"cursor": first["cursor"], "pins": first["pins"]}
    second = run_module("oom_report_host", since=SINCE, record=record)
    assert [event["id"] for event in second["events"]] == [event["id"] for event in first["events"]]
    assert second["pins"] != first["pins"]


@pytest.mark.parametrize("cursor", ["nonsense", "kmsg|elsewhere|" + "0" * 32 + ":7|"])
def test_a_cursor_that_is_refused(log, run_module, cursor):
    first = run_module("oom_report_host", since=SINCE)
    answer = run_module("oom_report_host", since=SINCE, record={"cursor": cursor, "pins": first["pins"]})
    assert [event["name"] for event in answer["events"]] == ["java"]
    assert answer["lost"][0].startswith(f"the place of the last run was refused, so the log was read from {SINCE} on: ")
    assert answer["cursor"] == first["cursor"]


def test_a_place_that_is_gone(log, run_module):
    path, _asked = log
    first = run_module("oom_report_host", since=SINCE)
    path.unlink()
    append(path, KILLS[1:], 15)
    answer = run_module("oom_report_host", since=SINCE, record={"cursor": first["cursor"], "pins": first["pins"]})
    assert [event["name"] for event in answer["events"]] == ["eat"]
    assert answer["lost"] == [
        "the log no longer has the place where the last run ended: kills since then may be missing"
    ]


def test_a_log_that_cannot_be_read_leaves_the_posture(log, run_module, monkeypatch):
    def fail(*_arguments, **_hooks):
        raise AccessError("no permission for /dev/kmsg")

    monkeypatch.setattr(oom_report_host, "gather", fail)
    answer = run_module("oom_report_host", since=SINCE)
    assert answer["next_victim"]["name"] == "postgres"
    assert (answer["events"], answer["cursor"], answer["unlogged_kills"]) == (None, None, None)
    assert answer["lost"] == ["the log was not read: no permission for /dev/kmsg"]


@pytest.mark.parametrize("cursor", [None, "kmsg|x|" + "0" * 32 + ":7|"])
def test_a_log_that_cannot_be_read_is_said_in_one_sentence(log, run_module, monkeypatch, cursor):
    """With a place of the last run, too: nothing was read from anywhere on."""

    def fail(*_arguments, **_hooks):
        raise AccessError("no permission for /dev/kmsg")

    pins = run_module("oom_report_host", since=SINCE)["pins"]
    monkeypatch.setattr(oom_report_host, "gather", fail)
    answer = run_module("oom_report_host", since=SINCE, record={"cursor": cursor, "pins": pins})
    assert answer["lost"] == ["the log was not read: no permission for /dev/kmsg"]


def test_a_place_that_cannot_be_read(log, run_module, monkeypatch):
    """Nothing refused it: the journal was read then, and another log is read now."""
    first = run_module("oom_report_host", since=SINCE)
    real = oom_report_host.gather

    def read(query, procfs, **hooks):
        if query.cursor:
            raise AccessError("the journal cannot be read")
        return real(query, procfs, **hooks)

    monkeypatch.setattr(oom_report_host, "gather", read)
    answer = run_module("oom_report_host", since=SINCE, record={"cursor": first["cursor"], "pins": first["pins"]})
    assert [event["name"] for event in answer["events"]] == ["java"]
    assert answer["lost"] == [
        f"the place of the last run could not be read from, so the log was read from {SINCE} on:"
        " the journal cannot be read"
    ]


def test_kills_that_cannot_be_compared(log, run_module, monkeypatch):
    """The log was read all the same, and nothing says that it was not."""
    monkeypatch.setattr(examine, "read_kill_counts", lambda _procfs: KillCounts(5, 2))
    real = oom_report_host.gather

    def read(query, procfs, **hooks):
        if query.boot == "current":
            raise AccessError("journalctl takes too long")
        return real(query, procfs, **hooks)

    monkeypatch.setattr(oom_report_host, "gather", read)
    answer = run_module("oom_report_host", since=SINCE)
    assert [event["name"] for event in answer["events"]] == ["java"]
    assert (answer["unlogged_kills"], answer["unread"]) == (None, ["kills"])
    assert answer["lost"] == ["the kills since boot were not compared with the log: journalctl takes too long"]


@pytest.mark.parametrize("unlogged, shown", [(2, 2), (None, 3)])
def test_kills_that_no_log_has(log, run_module, monkeypatch, unlogged, shown):
    """The kernel's buffer lacks three kills, and the journal has one of them."""
    monkeypatch.setattr(examine, "read_kill_counts", lambda _procfs: KillCounts(5, 2))
    real = oom_report_host.gather

    def read(query, procfs, **hooks):
        if query.boot == "all":
            return real(query, procfs, **hooks)
        return {"counts": {"unlogged": unlogged}}

    monkeypatch.setattr(oom_report_host, "gather", read)
    assert run_module("oom_report_host", since=SINCE)["unlogged_kills"] == shown


class Buffer:
    """Stands in for /dev/kmsg, with a kill at each of these seconds of uptime."""

    lost, next = 0, 0

    def __init__(self, seconds):
        lines = [line for at in seconds for line in kmsg([report(pid=100 + at, name="eat")], uptime=at)]
        self._records = [parse_kmsg_line(line).record for line in lines]

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        pass

    def read(self):
        return self._records


def test_kills_of_this_boot_are_counted_once(run_module, fake_host, monkeypatch):
    """Also if the log is read again as a whole: the record adds up what each run counts."""
    monkeypatch.setattr(gathering, "_format_wall_clock", lambda *_uptime: SINCE)
    logs = iter([[1, 2], [2], [2, 5, 6, 7], [7]])

    def read(query, procfs, **hooks):
        return gather(query._replace(source="kmsg", cursor=None), procfs, lambda start: Buffer(next(logs)), **hooks)

    monkeypatch.setattr(oom_report_host, "gather", read)
    record, counted = {}, []
    for _run in range(3):
        answer = run_module("oom_report_host", since=SINCE, record=record)
        record = {"boot": answer["boot"], "kills_until": answer["kills_until"]}
        counted.append((answer["new_kills"], answer["kills_until"]))
    assert counted == [(2, 2000000), (0, 2000000), (3, 7000000)]
    with open("/proc/sys/kernel/random/boot_id") as stream:
        assert answer["boot"] == stream.read().strip().replace("-", "")
    other = {"boot": "f" * 32, "kills_until": 9000000}
    assert run_module("oom_report_host", since=SINCE, record=other)["new_kills"] == 1


def test_kills_that_were_not_counted(log, run_module, monkeypatch):
    def fail(_procfs):
        raise AccessError("/dev/kmsg cannot be read")

    monkeypatch.setattr(examine, "read_kill_counts", fail)
    answer = run_module("oom_report_host", since=SINCE)
    assert (answer["unlogged_kills"], answer["unread"]) == (None, ["kills"])
    assert answer["lost"] == ["the kills since boot were not compared with the kernel's log: /dev/kmsg cannot be read"]


def test_a_host_that_cannot_be_examined(run_module, fake_host):
    (fake_host.proc.root / "meminfo").unlink()
    answer = run_module("oom_report_host")
    assert answer["failed"] and "meminfo" in answer["msg"]


def test_a_folder_that_cannot_be_read(run_module, monkeypatch):
    def fail(*_arguments):
        raise PermissionError(13, "Permission denied", "/proc")

    monkeypatch.setattr(oom_report_host, "examine_host", fail)
    answer = run_module("oom_report_host")
    assert answer["failed"] and answer["msg"].startswith("this host cannot be read: ")


def test_what_a_user_chose_is_escaped(log, run_module, fake_host):
    fake_host.process(60, b"\x1b[2J\r", 9000000, cgroup="/system.slice/a\u2028b")
    text = json.dumps(run_module("oom_report_host", since=SINCE), ensure_ascii=False)
    assert "\\x1b[2J" in text.replace("\\\\", "\\")
    assert not {"\x1b", "\u2028"} & set(text)
