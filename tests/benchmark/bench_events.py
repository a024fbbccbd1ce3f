# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long it takes to read a log of a gigabyte with 200 reports in it.

It is compared with grep, which only counts reports, and with OOMAnalyser, which parses a single
report. OOMAnalyser is not on PyPI: set OOMANALYSER to the path of its OOMAnalyser.py.

The bounds are ratios from one interleaved run. No test fails because of them.
"""

import importlib.util
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import LogFile
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import Query, gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

FIXTURE = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../unit/fixtures/kernel_logs/recorded/debian12-6.1/dmesg-x.log"
)

MEBIBYTES = int(os.environ.get("MEBIBYTES", "1024"))
REPORTS = 200
ROWS = 150  # of each report's task table
REPETITIONS = 5
PACKED_REPETITIONS = 3  # they take longer

# The bounds, as the printed table names them.
GREP_BY_OURS = 0.5
ANALYSER_BY_OURS = 20
DOUBLE_BY_HALF = 2.2  # twice the input, plus the inaccuracy of the clock
MIB_OVER_BARE = 64

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
    return int(subprocess.run(["grep", "-c", "invoked oom-killer", path], check=True, stdout=subprocess.PIPE).stdout)


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


# How a packed log is made, and what counts its reports.
PACKED = {".gz": ("gzip -k1", "zgrep"), ".xz": ("xz -k0 -T1", "xzgrep")}


def compare_packed(path):
    """Compare the time for a packed log with that of the usual program, which only counts."""
    for ending, (pack, counting) in PACKED.items():
        subprocess.run([*pack.split(), path], check=True)
        command = [counting, "-c", "invoked oom-killer", path + ending]
        ratios = []
        for _turn in range(PACKED_REPETITIONS):
            theirs, _done = measure_time(
                lambda command=command: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            )
            own, found = measure_time(lambda ending=ending: ours(path + ending))
            ratios.append(theirs / own)
            if found != REPORTS:
                sys.exit(f"{found} of {REPORTS} reports found in {path}{ending}")
        ratio = statistics.median(ratios)
        print_row(f"throughput / {counting}", f"{ratio:.2f}", f"at least {GREP_BY_OURS}", ratio >= GREP_BY_OURS)
        os.unlink(path + ending)


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
            measure_time(lambda: ours(path))[0] / measure_time(lambda: ours(half))[0] for _turn in range(REPETITIONS)
        )
        compare_packed(path)
        print_row("twice the log", f"{doubled:.2f}", f"at most {DOUBLE_BY_HALF}", doubled <= DOUBLE_BY_HALF)
        code = f"import sys; sys.path[:] = {sys.path!r}\n"
        reading = code + f"sys.argv = ['']\nfrom bench_events import ours\nours({path!r})"
        over = measure_peak_mib(reading) - measure_peak_mib(code)
        print_row("memory over a bare Python", f"{over:.1f} MiB", f"at most {MIB_OVER_BARE}", over <= MIB_OVER_BARE)
        program = os.environ.get("OOMANALYSER")
        if program:
            compare_with_analyser(load_analyser(program), path, statistics.median(times[ours]) / REPORTS)
        else:
            print("OOMAnalyser is not measured: set OOMANALYSER=PATH")


if __name__ == "__main__":
    main()
