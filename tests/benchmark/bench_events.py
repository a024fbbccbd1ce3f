# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it costs to read a log of a gigabyte with 200 reports in it.

Measured against grep, which only counts reports, and against OOMAnalyser, which
takes one apart: OOMANALYSER=PATH names its OOMAnalyser.py, which PyPI does not
have. The bounds are ratios from one interleaved run, and no test fails because
of them.
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

# What must hold: see the table that is printed.
GREP_BY_OURS = 0.5
ANALYSER_BY_OURS = 20
DOUBLE_BY_HALF = 2.2  # twice the input, and what clocks are worth
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


def report():
    """The lines of one report as a kernel printed it, with a table as long as that of a server."""
    lines = [record.text for record in LogFile(FIXTURE).records()]
    begin = next(number for number, line in enumerate(lines) if "invoked oom-killer" in line)
    end = next(number for number, line in enumerate(lines) if number > begin and "Killed process" in line)
    row = next(number for number, line in enumerate(lines) if number > begin and re.match(r"\[ *\d+\] ", line))
    return lines[begin:row] + [lines[row]] * ROWS + lines[row : end + 1]


def write(path, mebibytes, reports):
    """A kern.log as rsyslog writes it, reports spread evenly."""
    choose = random.Random(1)
    fillers = [" ".join(choose.choices(WORDS, k=choose.randint(6, 16))) for _turn in range(5000)]
    lines, size, uptime, told = report(), 0, 0.0, 0
    with open(path, "w") as stream:
        while size < mebibytes << 20:
            uptime += 0.01
            texts = [choose.choice(fillers)]
            if size >= told * (mebibytes << 20) / reports:
                texts, told = lines, told + 1
            seconds = int(uptime)
            stamp = f"Nov 23 {seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02} server kernel: [{uptime:12.6f}] "
            size += stream.write("".join(stamp + text + "\n" for text in texts))


def timed(action):
    begun = time.monotonic()
    found = action()
    return time.monotonic() - begun, found


def grep(path):
    return int(subprocess.run(["grep", "-c", "invoked oom-killer", path], check=True, stdout=subprocess.PIPE).stdout)


def ours(path):
    nothing = dict.fromkeys(Query._fields)
    query = Query(
        **dict(
            nothing,
            source="file",
            paths=[path],
            boot="current",
            killer="kernel",
            tasks=False,
            raw=False,
            untrusted=False,
            limit=1000,
        )
    )
    return len(gather(query, Procfs())["events"])


def all_killers(path):
    return len(parse_events(LogFile(path).records()))


def load(program):
    spec = importlib.util.spec_from_file_location("OOMAnalyser", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def analysed(module, text):
    if not module.OOMAnalyser(module.OOMEntity(text)).analyse():
        sys.exit("OOMAnalyser did not take the report apart")


def first_lines(path, size):
    with open(path) as stream:
        return stream.read(size)


def peak_mib(code):
    """What a Python needs at most to run this."""
    measure = '\nprint([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])'
    done = subprocess.run([sys.executable, "-c", code + measure], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1]) / 1024


def row(what, value, bound="", holds=None):
    print(f"{what:<38} {value:>10}   {bound:<14} {'' if holds is None else 'holds' if holds else 'DOES NOT HOLD'}")


def main():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path, half = os.path.join(folder, "kern.log"), os.path.join(folder, "half.log")
        write(path, MEBIBYTES, REPORTS)
        write(half, MEBIBYTES // 2, REPORTS // 2)
        times = {grep: [], ours: [], all_killers: []}
        for _turn in range(REPETITIONS):
            for reader, measured in times.items():
                seconds, found = timed(lambda reader=reader: reader(path))
                measured.append(seconds)
                if found != REPORTS:
                    sys.exit(f"{reader.__name__} found {found} of {REPORTS} reports")
        print(f"{MEBIBYTES} MiB with {REPORTS} reports")
        for reader, measured in times.items():
            row(reader.__name__, f"{statistics.median(measured):.2f} s")
        ratio = statistics.median(theirs / own for theirs, own in zip(times[grep], times[ours]))
        row("throughput / grep", f"{ratio:.2f}", f"at least {GREP_BY_OURS}", ratio >= GREP_BY_OURS)
        doubled = statistics.median(
            timed(lambda: ours(path))[0] / timed(lambda: ours(half))[0] for _turn in range(REPETITIONS)
        )
        row("twice the log", f"{doubled:.2f}", f"at most {DOUBLE_BY_HALF}", doubled <= DOUBLE_BY_HALF)
        code = f"import sys; sys.path[:] = {sys.path!r}\n"
        reading = code + f"sys.argv = ['']\nfrom bench_events import ours\nours({path!r})"
        over = peak_mib(reading) - peak_mib(code)
        row("memory over a bare Python", f"{over:.1f} MiB", f"at most {MIB_OVER_BARE}", over <= MIB_OVER_BARE)
        program = os.environ.get("OOMANALYSER")
        if not program:
            print("OOMAnalyser was not given (OOMANALYSER=PATH), and is not measured")
            return
        module = load(program)
        # It takes the first report apart of what it is given: the log, as a user has it; that part of it which has one report; or a report
        # that somebody has cut out, which is what is left of the difference when nothing has to be looked for.
        own = statistics.median(times[ours]) / REPORTS
        for what, size, turns in (
            ("the log", MEBIBYTES << 20, 1),
            ("a part of it", (MEBIBYTES << 20) // REPORTS, REPETITIONS),
        ):
            text = first_lines(path, size)
            ratio = (
                statistics.median(timed(lambda text=text: analysed(module, text))[0] for _turn in range(turns)) / own
            )
            row(
                "OOMAnalyser / ours, given " + what,
                f"{ratio:.1f}",
                f"at least {ANALYSER_BY_OURS}",
                ratio >= ANALYSER_BY_OURS,
            )
        text = "\n".join("[  123.456789] " + line for line in report())
        alone = statistics.median(
            timed(lambda: analysed(module, text))[0] / timed(lambda: parse_events(parse_lines(text.split("\n"))))[0]
            for _turn in range(51)
        )
        row(
            "OOMAnalyser / ours, given a report",
            f"{alone:.1f}",
            f"at least {ANALYSER_BY_OURS}",
            alone >= ANALYSER_BY_OURS,
        )


if __name__ == "__main__":
    main()
