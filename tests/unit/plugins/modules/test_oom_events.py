# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module oom_events as Ansible runs it, and whether its RETURN documents every key."""

import gzip
import os
import re

import pytest
import yaml
from event_lines import report

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import gather
from ansible_collections.oomguard.linux.plugins.modules import oom_events

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../fixtures/kernel_logs/recorded")
KILL = "Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"
ANNOUNCED = "Out of memory: Kill process 6 (parent) score 9 or sacrifice child"


@pytest.fixture
def logs(tmp_path):
    """Return paths of a recorded log, of the kill of an old kernel, and of a damaged file."""
    (tmp_path / "old.log").write_text(f"{ANNOUNCED}\n{KILL}\n")
    packed = gzip.compress(f"begun\n{os.urandom(1 << 20).hex()}\n".encode())
    (tmp_path / "kern.log.gz").write_bytes(packed[: len(packed) // 2])
    recorded = os.path.join(FIXTURES, "debian12-6.1", "dmesg-x.log")
    return [recorded, str(tmp_path / "old.log"), str(tmp_path / "kern.log.gz")]


def test_every_key_is_documented(run_module, undocumented, logs):
    answer = run_module("oom_events", paths=logs, tasks=True, raw=True, what_if=[dict(process="hog", score=-900)])
    events = answer["events"]
    for key in ("trigger", "memcg", "announced", "victims", "tasks", "raw", "why", "what_if"):
        assert any(event[key] for event in events), key
    assert answer["summary"] and answer["lost"]["files"]
    assert undocumented("oom_events", answer) == []


def test_what_if(run_module, logs):
    pins = [dict(process="globalhog", score=-900), dict(process="sysrqhog", score=-500)]
    answer = run_module("oom_events", paths=logs, limit=1000, what_if=pins)
    answered = [event for event in answer["events"] if event["what_if"]]
    others = [event["what_if"]["text"] for event in answered if event["what_if"]["is_other"]]
    count = f"{len(others)} of {len(answered)} kills"
    assert answer["report"][0] == f"with these pins {count} would have had another victim"
    assert len(answered) > len(others) == 2
    assert re.match(
        r'with these pins "\(sd-pam\)"\[\d+\] would have been chosen instead of globalhog\[384\]$', others[0]
    )
    assert all("what_if" not in event for event in run_module("oom_events", paths=logs)["events"])
    refused = run_module("oom_events", paths=logs, what_if=[dict(process="hog", score=-1001)])
    assert refused["msg"].startswith("what_if[0]: process=hog: score=-1001 is out of range")


def test_escape_what_a_terminal_would_obey(run_module, tmp_path):
    """Names of files are bytes, and text may hold control characters."""
    path = os.path.join(os.fsencode(str(tmp_path)), b"kern\x1b[31m\xff.log")
    with open(path, "wb") as stream:
        stream.write(KILL.replace("(x)", "(\x1b\u2028x)").encode() + b"\n")
    answer = run_module("oom_events", paths=[f"{tmp_path}/*"], raw=True)
    [event] = answer["events"]
    assert event["source"] == f"{tmp_path}/kern\\x1b[31m\\xff.log"
    assert [victim["name"] for victim in event["victims"]] == ["\\x1b\\u2028x"]
    assert not any(letter in repr(answer) for letter in ("\x1b", "\u2028", "\udcff"))
    with open(path, "wb") as stream:
        stream.write(bytes(range(32)))
    answer = run_module("oom_events", paths=[f"{tmp_path}/*"])
    assert "kern\\x1b[31m\\xff.log is not text" in answer["msg"]


def test_unlogged_kills_are_documented(run_module, undocumented, monkeypatch):
    monkeypatch.setattr(Procfs, "oom_kills", lambda _procfs: 1 << 40)
    monkeypatch.setattr(gather, "oom_kills_by_cgroup", lambda _procfs: {"/no/such/cgroup": 2})
    answer = run_module("oom_events", source="kmsg")
    assert answer["counts"]["unlogged_in"] == [{"cgroup": "/no/such/cgroup", "oom_kill": 2, "logged_kills": 0}]
    assert undocumented("oom_events", answer) == []


def test_a_bad_day_is_read_in_fifteen_lines(run_module, tmp_path):
    """300 kills in twelve units, of several programs, at limits that changed at noon, in turn."""
    texts = []
    for number in range(300):
        unit = f"/system.slice/unit{number % 12}.service"
        killed = report(1000 + number, f"worker{number % 5}", unit, limit_kb=20480 if number < 150 else 40960)
        second = number * 288  # every 4.8 minutes
        stamp = f"2026-11-28T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000+00:00"
        texts += [f"{stamp} db1 kernel: [{second}.000000] {line}" for line in killed]
    (tmp_path / "kern.log").write_text("\n".join(texts) + "\n")
    answer = run_module("oom_events", paths=[str(tmp_path / "kern.log")])
    assert (answer["total"], answer["msg"]) == (300, f"300 kills in 12 units in {tmp_path}/kern.log")
    assert len(answer["report"]) == 12
    for number in range(12):
        [line] = [line for line in answer["report"] if f"unit{number}.service" in line]
        assert re.fullmatch(
            rf"2026-11-28 00:\d\d:\d\d-23:\d\d:\d\dZ  25 kills in unit{number}\.service:"
            r" worker0 \(5\), worker1 \(5\), worker2 \(5\), 10 more",
            line,
        )


def leaves(contains, path=""):
    for key, entry in contains.items():
        if "contains" in entry:
            yield from leaves(entry["contains"], f"{path}{key}.")
        else:
            yield path + key, entry


TYPES = {"bool": bool, "dict": dict, "float": float, "int": int, "list": list, "str": str}


@pytest.mark.parametrize(
    "name, entry", [pytest.param(name, entry, id=name) for name, entry in leaves(yaml.safe_load(oom_events.RETURN))]
)
def test_sample_is_a_real_value(name, entry):
    assert entry["sample"].__class__ is TYPES[entry["type"]]  # True is no int here


def test_read_a_file(run_module, tmp_path):
    (tmp_path / "kern.log").write_text(KILL)
    answer = run_module("oom_events", paths=[str(tmp_path / "kern.log")])
    assert (answer["changed"], answer["events"][0]["victims"][0]["pid"]) == (False, 7)


def test_check_mode_reads_as_well(run_module, tmp_path):
    (tmp_path / "kern.log").write_text(KILL)
    answer = run_module("oom_events", check_mode=True, paths=[str(tmp_path / "kern.log")])
    assert (answer["changed"], answer["total"]) == (False, 1)


def test_fail_on_missing_file(run_module):
    words = "/nonexistent does not exist: name a file on the managed host itself"
    assert run_module("oom_events", paths=["/nonexistent"])["msg"] == words


def test_other_modules_answer_as_well(run_module):
    assert "is not a file" in run_module("oom_trial", hog="/nonexistent")["msg"]
    checked = run_module("oom_trial", check_mode=True, hog="/bin/true")
    assert (checked["changed"], checked["verdict"]) == (False, None)
    own = run_module("oom_score_adj", check_mode=True, targets=[dict(pid=os.getpid(), score=999)])
    assert (own["changed"], own["targets"][0]["processes"][0]["after"]) == (True, 999)
    assert "no such process" in run_module("oom_score_adj", process="no-such-daemon", score=1)["msg"]
    warned = run_module("oom_score_adj", process="no-such-daemon", score=1, missing="warn")
    assert "no such process" in str(warned["warnings"])
