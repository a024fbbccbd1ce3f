# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of pins that no drop-in holds: one file, which only root can open."""

import json
import os
import shutil

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import pin_record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin_record import PinRecord, RecordedPin

BOOT = "ad9f0cf7-b05c-4636-9763-f3d9f4843138"


class Recorded:
    """A host with two processes and the folder of the lock."""

    def __init__(self, proc):
        self.proc = proc
        self.root = proc.root.parent
        self.folder = self.root / "run/oomguard"
        self.folder.mkdir(parents=True, mode=0o700)
        self.file = self.folder / "scores"
        proc.write("sys/kernel/random/boot_id", BOOT + "\n")
        proc.process(10, "dockerd", score=200)
        proc.process(11, "helper", start_time=300)

    def read(self):
        return PinRecord(self.proc.procfs, str(self.root))

    def change(self, pid, before, after):
        with self.proc.procfs.open(pid) as directory:
            return Change(directory.process(), before, after)

    def write(self, pid, before, after):
        """Pin a process as a run does."""
        record = self.read()
        record.note([self.change(pid, before, after)])
        self.proc.write(f"{pid}/oom_score_adj", f"{after}\n")
        record.settle()

    def before(self, pid):
        with self.proc.procfs.open(pid) as directory:
            return self.read().find_before(directory.process(), directory.score())


@pytest.fixture
def recorded(proc):
    return Recorded(proc)


def test_first_score_is_kept(recorded):
    recorded.write(10, 200, -500)
    recorded.write(10, -500, -700)
    recorded.write(11, 0, 5)
    assert (recorded.before(10), recorded.before(11)) == (200, 0)
    assert recorded.read().find_living() == [
        RecordedPin(10, 100, 200, frozenset([-700])),
        RecordedPin(11, 300, 0, frozenset([5])),
    ]
    assert recorded.file.stat().st_mode & 0o777 == 0o600
    assert json.loads(recorded.file.read_text()) == {
        "boot_id": BOOT,
        "pins": [[10, 100, 200, [-700]], [11, 300, 0, [5]]],
    }


def test_inherited_pin_is_not_the_score_before(recorded):
    """Also through a parent that has no pin of its own, and where both are pinned in one run."""
    recorded.proc.process(12, "child", start_time=400, parent=10, score=-500)
    recorded.proc.process(13, "grandchild", start_time=500, parent=12, score=-500)
    recorded.write(10, 200, -500)
    recorded.write(13, -500, -600)
    record = recorded.read()
    record.note([recorded.change(10, -500, -700), recorded.change(12, -500, -700)])
    for pid in (10, 12):
        recorded.proc.write(f"{pid}/oom_score_adj", "-700\n")
    record.settle()
    assert [recorded.before(pid) for pid in (10, 12, 13)] == [200, 200, 200]


OWN_SCORES = {
    "of its own": dict(parent=10, score=-300),
    "of another parent": dict(parent=11, score=-500),
    "of a parent that took over the pid": dict(parent=10, score=-500, start_time=50),
}


@pytest.mark.parametrize("child", OWN_SCORES.values(), ids=list(OWN_SCORES))
def test_score_that_no_pin_gave_is_the_score_before(recorded, child):
    recorded.write(10, 200, -500)
    recorded.write(11, 0, -300)
    recorded.proc.process(12, "child", **dict(dict(start_time=400), **child))
    recorded.write(12, child["score"], 7)
    assert recorded.before(12) == child["score"]


def test_score_that_both_had_before_the_pin_of_the_parent(recorded):
    recorded.proc.process(12, "child", start_time=400, parent=10, score=-500)
    record = recorded.read()
    record.note([recorded.change(10, 200, -500), recorded.change(12, -500, 7)])
    assert [pin.before for pin in record._pins.values()] == [200, -500]


def test_score_that_another_program_has_set_since_is_no_pin(recorded):
    recorded.write(10, 200, -500)
    recorded.proc.write("10/oom_score_adj", "77\n")
    assert (recorded.before(10), recorded.read().find_living(), recorded.read().is_stale()) == (None, [], True)
    recorded.write(10, 77, -500)
    assert recorded.before(10) == 77


@pytest.mark.parametrize("ended", [dict(start_time=999), None])
def test_another_process_with_the_pid_is_no_pin(recorded, ended):
    recorded.write(10, 200, -500)
    for file in (recorded.proc.root / "10").iterdir():
        file.unlink()
    if ended is None:
        (recorded.proc.root / "10").rmdir()
        assert recorded.read().find_living() == []
    else:
        recorded.proc.process(10, "innocent", score=-500, **ended)
        assert (recorded.before(10), recorded.read().find_living()) == (None, [])


def test_settled_record_without_a_pin_is_no_file(recorded):
    recorded.write(10, 200, -500)
    recorded.write(10, -500, 200)  # taken back
    assert not recorded.file.exists()
    recorded.read().settle()
    assert os.listdir(str(recorded.folder)) == []


def test_run_that_was_killed_left_too_much_and_never_too_little(recorded):
    """It noted what it was about to write, and wrote only some of it."""
    recorded.write(10, 200, -500)
    recorded.read().note([recorded.change(10, -500, -700), recorded.change(11, 0, -700)])
    assert [pin.pid for pin in recorded.read().find_living()] == [10]
    (recorded.folder / ".scores.new").write_text("{")
    recorded.read().settle()
    assert json.loads(recorded.file.read_text())["pins"] == [[10, 100, 200, [-500]]]
    assert os.listdir(str(recorded.folder)) == ["scores"]


def test_late_processes_are_saved_once_a_second(recorded, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(pin_record.time, "monotonic", lambda: clock[0])
    recorded.proc.process(12, "late", start_time=400)
    record = recorded.read()
    record.note([recorded.change(10, 200, 5)])
    saved = []
    for pid, clock[0] in ((11, 1000.9), (12, 1001.0)):
        record.note([recorded.change(pid, 0, 5)], is_late=True)
        saved.append([entry[0] for entry in json.loads(recorded.file.read_text())["pins"]])
    assert saved == [[10], [10, 11, 12]]


def test_late_processes_are_saved_at_the_end(recorded):
    record = recorded.read()
    record.note([recorded.change(10, 200, 7)])
    record.note([recorded.change(11, 0, 5)], is_late=True)
    recorded.proc.write("11/oom_score_adj", "5\n")
    record.settle()
    assert recorded.before(11) == 0


def test_run_that_is_undone_leaves_the_file_as_it_was(recorded):
    record = recorded.read()
    record.note([recorded.change(11, 0, 5)])
    record.restore()
    assert not recorded.file.exists()
    recorded.write(10, 200, -500)
    before = recorded.file.read_bytes()
    record = recorded.read()
    record.note([recorded.change(10, -500, -700)])
    record.restore()
    assert recorded.file.read_bytes() == before


def test_record_of_another_boot_does_not_count(recorded):
    """/run of a container may outlast a boot: another process could have pid and start time."""
    recorded.write(10, 200, -500)
    recorded.proc.write("sys/kernel/random/boot_id", "another\n")
    assert (recorded.before(10), recorded.read().find_living()) == (None, [])


def test_no_folder_no_record(recorded):
    """The caller is not root, or /run cannot be written."""
    recorded.folder.rmdir()
    recorded.write(10, 200, -500)
    assert not recorded.folder.exists()
    assert recorded.before(10) is None


def test_room_is_limited(recorded, monkeypatch):
    monkeypatch.setattr(pin_record, "MAX_ENTRIES", 1)
    record = recorded.read()
    record.note([recorded.change(10, 200, -500), recorded.change(11, 0, -500), recorded.change(10, 200, -600)])
    assert record.unrecorded == 1
    assert [entry[0] for entry in json.loads(recorded.file.read_text())["pins"]] == [10]


DAMAGED = {
    "cut": b'{"boot_id": "ad9',
    "no object": b"[]",
    "no pins": json.dumps({"boot_id": BOOT}).encode(),
    "a text": json.dumps({"boot_id": BOOT, "pins": [["10", 100, 0, [5]]]}).encode(),
    "no score": json.dumps({"boot_id": BOOT, "pins": [[10, 100, 5000, [5]]]}).encode(),
    "true": json.dumps({"boot_id": BOOT, "pins": [[True, 100, 0, [5]]]}).encode(),
    "too few": json.dumps({"boot_id": BOOT, "pins": [[10, 100, 0]]}).encode(),
    "nested deeply": b"[" * 100000,
    "not ASCII": b"\xff",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=list(DAMAGED))
def test_damaged_record(recorded, content):
    recorded.file.write_bytes(content)
    recorded.file.chmod(0o600)
    with pytest.raises(OomError, match=r"^/run/oomguard/scores is damaged \(\w+\): remove it; the scores before"):
        recorded.read()


def make_link(file):
    file.symlink_to("/etc/hostname")


def make_fifo(file):
    os.mkfifo(str(file), 0o600)


def make_readable(file):
    file.write_text("{}")
    file.chmod(0o644)


def make_long(file):
    with open(str(file), "wb") as stream:
        stream.truncate(1 << 30)
    file.chmod(0o600)


@pytest.mark.parametrize("make", [make_link, make_fifo, make_readable, make_long, os.mkdir])
def test_file_that_is_not_ours(recorded, make):
    make(recorded.file)
    with pytest.raises(
        AccessError,
        match=r"^/run/oomguard/scores (is not a file that this collection made: rem|cannot be read: .*: remove the)",
    ):
        recorded.read()


def test_file_that_cannot_be_written(recorded):
    (recorded.folder / ".scores.new").mkdir()
    with pytest.raises(AccessError, match=r"^/run/oomguard/scores cannot be written: Is a directory: move away the"):
        recorded.read().note([recorded.change(10, 200, -500)])


def test_user_may_not_take_back_all(recorded, monkeypatch):
    monkeypatch.setattr(pin_record.os, "geteuid", lambda: 1000)
    with pytest.raises(AccessError, match=r"^/run/oomguard/scores cannot be read: ran as uid 1000: add become: true$"):
        recorded.read().find_living()
    recorded.folder.rmdir()
    assert recorded.read().find_living() == []


def test_pin_by_a_name_is_lost_with_its_process(recorded):
    record = recorded.read()
    key = (10, 100)
    record.note([recorded.change(10, 200, -500), recorded.change(11, 0, -500)], False, {key: "process=dockerd"})
    for pid in (10, 11):
        recorded.proc.write(f"{pid}/oom_score_adj", "-500\n")
    record.settle()
    assert recorded.read().find_lost() == []
    for pid in (10, 11):
        shutil.rmtree(str(recorded.proc.root / str(pid)))
    assert recorded.read().find_lost() == [RecordedPin(10, 100, 200, frozenset([-500]), "process=dockerd")]
    assert recorded.read().is_stale()


def test_name_that_is_too_long_is_not_recorded(recorded):
    record = recorded.read()
    record.note([recorded.change(10, 200, -500)], False, {(10, 100): "pattern=" + "a" * 200})
    shutil.rmtree(str(recorded.proc.root / "10"))
    assert recorded.read().find_lost() == []


@pytest.mark.parametrize("entry", [[10, 100, 200, [-500], 7, "x"], [10, 100, 200, [-500], "x", None]])
def test_damaged_names(recorded, entry):
    recorded.file.write_text(json.dumps({"boot_id": BOOT, "pins": [entry]}))
    recorded.file.chmod(0o600)
    with pytest.raises(OomError, match="is damaged"):
        recorded.read()


@pytest.mark.parametrize("selector, is_named", [("process", True), ("pattern", True), ("pid", False)])
def test_targets_by_name_are_recorded(processes, selector, is_named):
    (processes.proc.root.parent / "run/oomguard").mkdir(parents=True, mode=0o700)
    processes.apply(Pin(selector, "10" if selector == "pid" else "dockerd", 300))
    shutil.rmtree(str(processes.proc.root / "10"))
    lost = PinRecord(processes.proc.procfs, str(processes.proc.root.parent)).find_lost()
    assert [one.target for one in lost] == [f"{selector}=dockerd"] * is_named
