# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Remember the score that a process had before its pin, for pins that no drop-in holds.

Strategy: the record is one file in the folder of the writers' lock, which only root can open, in
/run, which is empty after a boot. A run saves what it plans to write before it writes: after a run
that was killed, the record may have too much of the plan, never too little. Processes that are
forked meanwhile are saved once a second, so it may lack those of the last one. An entry counts only
for the process that it was made for (pid and start time), and only while that process has a score
that was noted for it.
Without the folder there is no record: the caller is not root, or /run cannot be written.
"""

import json
import os
import time
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_become
from ansible_collections.oomguard.linux.plugins.module_utils._host.lock import FOLDER
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MAX, SCORE_MIN, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.root_file import RootFile
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change

FILE = "scores"
SAVE_SECONDS = 1  # late processes are saved no more often
MAX_ENTRIES = 20000  # a group with more processes than this is pinned all the same
_MAX_BYTES = 4 << 20
_MAX_TEXT = 200  # characters of a target that is recorded


class RecordedPin(NamedTuple):
    """A process, and its score before the first pin that was recorded for it."""

    pid: int
    start_time: int
    before: int
    written: FrozenSet[int]  # what this collection wrote; more than one only during a run
    target: str = ""  # by which name the process was selected; empty for other selectors


class PinRecord:
    """The record of one host, below a root folder."""

    def __init__(self, procfs: Procfs, root: str = "/") -> None:
        """Read it. Raises AccessError if that is not possible, OomError if it is damaged."""
        self._procfs = procfs
        self._file = RootFile(root, FOLDER, FILE, _MAX_BYTES)
        self.path = self._file.path
        self._boot = _read_boot_id(procfs)
        self._raw = self._file.read()
        self._pins = self._parse(self._raw)
        # What pins of earlier runs and of this one have written: a process may have it from them.
        self._given = {score for pin in self._pins.values() for score in pin.written}
        self._saved = 0.0  # when, by the monotonic clock
        self.unrecorded = 0  # processes for which there was no room

    # --- queries ------------------------------------------------------------------------

    def find_before(self, process: Process, score: int) -> Optional[int]:
        """Return the score before the pin, if this process still has the score that was written.

        Or if it has that of before again: this run may have given it back already.
        """
        pin = self._pins.get((process.pid, process.start_time))
        return pin.before if pin is not None and score in {*pin.written, pin.before} else None

    def is_named(self, process: Process, score: int) -> bool:
        """Return whether a target by a name has given this process its score."""
        pin = self._pins.get((process.pid, process.start_time))
        return pin is not None and bool(pin.target) and score in pin.written

    def find_living(self) -> List[RecordedPin]:
        """Return the pins of processes that still run, and still have the score that was written.

        Raises AccessError if the caller may not read the record.
        """
        if os.geteuid() != 0 and os.path.isdir(self._file.folder):
            raise AccessError(f"{self.path} cannot be read: {explain_become()}")
        return [pin for pin in self._pins.values() if self._read_score(pin) in pin.written]

    def find_lost(self) -> List[RecordedPin]:
        """Return the pins by a name whose process has ended, though the next one may run."""
        return [pin for pin in self._pins.values() if pin.target and self._read_score(pin) is None]

    def is_stale(self) -> bool:
        """Return whether it has an entry that is no pin any more."""
        return any(self._read_score(pin) not in pin.written for pin in self._pins.values())

    def _read_score(self, pin: RecordedPin) -> Optional[int]:
        process, score = self._read_process(pin.pid)
        return score if process is not None and process.start_time == pin.start_time else None

    def _read_process(self, pid: int) -> Tuple[Optional[Process], Optional[int]]:
        """Return a process and its score; None twice if it has ended, or is of another user."""
        try:
            with self._procfs.open(pid) as directory:
                return directory.process(), directory.score()
        except (*GONE, PermissionError):
            return None, None

    # --- changes ------------------------------------------------------------------------

    def note(
        self, changes: Iterable[Change], is_late: bool = False, targets: Optional[Dict[Tuple[int, int], str]] = None
    ) -> None:
        """Record scores that are about to be written. Raises AccessError if that fails.

        C(targets) are those that select by a name, by pid and start time of the process. Where
        processes fork all the time, saving each of these late ones would take too long.
        """
        noted, targets = list(changes), targets or {}
        originals = [self._find_original(change) for change in noted]  # before one of them is noted
        is_changed = False
        for change, original in zip(noted, originals):
            key = (change.process.pid, change.process.start_time)
            is_changed = self._note(change, original, targets.get(key, "")) or is_changed
        if is_changed and (not is_late or time.monotonic() >= self._saved + SAVE_SECONDS):
            self._save(self._format())
            self._saved = time.monotonic()

    def _find_original(self, change: Change) -> int:
        """Return the score that a process would have without pins of this collection.

        If it has inherited the score of a pin, that is the score before the pin of its ancestor.
        """
        child = change.process
        while change.before in self._given:
            parent, score = self._read_process(child.parent)
            if parent is None or parent.start_time > child.start_time:  # it took over the pid
                break
            pin = self._pins.get((parent.pid, parent.start_time))
            if pin is not None and change.before in pin.written:
                return pin.before
            if pin is not None or score != change.before:
                break
            child = parent
        return change.before

    def _note(self, change: Change, original: int, target: str) -> bool:
        key = (change.process.pid, change.process.start_time)
        known = self._pins.get(key)
        if known is None or change.before not in known.written:  # it has changed its score since, or another program
            known = RecordedPin(*key, before=original, written=frozenset())
        if key not in self._pins and len(self._pins) >= MAX_ENTRIES:
            self.unrecorded += 1
            return False
        written = known.written | {change.after}
        self._pins[key] = known._replace(written=written, target=target if len(target) <= _MAX_TEXT else "")
        self._given.add(change.after)
        return True

    def settle(self) -> None:
        """Keep what still is a pin, and remove the file if nothing is.

        Raises AccessError if that fails.
        """
        kept = {}
        for key, pin in self._pins.items():
            score = self._read_score(pin)
            if score is not None and score in pin.written and score != pin.before:
                kept[key] = pin._replace(written=frozenset([score]))
        self._pins = kept
        self._save(self._format() if kept else None)

    def restore(self) -> None:
        """Put the file back as it was read, after the scores were put back.

        Raises AccessError if that fails.
        """
        self._save(self._raw)

    # --- the file -----------------------------------------------------------------------

    def _parse(self, raw: Optional[bytes]) -> Dict[Tuple[int, int], RecordedPin]:
        if raw is None:
            return {}
        try:
            content = json.loads(raw.decode("ascii"))
            if content["boot_id"] != self._boot:  # /run of a container may outlast a boot of the host
                return {}
            pins = [_parse_pin(*entry) for entry in content["pins"]]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise OomError(
                f"{self.path} is damaged ({type(error).__name__}): remove it; the scores before earlier pins are lost"
            ) from error
        return {(pin.pid, pin.start_time): pin for pin in pins}

    def _format(self) -> bytes:
        pins = [
            [pin.pid, pin.start_time, pin.before, sorted(pin.written), *([pin.target] if pin.target else [])]
            for pin in self._pins.values()
        ]
        return json.dumps({"boot_id": self._boot, "pins": pins}).encode("ascii")

    def _save(self, content: Optional[bytes]) -> None:
        """Replace the file, completely or not at all; None removes it."""
        if os.path.isdir(self._file.folder) and os.access(self._file.folder, os.W_OK):
            self._file.write(content)


def _parse_pin(pid: Any, start_time: Any, before: Any, written: Any, target: Any = "") -> RecordedPin:
    numbers = [pid, start_time, before, *written]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise ValueError("not a number")
    if not all(SCORE_MIN <= score <= SCORE_MAX for score in [before, *written]):
        raise ValueError("not a score")
    if not isinstance(target, str):
        raise ValueError("not a text")
    return RecordedPin(pid, start_time, before, frozenset(written), target)


def _read_boot_id(procfs: Procfs) -> str:
    """Return the kernel's name for this boot; an empty text where there is none."""
    try:
        return procfs.read("sys/kernel/random/boot_id").strip()
    except OomError:
        return ""
