# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run make targets and print one line for each.

Usage: python tests/tools/run_steps.py --phase JOBS LANE [LANE ...] [--phase ...]

A lane is a list of targets in one argument, run one after another. JOBS lanes
of a phase run side by side; the next phase begins when all are done. What a
target prints goes to .build/logs/TARGET.log. Of a target that failed, the end
of its log is printed, and the lines that name a fault once more behind it: a
reader who cuts the middle keeps them. The others still run. Exits with 1 if
one failed.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

LOGS = os.path.join(".build", "logs")
SHOWN_LINES = 80  # of a log whose target failed

# The last line that matches says what a target did.
RESULTS = [
    re.compile(r"^=* ?(?P<result>\d+ (?:passed|failed)[^=]*?)(?: in [\d.]+s.*)?$"),  # pytest
    re.compile(r"^(?P<result>Molecule executed \d+ scenarios? \(.*\))$"),
    re.compile(r"^Passed: (?P<result>\d+ failure\(s\), \d+ warning\(s\)).*$"),  # ansible-lint
    re.compile(r"^Done (?P<result>\d+ runs)"),  # atheris
    re.compile(r"^result: (?P<result>.*)$"),
]
# How ansible, pytest, make and others begin a line that names what failed.
FAULT = re.compile(r"^(?:fatal: |failed: |FAILED |ERROR[: ]|\[ERROR\]|E {3}|AssertionError|Traceback)")
SHOWN_FAULTS = 12
SHOWN_WIDTH = 400
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Step(NamedTuple):
    """A target that has run."""

    name: str
    passed: bool
    result: str
    seconds: float

    def __str__(self) -> str:
        return f"{'ok' if self.passed else 'FAILED':8}{self.name:16}{self.seconds:6.0f} s  {self.result}"


def result_of(lines: Iterable[str]) -> str:
    """Return what the targets' tools counted, one entry for each run of a tool."""
    found = []
    for line in lines:
        match = next(filter(None, (pattern.match(line) for pattern in RESULTS)), None)
        if match:
            found.append(match.group("result").strip())
    return "; ".join(found)


def shown_of(lines: list[str]) -> list[str]:
    """Return what is printed of a failed target's log: its end, and the lines that name a fault."""
    faults = [line[:SHOWN_WIDTH] for line in lines if FAULT.match(line)]
    return [f"  | {line}" for line in lines[-SHOWN_LINES:]] + [f"  ! {line}" for line in faults[-SHOWN_FAULTS:]]


def run_step(name: str) -> Step:
    """Run one target; print its line, and the end of its log if it failed."""
    log = os.path.join(LOGS, f"{name}.log")
    begun = time.monotonic()
    with open(log, "wb") as stream:
        command = ["make", "--no-print-directory", "STAGED=1", name]
        passed = subprocess.run(command, check=False, stdout=stream, stderr=subprocess.STDOUT).returncode == 0
    with open(log, encoding="utf-8", errors="replace") as stream:
        lines = [COLOURS.sub("", line.rstrip("\n")) for line in stream]
    step = Step(name, passed, result_of(lines), time.monotonic() - begun)
    shown = [] if passed else [*shown_of(lines), f"  all of it: {log}"]
    print("\n".join([str(step), *shown]), flush=True)
    return step


def run_lane(lane: str) -> list[Step]:
    """Run the targets of a lane, one after another."""
    return [run_step(name) for name in lane.split()]


def main() -> int:
    """Run all phases, then print the summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--phase", nargs="+", action="append", metavar=("JOBS", "LANE"), required=True)
    begun = time.monotonic()
    os.makedirs(LOGS, exist_ok=True)
    steps: list[Step] = []
    for jobs, *lanes in parser.parse_args().phase:
        with ThreadPoolExecutor(int(jobs)) as pool:
            for done in pool.map(run_lane, lanes):
                steps += done
    failed = [step.name for step in steps if not step.passed]
    if failed:
        print(f"\nThese failed: {', '.join(failed)}")
    print(f"\nAfter {(time.monotonic() - begun) / 60:.0f} minutes:")
    print(f"steps: {len(steps) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
