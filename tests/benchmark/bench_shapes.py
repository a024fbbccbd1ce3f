# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure whether reading a log of each shape takes linear time: python bench_shapes.py [SHAPE...].

The shapes are those of hostile and of damaged logs. Each is read at two sizes, in a process of its
own, as the module reads a file. Printed are the ratios of the CPU times for twice the input, and
the memory over a bare Python. A ratio is the smallest of some turns, because other processes can
only make it larger. No test fails because of them.
"""

import json
import multiprocessing
import os
import resource
import struct
import sys
import tempfile
import time

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import Query, gather

# About how many seconds the smaller size should take: fewer would measure only the start.
SECONDS = 0.2
TURNS = int(os.environ.get("TURNS", "3"))
DOUBLE_BY_HALF = 2.2  # twice the input, plus the inaccuracy of the clock
MIB_OVER_BARE = 64

FORK = multiprocessing.get_context("fork")

STAMP = "Nov 23 04:{:02}:{:02} server kernel: [{:12.6f}] "
HEADER = "prog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
KILL = (
    "Out of memory: Killed process {} (prog) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB, UID:0"
    " pgtables:4kB oom_score_adj:0"
)
SUMMARY = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/a,task=prog,pid={},uid=0"
TABLE = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
ROW = "[{:7}]     0 {:5}     1000      100    45056        0             0 prog"
REPORT = (
    HEADER,
    "CPU: 0 PID: 7 Comm: prog Not tainted 6.1.0",
    TABLE,
    ROW.format(7, 7),
    SUMMARY.format(7),
    KILL.format(7),
)


def stamp(number):
    return STAMP.format(number // 60 % 60, number % 60, number * 1.0)


def stamped(texts):
    return "".join(stamp(number) + text + "\n" for number, text in enumerate(texts)).encode()


def lines(texts):
    return "".join(text + "\n" for text in texts).encode()


def repeat(*texts):
    return lambda count: stamped(texts[number % len(texts)].replace("{}", str(number)) for number in range(count))


def repeat_bare(*texts):
    return lambda count: lines(texts[number % len(texts)].replace("{}", str(number)) for number in range(count))


def write_export(count):
    entry = "__REALTIME_TIMESTAMP={0}\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n_BOOT_ID=a\nMESSAGE={1}\n\n"
    return "".join(entry.format(number * 10**6, KILL.format(number)) for number in range(count)).encode()


def write_binary_fields(count):
    value = b"MESSAGE\n" + struct.pack("<Q", 7) + b"nothing" + b"\n\n"
    return b"__REALTIME_TIMESTAMP=1\n\n" + value * count


def write_pretty(count):
    return b"".join(b'{\n\t"MESSAGE" : "%s"\n}\n' % KILL.format(number).encode() for number in range(count))


def write_endless_pretty(count):
    return b'{\n\t"MESSAGE" : "x",\n' + b'\t"A" : "x",\n' * count


def write_verbose(count):
    head = "Mon 2026-11-23 04:43:46.000001 UTC [s={0:032x};i=7;b={0:032x};m={1:x};t={1:x};x=a]\n"
    return "".join(
        head.format(1, number * 10**6) + "    MESSAGE=" + KILL.format(number) + "\n" for number in range(count)
    ).encode()


def write_dmesg_json(count):
    return json.dumps(
        dict(dmesg=[dict(time=float(number), msg=KILL.format(number)) for number in range(count)])
    ).encode()


def write_objects(count):
    return lines(json.dumps(dict(message=KILL.format(number), n=number)) for number in range(count))


def write_nested(count):
    return lines("[" * 200 + "{" + "]" * 200 for _number in range(count // 200))


def write_nested_objects(count):
    return lines('{"a":' * 500 + '"Killed process 7 (x)"' + "}" * 500 for _number in range(count // 500))


def write_names(count):
    """Write names of victims that have line ends, and never end."""
    return lines(["Out of memory: Killed process 7 (x"] + ["a"] * count)


def write_wrapped(count, width=80):
    texts = [stamp(number) + text for number in range(count // 6) for text in REPORT]
    return lines(text[at : at + width] for text in texts for at in range(0, len(text), width))


SHAPES = {
    "reports": repeat(*REPORT),
    "headers": repeat(HEADER),
    "headers, bare": repeat_bare(HEADER),
    "kills": repeat(KILL),
    "kills, bare": repeat_bare(KILL),
    "one kill again and again": repeat_bare(KILL.replace("{}", "7")),
    "one kill at one moment": lambda count: (stamp(1) + KILL.format(7) + "\n").encode() * count,
    "members of a group": lambda count: "".join(
        "[    1.000000] " + text + "\n"
        for number in range(count // 2)
        for text in (KILL.format(number)[15:], f"Tasks in /{number} are going to be killed due to memory.oom.group set")
    ).encode(),
    "one large group": lambda count: lines(
        [
            "[    1.000000] " + text
            for text in [
                HEADER,
                SUMMARY.format(1),
                KILL.format(1),
                "Tasks in /a are going to be killed due to memory.oom.group set",
            ]
        ]
        + ["[    1.000000] Memory cgroup out of memory: " + KILL.format(number)[15:] for number in range(count)]
    ),
    "victims that are skipped": lambda count: lines(
        ["[    1.000000] " + KILL.format(1)]
        + ["[    1.000000] Memory cgroup out of memory: OOM victim 7 (x) is already exiting. Skip killing the task"]
        * count
    ),
    "summaries": repeat(SUMMARY),
    "announced kills": repeat("Out of memory: Kill process {} (prog) score 9 or sacrifice child"),
    "one large task table": lambda count: lines(
        [HEADER, TABLE] + [ROW.format(number, number) for number in range(count)] + [SUMMARY.format(7), KILL.format(7)]
    ),
    "rows": repeat(ROW.replace("{:7}", "{}").replace("{:5}", "{}")),
    "boots": repeat("Linux version 6.1.0 (x)", KILL),
    "boots, bare": repeat_bare("Linux version 6.1.0 (x)", KILL),
    "uptimes that fall": lambda count: lines(
        f"[{count - number:5}.000000] " + KILL.format(7) for number in range(count)
    ),
    "other lines": repeat("usb 1-1: new high-speed device number 7"),
    "other lines, bare": repeat_bare("some text of a person about a kill of process 7"),
    "prefixes that differ": lambda count: lines(
        f"h{'abcdefgh'[number % 8] * (number % 60)}~{number}> | " + KILL.format(number) for number in range(count)
    ),
    "one prefix": lambda count: lines(f"= node {number} | " + text for number in range(count // 6) for text in REPORT),
    "prefixes of words": lambda count: lines("a b c " * 30 + HEADER for _number in range(count)),
    "headers with odd names": repeat_bare("a b: invoked oom-killer: gfp_mask=0x0, order=0"),
    "quotes": lambda count: lines("> " * (number % 90) + KILL.format(number) for number in range(count)),
    "starts of names": write_names,
    "names, each new": repeat_bare("Out of memory: Killed process {} (x", "a"),
    "summaries that go on": lambda count: stamped(
        ["oom-kill:constraint=CONSTRAINT_NONE,task_memcg=/a"] + [",x=/"] * count
    ),
    "a wrapped log": write_wrapped,
    "a terminal of 60 columns": lambda count: write_wrapped(count, 60),
    "literals": lambda count: lines(
        f'    "{text[at : at + 40]}"'
        for number in range(count // 6)
        for text in REPORT
        for at in range(0, len(text), 40)
    ),
    "literals without end": repeat_bare('"Out of memory: "'),
    "lines of literals": lambda count: lines('"Killed " "process " ' * 200 for _number in range(count // 50)),
    "reports joined": lambda count: lines("; ".join(REPORT).replace("{}", str(number)) for number in range(count // 6)),
    "fields that repeat": lambda count: lines(
        f"{field}: ' {text.replace('{}', str(number))}'"
        for number in range(count // 6)
        for text in (HEADER, KILL)
        for field in ("msg", "escaped msg", "rawmsg")
    ),
    "lines of hard blanks": lambda count: lines("\u00a0" * 4000 for _number in range(count // 100)),
    "words of a wrapped log": repeat_bare("Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss"),
    "lines run together": lambda count: lines(
        (stamp(number) + KILL.format(number)) * 20 for number in range(count // 20)
    ),
    "all lines run together": lambda count: b"".join(
        (stamp(number) + KILL.format(number)).encode() for number in range(count)
    ),
    "one line of words": lambda count: (HEADER + " ").encode() * count,
    "one line of brackets": lambda count: b"[ " * count * 8,
    "one line of digits": lambda count: b"1" * count * 64,
    "lines of brackets": lambda count: lines("[" * 4000 for _number in range(count // 400)),
    "lines of blanks": lambda count: lines(" " * 8000 + "x" for _number in range(count // 200)),
    "lines of colons": lambda count: lines("a: " * 2000 + KILL.format(number) for number in range(count // 200)),
    "lines of quotes": lambda count: lines(
        '"' * 190 + KILL.format(number) + '"' * 4000 for number in range(count // 200)
    ),
    "lines of stamps": lambda count: lines("Nov 23 04:43:46 server kernel: " * 200 for _number in range(count // 50)),
    "lines of words": lambda count: lines("Killed process 7 (x) " * 300 for _number in range(count // 50)),
    "lines of summaries": lambda count: lines(
        "oom-kill:constraint=CONSTRAINT_NONE," + "task_memcg=/a,task=x,pid=7,uid=0" * 200
        for _number in range(count // 50)
    ),
    "lines of limits": lambda count: lines(
        "Task in /" + "a killed as a result of limit of /" * 100 for _number in range(count // 50)
    ),
    "lines of JSON": write_objects,
    "nested lists": write_nested,
    "nested objects": write_nested_objects,
    "NUL bytes": lambda count: (b"\0" * 500 + stamp(1).encode() + KILL.format(7).encode() + b"\n") * count,
    "NUL bytes in lines": lambda count: b"\0a" * count * 20,
    "line ends": lambda count: b"\n" * count * 10,
    "CR LF": lambda count: repeat(*REPORT)(count).replace(b"\n", b"\r\n"),
    "UTF-16": lambda count: repeat(*REPORT)(count).decode().encode("utf-16"),
    "bytes that are not UTF-8": lambda count: (b"\xff" * 200 + b"\n") * count,
    "kills by earlyoom": lambda count: lines(
        f'Nov 23 04:43:46 server earlyoom[7]: sending SIGTERM to process {number} uid 0 "x": badness 7, VmRSS 9 MiB'
        for number in range(count)
    ),
    "kills by systemd-oomd": lambda count: lines(
        f"Nov 23 04:43:46 server systemd-oomd[7]: Killed /a/{number} due to memory pressure for /a being 9% > 5%"
        for number in range(count)
    ),
    "victims of nohang": lambda count: lines(
        f"Nov 23 04:43:46 server nohang[7]: PID: {number}, name: x, badness: 7" for number in range(count)
    ),
    "export": write_export,
    "export, binary": write_binary_fields,
    "json-pretty": write_pretty,
    "json-pretty without end": write_endless_pretty,
    "verbose": write_verbose,
    "dmesg --json": write_dmesg_json,
}


def read(path, results):
    """Read a log as the module does; write the seconds, MiB and events to a pipe."""
    options = dict.fromkeys(Query._fields)
    options.update(source="file", paths=[path], boot="current", tasks=False, raw=False, untrusted=True, limit=1000)
    before, kibibytes = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = gather(Query(**options), Procfs())["total"]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kibibytes
    results.send((time.process_time() - before, grown / 1024, found))


def measure(path, content):
    """Write the log, and read it in another process; return seconds, MiB and events."""
    with open(path, "wb") as stream:
        stream.write(content)
    del content
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=read, args=(path, sender))
    process.start()
    measured = receiver.recv()
    process.join()
    return measured


def find_count(path, write):
    """Return a number of lines that takes about SECONDS."""
    count = 2000
    while count < 2_000_000:
        seconds, _mebibytes, _found = measure(path, write(count))
        if seconds >= SECONDS / 2:
            break
        count = int(count * min(8, max(1.5, SECONDS / (seconds + 0.01))))
    return count


def main():
    wanted = sys.argv[1:]
    print(f"{'shape':<28} {'lines':>8} {'seconds':>8} {'events':>8} {'twice':>6} {'MiB':>6}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        for name, write in SHAPES.items():
            if wanted and name not in wanted:
                continue
            count = find_count(path, write)
            turns = [(measure(path, write(count)), measure(path, write(2 * count))) for _turn in range(TURNS)]
            once, twice = (min(seconds for seconds, _mebibytes, _found in sizes) for sizes in zip(*turns))
            mebibytes, found = turns[0][1][1:]
            holds = twice / once <= DOUBLE_BY_HALF and mebibytes <= MIB_OVER_BARE
            print(
                f"{name:<28} {count:>8} {once:>8.2f} {found:>8.0f} {twice / once:>6.2f} {mebibytes:>6.1f}"
                f"   {'holds' if holds else 'DOES NOT HOLD'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
