# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long it takes to read a log of a gigabyte with 200 reports in it.

It is compared with grep, zgrep and the like, which only count reports, a journal with journalctl,
and one report with OOMAnalyser, which parses a single one. OOMAnalyser is not on PyPI: set
OOMANALYSER to the path of its OOMAnalyser.py.

It takes a minute to make the journal of two million entries, so it is kept in CACHE.

The bounds are ratios from one interleaved run. No test fails because of them.
"""

import hashlib
import importlib.util
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import LogFile
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal import Journal
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import Query, gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

HERE = os.path.abspath(__file__)
FIXTURE = os.path.join(os.path.dirname(HERE), "../unit/fixtures/kernel_logs/recorded/debian12-6.1/dmesg-x.log")

MEBIBYTES = int(os.environ.get("MEBIBYTES", "1024"))
REPORTS = max(1, 200 * MEBIBYTES // 1024)
ROWS = 150  # of each report's task table
REPETITIONS = 5
PACKED_REPETITIONS = 3  # they take longer
DOUBLED_PAIRS = 11  # of two short times, whose ratio is not exact

# The bounds, as the printed table names them.
GREP_BY_OURS = 0.5
ANALYSER_BY_OURS = 20
DOUBLE_BY_HALF = 2.2  # twice the input, plus the inaccuracy of the clock
MIB_OVER_BARE = 64
OURS_BY_JOURNALCTL = 1.5

ENTRIES = int(os.environ.get("ENTRIES", "2000000"))  # of the journal
JOURNAL_REPORTS = max(1, 200 * ENTRIES // 2000000)
CACHE = os.environ.get("CACHE", "/var/tmp")
JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"

WORDS = [
    "usb",
    "new",
    "high-speed",
    "device",
    "number",
    "using",
    "xhci_hcd",
    "EXT4-fs",
    "(sda1):",
    "mounted",
    "filesystem",
    "with",
    "ordered",
    "data",
    "mode",
    "veth0a1b2c3",
    "entered",
    "blocking",
    "state",
    "promiscuous",
    "IPv6:",
    "ADDRCONF(NETDEV_CHANGE):",
    "link",
    "becomes",
    "ready",
    "audit:",
    "type=1400",
    'apparmor="ALLOWED"',
    "operation=",
    "profile",
    "name=",
    "pid=",
    "comm=",
    "nfs:",
    "server",
    "not",
    "responding,",
    "still",
    "trying",
    "TCP:",
    "Possible",
    "SYN",
    "flooding",
    "on",
    "port.",
    "Sending",
    "cookies.",
]


def report_lines():
    """Return the lines of one recorded report, with a task table as long as that of a server."""
    lines = [record.text for record in LogFile(FIXTURE).records()]
    begin = next(number for number, line in enumerate(lines) if "invoked oom-killer" in line)
    end = next(number for number, line in enumerate(lines) if number > begin and "Killed process" in line)
    row = next(number for number, line in enumerate(lines) if number > begin and re.match(r"\[ *\d+\] ", line))
    return lines[begin:row] + [lines[row]] * ROWS + lines[row : end + 1]


def write_log(path, mebibytes, reports):
    """Write a kern.log in the format of rsyslog, with evenly spread reports."""
    choose = random.Random(1)
    fillers = [" ".join(choose.choices(WORDS, k=choose.randint(6, 16))) for _turn in range(5000)]
    lines, size, uptime, written = report_lines(), 0, 0.0, 0
    with open(path, "w") as stream:
        while size < mebibytes << 20:
            uptime += 0.01
            texts = [choose.choice(fillers)]
            if size >= written * (mebibytes << 20) / reports:
                texts, written = lines, written + 1
            seconds = int(uptime)
            clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            stamp = f"Nov 23 {clock} server kernel: [{uptime:12.6f}] "
            size += stream.write("".join(stamp + text + "\n" for text in texts))


def measure_time(action):
    """Run the action; return its seconds and its result."""
    begun = time.monotonic()
    result = action()
    return time.monotonic() - begun, result


def grep(path):
    return count_with("grep", path)


def ours(path):
    """Count the reports as the module does with killer=kernel."""
    options = dict.fromkeys(Query._fields)
    options.update(source="file", paths=[path], boot="current", killer="kernel")
    options.update(tasks=False, raw=False, untrusted=False, limit=1000)
    return len(gather(Query(**options), Procfs())["events"])


def all_killers(path):
    """Count the events of the kernel and of user-space killers."""
    return len(parse_events(LogFile(path).records()))


def load_analyser(program):
    spec = importlib.util.spec_from_file_location("OOMAnalyser", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def analyse(module, text):
    if not module.OOMAnalyser(module.OOMEntity(text)).analyse():
        sys.exit("OOMAnalyser did not parse the report")


def read_start(path, size):
    with open(path) as stream:
        return stream.read(size)


def measure_peak_mib(code):
    """Run the code in a new Python; return its peak memory in MiB."""
    measure = '\nprint([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])'
    done = subprocess.run([sys.executable, "-c", code + measure], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1]) / 1024


def print_row(what, value, bound="", holds=None):
    print(f"{what:<38} {value:>10}   {bound:<14} {'' if holds is None else 'holds' if holds else 'DOES NOT HOLD'}")


def compare_with_analyser(module, path, own_seconds):
    """Compare the time for one report with that of OOMAnalyser, for three inputs.

    OOMAnalyser parses the first report of its input. The inputs are the whole log, as a user has
    it, the part of the log with one report, and a report that was cut out by hand. The last one
    shows what is left of the difference if nothing has to be searched for.
    """

    def print_ratio(what, ratio):
        print_row(
            "OOMAnalyser / ours, given " + what,
            f"{ratio:.1f}",
            f"at least {ANALYSER_BY_OURS}",
            ratio >= ANALYSER_BY_OURS,
        )

    for what, size, turns in (
        ("the log", MEBIBYTES << 20, 1),
        ("a part of it", (MEBIBYTES << 20) // REPORTS, REPETITIONS),
    ):
        text = read_start(path, size)
        seconds = [measure_time(lambda text=text: analyse(module, text))[0] for _turn in range(turns)]
        print_ratio(what, statistics.median(seconds) / own_seconds)
    text = "\n".join("[  123.456789] " + line for line in report_lines())
    ratios = [
        measure_time(lambda: analyse(module, text))[0]
        / measure_time(lambda: parse_events(parse_lines(text.split("\n"))))[0]
        for _turn in range(51)
    ]
    print_ratio("a report", statistics.median(ratios))


# How a packed log is made, what counts its reports, the share of the log that is packed, and the
# bound of the throughput.
PACKED = {
    ".gz": ("gzip -k1", "zgrep", 1, GREP_BY_OURS),
    ".xz": ("xz -k0 -T1", "xzgrep", 1, GREP_BY_OURS),
    ".zst": ("zstd -qk1", "zstdgrep", 1, 0.3),  # zstd unpacks faster than Python copies
    ".bz2": ("bzip2 -k1", "bzgrep", 8, GREP_BY_OURS),  # it takes ten times as long as the others
}


def count_with(*command):
    """Run grep or the like on a log; return how many reports it counts."""
    done = subprocess.run([*command[:1], "-c", "invoked oom-killer", *command[1:]], check=True, stdout=subprocess.PIPE)
    return int(done.stdout)


def compare_packed(folder, path):
    """Compare the time for a packed log with that of the usual program, which only counts."""
    for ending, (pack, counting, share, bound) in PACKED.items():
        part, reports = path, REPORTS
        if share > 1:
            part, reports = os.path.join(folder, "part.log"), REPORTS // share
            write_log(part, MEBIBYTES // share, reports)
        subprocess.run([*pack.split(), part], check=True)
        packed = part + ending
        ratios = []
        for _turn in range(PACKED_REPETITIONS):
            theirs, counted = measure_time(lambda packed=packed, counting=counting: count_with(counting, packed))
            own, found = measure_time(lambda packed=packed: ours(packed))
            ratios.append(theirs / own)
            if not found == counted == reports:
                sys.exit(f"{found} and {counted} of {reports} reports found in {packed}")
        ratio = statistics.median(ratios)
        print_row(f"throughput / {counting}", f"{ratio:.2f}", f"at least {bound}", ratio >= bound)
        print_memory(f"memory, {ending}", f"from bench_events import ours\nours({packed!r})")
        os.unlink(packed)


def print_memory(what, code):
    path = f"import sys; sys.path[:] = {sys.path!r}; sys.argv = ['']\n"
    over = measure_peak_mib(path + code) - measure_peak_mib(path)
    print_row(what, f"{over:.1f} MiB", f"at most {MIB_OVER_BARE}", over <= MIB_OVER_BARE)


def write_entries(stream):
    """Write the kernel's entries of a boot in the journal's export format."""
    choose = random.Random(1)
    fillers = [" ".join(choose.choices(WORDS, k=choose.randint(6, 16))) for _turn in range(5000)]
    lines, written, number = report_lines(), 0, 0
    while number < ENTRIES:
        texts = [f"{choose.choice(fillers)} {number}"]  # most messages occur once
        if number * JOURNAL_REPORTS >= written * ENTRIES:
            texts, written = lines, written + 1
        for text in texts:
            number += 1
            stream.write(
                f"__REALTIME_TIMESTAMP={1795000000000000 + number * 10000}\n__MONOTONIC_TIMESTAMP={number * 10000}\n"
                f"_BOOT_ID={1:032x}\n_MACHINE_ID={2:032x}\n_HOSTNAME=server\nPRIORITY=6\n_TRANSPORT=kernel\n"
                f"SYSLOG_FACILITY=0\nSYSLOG_IDENTIFIER=kernel\n_SOURCE_MONOTONIC_TIMESTAMP={number * 10000 - 5}\n"
                f"MESSAGE={text}\n\n"
            )


def make_journal():
    """Return a folder with the journal; it is made again when this file changes."""
    with open(HERE, "rb") as stream:
        digest = hashlib.sha256(stream.read() + b"%d" % ENTRIES).hexdigest()[:12]
    folder = os.path.join(CACHE, "journal-" + digest)
    if not os.path.exists(folder):
        new = tempfile.mkdtemp(dir=CACHE, prefix="journal-")
        command = [JOURNAL_REMOTE, "--output", os.path.join(new, "system.journal"), "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            write_entries(process.stdin)
        if process.returncode:
            shutil.rmtree(new)
            sys.exit(f"{JOURNAL_REMOTE} failed: {process.returncode}")
        os.rename(new, folder)
    return folder


def read_journal(folder, program):
    """Count the reports in a journal; the program is where to write a journalctl that reads it."""
    with open(program, "w") as stream:
        stream.write(f'#!/bin/sh\nexec journalctl --directory={folder} "$@"\n')
    os.chmod(program, 0o755)
    return len(parse_events(Journal("all", program=program).read()))


def compare_journal(folder):
    """Compare the time for a journal with that of a search with journalctl."""
    journal, program = make_journal(), os.path.join(folder, "journalctl")
    command = ["journalctl", "--directory", journal, "-q", "-k", "-b", "all", "-g", "invoked oom-killer"]
    ratios = []
    for _turn in range(PACKED_REPETITIONS):
        theirs, done = measure_time(lambda: subprocess.run(command, check=True, stdout=subprocess.PIPE))
        own, found = measure_time(lambda: read_journal(journal, program))
        ratios.append(own / theirs)
        if not found == done.stdout.count(b"\n") == JOURNAL_REPORTS:
            sys.exit(f"{found} of {JOURNAL_REPORTS} reports found in the journal")
    ratio = statistics.median(ratios)
    print_row(
        f"time / journalctl -g, {ENTRIES} entries",
        f"{ratio:.2f}",
        f"at most {OURS_BY_JOURNALCTL}",
        ratio <= OURS_BY_JOURNALCTL,
    )
    print_memory("memory, journal", f"from bench_events import read_journal\nread_journal({journal!r}, {program!r})")


def main():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path, half = os.path.join(folder, "kern.log"), os.path.join(folder, "half.log")
        write_log(path, MEBIBYTES, REPORTS)
        write_log(half, MEBIBYTES // 2, REPORTS // 2)
        times = {grep: [], ours: [], all_killers: []}
        for _turn in range(REPETITIONS):
            for reader, measured in times.items():
                seconds, found = measure_time(lambda reader=reader: reader(path))
                measured.append(seconds)
                if found != REPORTS:
                    sys.exit(f"{reader.__name__} found {found} of {REPORTS} reports")
        print(f"{MEBIBYTES} MiB with {REPORTS} reports")
        for reader, measured in times.items():
            print_row(reader.__name__, f"{statistics.median(measured):.2f} s")
        ratio = statistics.median(theirs / own for theirs, own in zip(times[grep], times[ours]))
        print_row("throughput / grep", f"{ratio:.2f}", f"at least {GREP_BY_OURS}", ratio >= GREP_BY_OURS)
        doubled = statistics.median(
            measure_time(lambda: ours(path))[0] / measure_time(lambda: ours(half))[0] for _turn in range(DOUBLED_PAIRS)
        )
        print_row("twice the log", f"{doubled:.2f}", f"at most {DOUBLE_BY_HALF}", doubled <= DOUBLE_BY_HALF)
        print_memory("memory", f"from bench_events import ours\nours({path!r})")
        compare_packed(folder, path)
        compare_journal(folder)
        program = os.environ.get("OOMANALYSER")
        if program:
            compare_with_analyser(load_analyser(program), path, statistics.median(times[ours]) / REPORTS)
        else:
            print("OOMAnalyser is not measured: set OOMANALYSER=PATH")


if __name__ == "__main__":
    main()
