# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The ring buffer: the kernel's own /dev/kmsg, lost records, and reading on."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.kmsg import Kmsg

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


def test_read_all_records_then_only_new_ones():
    with Kmsg() as log:
        assert log.read()
        assert log.read() == []
        log.seek_end()
        with open("/dev/kmsg", "w") as kmsg:
            kmsg.write("<3>" + KILL.format(1, "forged") + "\n")
        log.wait(5)
        [record] = log.read()
        assert (record.trusted, record.text) == (False, KILL.format(1, "forged"))


def test_refuse_a_device_that_cannot_be_opened(tmp_path, monkeypatch):
    with pytest.raises(UnsupportedError, match="does not exist"):
        Kmsg(str(tmp_path / "kmsg"))

    def denied(*_args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(AccessError, match=r"grant CAP_SYSLOG if kernel\.dmesg_restrict is 1"):
        Kmsg()


def test_count_overwritten_records(monkeypatch):
    chunks = [b"6,3,1,-;a", BrokenPipeError(), b"6,7,1,-;b", b"no record", BlockingIOError()]

    def read(_fd, _size):
        chunk = chunks.pop(0)
        if isinstance(chunk, bytes):
            return chunk
        raise chunk

    with Kmsg() as log:
        monkeypatch.setattr(os, "read", read)
        assert [record.text for record in log.read()] == ["a", "b"]
        assert log.lost == 6


def test_continue_at_a_record(monkeypatch):
    chunks = [b"6,3,1,-;a", b"6,4,1,-;b", b"6,9,1,-;c", None]

    def read(_fd, _size):
        chunk = chunks.pop(0)
        if chunk is None:
            raise BlockingIOError()
        return chunk

    with Kmsg(start=4) as log:
        monkeypatch.setattr(os, "read", read)
        assert [(record.text, record.place.at) for record in log.read()] == [("b", 4), ("c", 9)]
        assert (log.lost, log.next) == (4, 10)
