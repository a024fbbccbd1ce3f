# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""parse_log, the public function that parses a kernel log."""

import doctest
import json
import os

import yaml

from ansible_collections.oomguard.linux.plugins.modules import oom_events
from ansible_collections.oomguard.linux.plugins.plugin_utils import oom_log
from ansible_collections.oomguard.linux.plugins.plugin_utils.oom_log import parse_log

LOG = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../unit/fixtures/kernel_logs/recorded/debian12-6.1/dmesg-x.log"
)


KMSG = "3,7,53649722,-;Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"


def read_lines():
    with open(LOG, errors="backslashreplace") as stream:
        return stream.readlines()


def test_recorded_log():
    events = parse_log(read_lines())
    assert [victim["pid"] for event in events for victim in event["victims"]] == [
        *range(370, 380),
        381,
        380,
        382,
        4242,
        *range(384, 388),
    ]
    assert [event["trusted"] for event in events if event["victims"][0]["pid"] == 4242] == [False]


def test_lines_prove_nothing():
    message = 'sending SIGTERM to process 1 uid 0 "a": badness 3, VmRSS 2 MiB'
    killer = json.dumps({"MESSAGE": message, "_SYSTEMD_UNIT": "earlyoom.service"})
    assert [event["trusted"] for event in parse_log([KMSG, killer])] == [None, None]


def test_line_ends_do_not_matter():
    lines = read_lines()
    assert parse_log(line.rstrip("\n") for line in lines) == parse_log(lines)
    assert parse_log(line.rstrip("\n") + "\r\n" for line in lines) == parse_log(lines)


def test_keys_are_those_of_the_module():
    documented = set(yaml.safe_load(oom_events.RETURN)["events"]["contains"])
    assert {frozenset(event) for event in parse_log(read_lines())} == {
        frozenset(documented - {"tasks", "raw", "what", "what_if", "own_trial"})
    }


def test_no_kernel_log():
    assert parse_log([]) == []
    assert parse_log(["", "\n", "hello", "\0\x1b[", "{", '{"MESSAGE": 7}']) == []


def test_example():
    assert doctest.testmod(oom_log).failed == 0
