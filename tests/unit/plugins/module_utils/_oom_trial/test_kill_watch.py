# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel log during a trial: only records that are new and that the kernel wrote."""

import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import parse_kmsg_line
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import kill_watch
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.kill_watch import (
    KillCount,
    KillWatch,
    finish_count,
    start_count,
)


def kill_text(pid):
    return (
        f"Memory cgroup out of memory: Killed process {pid} (hog) total-vm:4kB, anon-rss:3kB, file-rss:2kB,"
        " shmem-rss:0kB, UID:0 pgtables:96kB oom_score_adj:0"
    )


class Log:
    """A kernel log whose records arrive one read after another."""

    def __init__(self, *reads):
        self._reads = list(reads)
        self.lost = 0
        self.waits = 0
        self.closed = False

    def seek_end(self):
        pass

    def read(self):
        lines = self._reads.pop(0) if self._reads else []
        return [parse_kmsg_line(line).record for line in lines]

    def wait(self, _seconds):
        self.waits += 1

    def close(self):
        self.closed = True


def kernel_line(pid):
    return f"3,{pid},{pid},-;{kill_text(pid)}"


def user_line(pid):
    """Return a line that a program wrote to /dev/kmsg: facility 1."""
    return f"11,{pid},{pid},-;{kill_text(pid)}"


def watch_of(log):
    watch = KillWatch(lambda: log)
    watch.start()
    return watch


def pids(events):
    return [victim["pid"] for event in events for victim in event["victims"]]


def test_return_kills_since_a_position():
    watch = watch_of(Log([kernel_line(7)], [kernel_line(8)]))
    since = watch.position()
    assert pids(watch.kills(since)) == [8]
    assert pids(watch.kills()) == [7, 8]
    assert watch.error is None


def test_ignore_what_a_program_wrote():
    watch = watch_of(Log([user_line(7), kernel_line(8), user_line(9)]))
    assert pids(watch.kills()) == [8]
    assert len(watch.lines([8], 0)) == 1
    assert watch.lines([7, 9], 0) == []


def test_ignore_a_forged_record_of_the_running_kernel():
    watch = KillWatch(Kmsg)
    watch.start()
    since = watch.position()
    with open("/dev/kmsg", "w") as kmsg:
        kmsg.write(f"<3>{kill_text(1)}\n")
    assert watch.kills(since) == []
    assert watch.position() > since
    watch.close()


def test_wait_until_every_victim_is_logged():
    log = Log([], [kernel_line(7)], [kernel_line(8)])
    assert pids(watch_of(log).wait_for_kills(2, 0)) == [7, 8]
    assert log.waits == 2


def test_stop_waiting_after_a_while(monkeypatch):
    monkeypatch.setattr(kill_watch, "LOG_SECONDS", 0.05)
    started = time.monotonic()
    assert watch_of(Log([kernel_line(7)])).wait_for_kills(2, 0) != []
    assert 0.05 <= time.monotonic() - started < 2


def test_wait_for_the_kills_that_are_selected():
    """On a busy host the kills of others come first."""
    log = Log([], [kernel_line(7)], [kernel_line(8)])
    kills = watch_of(log).wait_for_kills(1, 0, lambda events: [one for one in events if pids([one]) == [8]])
    assert pids(kills) == [8]


def test_count_each_line_of_a_kill_that_the_kernel_wrote():
    """The kernel logs and counts the first victim of a group twice."""
    watch = watch_of(Log([kernel_line(7), kernel_line(7), user_line(8)], [], [kernel_line(9)]))
    assert watch.count_kills() == 2
    since = watch.position()
    assert (watch.count_kills(since), watch.count_kills()) == (1, 3)


def counters(monkeypatch, *values):
    """Let /proc/vmstat show these counts, one after another."""
    left = list(values)
    monkeypatch.setattr(Procfs, "oom_kills", lambda _self: left.pop(0) if len(left) > 1 else left[0])
    return Procfs()


def test_start_counting_with_no_kill_in_between(monkeypatch):
    procfs = counters(monkeypatch, 5, 6, 6, 7, 7, 7)
    watch = watch_of(Log([], [], [kernel_line(7)], [], [kernel_line(8)], []))
    assert start_count(watch, procfs) == KillCount(2, 7)


def test_count_until_counter_and_log_agree(monkeypatch):
    """The kernel counts a kill before it logs it."""
    procfs = counters(monkeypatch, 6, 7)
    watch = watch_of(Log([], [kernel_line(7)], [kernel_line(8)]))
    assert finish_count(watch, procfs, KillCount(0, 5)) == (2, 2)


def test_stop_counting_after_a_while(monkeypatch):
    monkeypatch.setattr(kill_watch, "LOG_SECONDS", 0.05)
    assert finish_count(watch_of(Log([kernel_line(7)])), counters(monkeypatch, 9), KillCount(0, 5)) == (4, 1)


def test_count_without_a_counter_or_a_log(monkeypatch):
    watch = watch_of(Log([], [], [kernel_line(7)]))
    count = start_count(watch, counters(monkeypatch, None))
    assert finish_count(watch, counters(monkeypatch, None), count) == (None, 1)
    closed = KillWatch(Log)
    assert finish_count(closed, counters(monkeypatch, 9), KillCount(0, 5)) == (4, 0)


def test_a_flooded_log_has_a_bound(monkeypatch):
    monkeypatch.setattr(kill_watch, "MOST_RECORDS", 5)
    watch = watch_of(Log([kernel_line(7)] * 9, [kernel_line(8)]))
    assert (watch.position(), watch.position()) == (9, 9)
    assert (
        watch.error
        == "the kernel log grew by more than 5 records, and the rest was not read: run it again when the log is quiet"
    )


def test_report_lost_records():
    log = Log()
    log.lost = 3
    watch = watch_of(log)
    watch.position()
    assert watch.lost == 3
    assert (
        watch.error
        == "3 records of the kernel log were overwritten before they were read: run it again when the log is quiet"
    )


@pytest.mark.parametrize("count", [0, 2])
def test_a_log_that_cannot_be_read_has_no_kills(count):
    def denied():
        raise AccessError("/dev/kmsg cannot be read")

    watch = KillWatch(denied)
    watch.start()
    assert (watch.wait_for_kills(count, 0), watch.position(), watch.error) == ([], 0, "/dev/kmsg cannot be read")
    watch.close()


def test_close_the_log():
    log = Log()
    watch_of(log).close()
    assert log.closed
