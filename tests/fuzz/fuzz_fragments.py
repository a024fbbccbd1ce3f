# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fuzz the parser with changed pieces of reports.

Usage: fuzz_fragments.py [--runs N] [--seed N] [--jobs N] [--only RUN]

Each run takes a few lines of a true report, or of what users forge, in a log's form and behind what
people and tools put around lines. It joins, wraps and splits them, and changes some characters.
parser_promises.py has what is checked. Nothing measures coverage, so this is much faster than
fuzz_parser.py, and knows from the start what reports look like.

A run depends on its seed and its number alone: --only repeats one. A text that was tried before is
not counted. Every 100,000 inputs a line reports the speed, and which share of the texts held an
event.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import textwrap
import time
import traceback
import zlib

from parser_promises import (
    DMESG_JSON,
    EXPORT,
    FORMS,
    TEXT,
    check_events,
    check_mixed,
    check_report,
    parse_lines,
    read_fixtures,
)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from hostile_reports import HOSTILE, WORDS, make_report
from log_wrappings import WRAPPINGS

MAX_FAILURES = 20
REPORTED_INPUTS = 100000
REPORTS = 400  # generated ones to take lines from
FILTER_BITS = 28  # of the texts that were tried; some new ones are taken for old, never the other way

STAMPS = [
    "",
    "[ 5120.000007] ",
    "Nov 23 04:43:46 host kernel: ",
    "Nov 23 04:43:46 host kernel: [53649.722000] ",
    "2026-11-23T04:43:46.123456+00:00 host kernel: ",
    "[Mon Nov 23 04:43:46 2026] ",
    "<4>[53649.722000] ",
    "kern  :err   : [53649.722000] ",
    "4,7,53649722000,-;",
    "12,7,53649722000,-;",
    "Nov 23 04:43:46 host mallory[7]: ",
    "Nov 23 04:43:46 host earlyoom[7]: ",
]
JOINTS = ["", " ", "  ", "\t", "; ", ", ", " | ", "\\n", "<br>", "#012", "\\x0a"]
# Lines of other writers, which no recorded log has.
OTHERS = [
    'sending SIGTERM to process 6311 uid 33 "delta": oom_score 77, VmRSS 40 MiB, cmdline "x"',
    "Killed /q/r due to memory pressure for /q being 90.00% > 80.00% for > 30s with reclaim activity",
    "oomd kill: 0.1 0.2 0.3 /q/r 81920 ruleset:[a] detectorgroup:[b] killer:[kill_by_swap] v2",
    "lowmemorykiller: Killing 'delta' (6311), adj 900,",
    "Kill 'delta' (6311), uid 33, oom_adj 900 to free 81920kB",
    "** 7 printk messages dropped ** [ 5120.000007] Out of memory: Killed process 6311 (delta)",
    "kind: Event",
    "Linux version 6.1.0",
]
QUOTES = "\"'`"
JOURNAL = {"_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": "kernel", "PRIORITY": "4", "_SOURCE_MONOTONIC_TIMESTAMP": "7"}


def collect_reports():
    """Return reports as lists of messages: recorded ones, generated ones, and what users forge."""
    reports = [HOSTILE, OTHERS]
    for _path, lines in read_fixtures():
        texts = [record.text for record in parse_lines(line.decode("utf-8", "replace") for line in lines)]
        headers = [number for number, text in enumerate(texts) if "invoked oom-killer" in text]
        reports += [texts[at : at + 80] for at in headers]
    for number in range(REPORTS):
        reports.append(["".join(parts) for parts in make_report(random.Random(number)).messages])
    return [[message[:600] for message in report] for report in reports]


def choose_messages(dice, reports):
    """Return one to six messages: of one report in their order, or of any."""
    count = dice.choice((1, 1, 1, 2, 2, 3, 6))
    if dice.random() < 0.2:
        return [dice.choice(dice.choice(reports)) for _number in range(count)]
    report = dice.choice(reports)
    if dice.random() < 0.5:  # a report's end, which says who died
        return report[-count:]
    places = sorted(dice.randrange(len(report)) for _number in range(count))
    return [report[at] for at in places]


def lay_out(dice, lines):
    """Return the text of lines as people copy them: whole, joined, wrapped, or in literals."""
    way = dice.random()
    if way < 0.6:
        return "\n".join(lines)
    if way < 0.75:
        return dice.choice(JOINTS).join(lines)
    if way < 0.9:
        width = dice.randrange(30, 140)
        return "\n".join(line[at : at + width] for line in lines for at in range(0, len(line), width))
    if way < 0.95:
        return "\n".join(part for line in lines for part in textwrap.wrap(line, dice.randrange(50, 100)) or [""])
    quote, width = dice.choice(QUOTES), dice.randrange(20, 90)
    joint = quote + dice.choice((" ", "\n", " +\n", "\n    ", ",\n")) + quote
    return quote + joint.join(line[at : at + width] for line in lines for at in range(0, len(line), width)) + quote


def change(dice, text):
    """Return the text with a few characters lost, doubled, replaced, or put in."""
    for _turn in range(dice.choice((0, 0, 1, 1, 2, 4))):
        at = dice.randrange(len(text) + 1)
        end = at + dice.choice((0, 1, 1, 2, 5, 15, 60))
        way = dice.random()
        if way < 0.25:
            text = text[:at] + text[end:]
        elif way < 0.4:
            text = text[:end] + text[at:]
        elif way < 0.75:
            text = text[:at] + dice.choice(WORDS) + text[at:]
        elif way < 0.9:
            text = text[:at] + chr(dice.choice((dice.randrange(128), dice.randrange(0x3000)))) + text[at + 1 :]
        else:
            text = text[:at]
    return text


def make_text(dice, reports):
    """Return the format and the content of a file."""
    messages = choose_messages(dice, reports)
    form = dice.random()
    if form < 0.06:
        fields = [dict(JOURNAL, MESSAGE=change(dice, one).replace("\n", " ")) for one in messages]
        return EXPORT, "\n\n".join("\n".join(f"{key}={value}" for key, value in one.items()) for one in fields) + "\n\n"
    if form < 0.09:
        entries = [{"pri": 4, "time": 5120.7, "msg": one, "fac": dice.choice(("kern", "user"))} for one in messages]
        return DMESG_JSON, change(dice, json.dumps({"dmesg": entries}))
    if form < 0.14:
        name = dice.choice(("message", "msg", "log", "MESSAGE", "_raw"))
        return TEXT, change(dice, "\n".join(json.dumps(dict(JOURNAL, **{name: one})) for one in messages))
    stamp = dice.choice(STAMPS)
    before, behind = dice.choice(WRAPPING_PAIRS) if dice.random() < 0.5 else ("", "")
    return TEXT, change(dice, lay_out(dice, [before + stamp + one + behind for one in messages]))


WRAPPING_PAIRS = list(WRAPPINGS.values())


class Tried:
    """The texts that were tried, by their checksums."""

    def __init__(self):
        self._bits = bytearray(1 << FILTER_BITS - 3)

    def is_new(self, data):
        place = zlib.crc32(data) & (1 << FILTER_BITS) - 1
        bit = 1 << (place & 7)
        is_new = not self._bits[place >> 3] & bit
        self._bits[place >> 3] |= bit
        return is_new


def run_once(dice, reports, tried):
    """Do one run; return how many events it found.

    For a report with its truth this is -1, and None for a text that was tried before.
    """
    kind = dice.random()
    if kind < 0.08:
        (check_report if kind < 0.04 else check_mixed)(dice, [dice.choice(FORMS)])
        return -1
    form, text = make_text(dice, reports)
    data = text.encode("utf-8", "surrogateescape")
    if not tried.is_new(data):
        return None
    return len(check_events(form, data))


class Counts:
    """Hold what was tried so far."""

    def __init__(self, job):
        self.job = job
        self.inputs = self.with_event = self.true_reports = self.repeated = self.failures = 0
        self._began = time.monotonic()

    def add(self, found):
        self.repeated += found is None
        self.inputs += found is not None
        self.true_reports += found == -1
        self.with_event += found is not None and found > 0

    def __str__(self):
        seconds = time.monotonic() - self._began
        texts = max(1, self.inputs - self.true_reports)
        return (
            f"job {self.job}: {self.inputs} inputs in {seconds:.0f} s, {self.inputs / seconds:.0f} a second;"
            f" {self.with_event / texts:.0%} of the texts held an event; {self.true_reports} reports with their truth;"
            f" {self.repeated} texts tried before; {self.failures} failures"
        )


def fuzz(job, numbers, seed):
    """Do these runs; return how many failed."""
    reports, tried, counts = collect_reports(), Tried(), Counts(job)
    for number in numbers:
        dice = random.Random((seed << 40) + number)
        try:
            counts.add(run_once(dice, reports, tried))
        except Exception:
            counts.failures += 1
            print(f"\nrun {number}\n{traceback.format_exc()[-3000:]}", flush=True)
            if counts.failures >= MAX_FAILURES:
                break
        if counts.inputs % REPORTED_INPUTS == 0:
            print(counts, flush=True)
    print(f"result: {counts}", flush=True)
    return counts.failures


def main():
    """Run the given number of inputs; exit with 1 if any broke a promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, default=None)
    options = parser.parse_args()
    if options.only is not None:
        sys.exit(bool(fuzz(0, [options.only], options.seed)))
    shares = [range(job, options.runs, options.jobs) for job in range(options.jobs)]
    with multiprocessing.Pool(options.jobs) as pool:
        jobs = [(job, share, options.seed) for job, share in enumerate(shares)]
        sys.exit(bool(sum(pool.starmap(fuzz, jobs, chunksize=1))))


if __name__ == "__main__":
    main()
