# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Predict who dies, then let the kernel kill: python trial.py --trials N [--hosts N] [--seed N]

Each trial fills a private memory cgroup with random processes to 80 percent, asks the module's own
code what happens if one of them goes on growing, and lets it grow until the kernel kills. Nothing
outside of the cgroup can die. With --hosts the memory of the whole host runs out: only in a guest.
Prints the share of right predictions, and every wrong one.
"""

import argparse
import contextlib
import gzip
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import NamedTuple

import task_tables

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import order_domains
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import is_below
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.ranking import find_victims
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.snapshot import take_snapshot
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import SELECTORS, Pin, parse_target
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

HERE = os.path.dirname(os.path.abspath(__file__))
FULL = 0.8  # of the limit, when the prediction is made
TIE_KB = 128
SECONDS = {"host": 500}  # until the kernel kills, by kind
OTHER_SECONDS = 50
PAUSE = 0.4  # the kernel prints at most ten tables in five seconds
QUIET = 0.2  # how long the kernel logs nothing after the last line of a report
MOST_WAITS = 10  # for it
MOST_BYTES = 512 * 1024  # that are read at once
KIB = 1024
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // KIB
OWN_KB = 700  # what a filler takes besides what it is told to
LIMIT_FILES = {1: "memory.limit_in_bytes", 2: "memory.max"}
SWAP_MIB = 128
SCORES = [0, 0, 0, 0, 50, 100, 300, 500, 800, 1000]
LOWERED = [-1000, -900, -500, -300, -100, -50]
ROOT = "/"
MOST_DISCARDED = 20  # trials in a row
SWAPPING = ("swap", "nested_swap")  # kinds that need swap, which a guest has

# Why a trial is discarded. Once the kernel has killed, the forecast does not decide that.
UNFIT = "a process was killed while it filled"
NOBODY = "the forecast was that nothing dies"
SAME = "no pins were found that change the victim"
UNLOGGED = "the kernel did not log the kill with its whole table"

# What task_tables reads of a report. Call traces and statistics would take most of the room.
NEEDED = re.compile(
    rb";(?:.*(?: invoked oom-killer|[Tt]ainted|Killed process |memory\.oom\.group|: usage \d|pages (?:RAM|reserved)$)"
    rb"| </?TASK>|Mem-Info|Memory cgroup stats|Tasks state|\[ *(?:pid|\d+) *\]|oom-kill:|Total swap)"
)


class Filler(NamedTuple):
    anon_kb: int
    file_kb: int
    shared_kb: int
    threads: int
    score: int

    @property
    def held_kb(self):
        return self.anon_kb + self.file_kb + self.shared_kb + OWN_KB


class Forecasted(NamedTuple):
    pid: int
    pids: list  # all that die at once, with the first one
    domain: str
    certain: bool


class Result(NamedTuple):
    kind: str
    predicted: list
    died: list
    domain_right: bool
    certain: bool
    gap_kb: int  # by how much the one that died was worse, by the kernel's own table
    fillers: list  # what each process held, by pid

    @property
    def right(self):
        return self.domain_right and self.died[0] == self.predicted[0] and set(self.died) == set(self.predicted)

    @property
    def tie(self):
        return self.domain_right and abs(self.gap_kb) < TIE_KB


class Cgroup:
    """A memory cgroup of our own, with those below it."""

    def __init__(self, hierarchy, path):
        self.hierarchy = hierarchy
        self.path = path
        self.folder = hierarchy.directory(path)

    def __enter__(self):
        if self.hierarchy.version == 2:  # the one above it lets its children have limits
            with open(os.path.join(os.path.dirname(self.folder), "cgroup.subtree_control"), "w") as stream:
                stream.write("+memory")
        os.mkdir(self.folder)
        return self

    def __exit__(self, *_unused):
        for _attempt in range(200):
            try:
                os.rmdir(self.folder)
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"{self.folder} cannot be removed")

    def write(self, name, value):
        with open(os.path.join(self.folder, name), "w") as stream:
            stream.write(str(value))

    def limit(self, kib):
        self.write(LIMIT_FILES[self.hierarchy.version], kib * KIB)

    def enter(self):
        self.write("cgroup.procs", os.getpid())


class Kmsg:
    """The kernel's records from now on."""

    def __init__(self):
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._fd, 0, os.SEEK_END)

    def close(self):
        os.close(self._fd)

    def read(self):
        """Return what is there, up to a bound: an immune process without memory logs for ever."""
        found = bytearray()
        while len(found) < MOST_BYTES:
            try:
                found += os.read(self._fd, 8192)
            except BlockingIOError:
                break
            except BrokenPipeError:  # the buffer went round
                continue
        return bytes(found)

    def wait_for_kill(self, pids, seconds):
        """Return the records up to a kill of one of these processes, and what follows at once.

        Without C(pids) any kill counts.
        """
        found, killed, end = bytearray(), set(), time.monotonic() + seconds
        while time.monotonic() < end:
            more = self.read()  # whole records
            found += more
            killed.update(int(pid) for pid in re.findall(rb"Killed process (\d+)", more))
            if killed & set(pids) or (killed and not pids):
                return bytes(found) + self.read_until_quiet()
            time.sleep(0.01)
        raise SystemExit(f"nothing was killed in {seconds} seconds")

    def read_until_quiet(self):
        """Return the rest of a report: until the next one begins, or nothing is logged."""
        found = b""
        for _attempt in range(MOST_WAITS):
            time.sleep(QUIET)
            more = self.read()
            found += more
            if not more or b"invoked oom-killer" in more:  # an immune process never gives up
                break
        return found


# --- what is set up ---------------------------------------------------------------------


def make_fillers(dice, total_kb, can_lower):
    """Return fillers of random sizes that together hold about this much."""
    count = dice.randint(3, 12)
    shares = [dice.random() ** 2 + 0.05 for _number in range(count)]
    left = total_kb - OWN_KB * count
    fillers = []
    for share in shares:
        size = int(left * share / sum(shares))
        file_kb = int(size * dice.random() * 0.4) if dice.random() < 0.4 else 0
        shared_kb = int(size * dice.random() * 0.4) if dice.random() < 0.3 else 0
        scores = SCORES + (LOWERED if can_lower else [])
        score = dice.choice(scores) if dice.random() < 0.5 else 0
        fillers.append(Filler(size - file_kb - shared_kb, file_kb, shared_kb, dice.choice([0, 0, 1, 8]), score))
    return fillers


def arrange(stack, dice, kind, name, can_lower):
    """Return random fillers, and the cgroup of each. The stack removes what was made."""
    hierarchy = memory_hierarchy(Procfs())
    outer = stack.enter_context(Cgroup(hierarchy, ROOT + name))
    if kind == "host":
        # With page cache the kernel would need minutes in an emulated guest.
        os.sync()
        write("/proc/sys/vm/drop_caches", 1)
        fillers = make_fillers(dice, int(Meminfo(Procfs().read("meminfo"))["MemAvailable"] * FULL), can_lower)
        return fillers, [outer] * len(fillers)
    limit_kb = dice.choice([48, 64, 96, 128]) * KIB
    outer.limit(limit_kb)
    fillers = make_fillers(dice, int(limit_kb * FULL), can_lower)
    if kind in SWAPPING:
        outer.write("memory.swap.max", dice.randint(limit_kb // 8, limit_kb // 2) * KIB)
    if kind not in ("nested", "nested_swap", "group"):
        return fillers, [outer] * len(fillers)
    inner = [stack.enter_context(Cgroup(hierarchy, f"{outer.path}/{number}")) for number in range(2)]
    cgroups = [dice.choice(inner) for _filler in fillers]
    if kind == "group":
        for one in dice.sample([outer, *inner], dice.choice([1, 1, 2])):
            one.write("memory.oom.group", 1)
    else:
        limit_inner(dice, outer, inner, fillers, cgroups, kind == "nested_swap")
    return fillers, cgroups


def limit_inner(dice, outer, inner, fillers, cgroups, swaps):
    """Give the inner cgroups limits a little above what their fillers hold, and limits of swap."""
    for one in inner:
        held_kb = sum(filler.held_kb for filler, cgroup in zip(fillers, cgroups) if cgroup is one)
        one.limit(max(4096, int(held_kb * dice.uniform(1.15, 1.6))))
        if swaps:
            one.write("memory.swap.max", dice.choice(["max", "max", 0, 8 * KIB * KIB]))
    if swaps and dice.random() < 0.5:  # the outer one limits swap, and not memory
        outer.write("memory.max", "max")


@contextlib.contextmanager
def running(program, fillers, cgroups, folder):
    """Run the fillers, each in its cgroup, and yield them."""
    started = []
    try:
        for number, (filler, cgroup) in enumerate(zip(fillers, cgroups)):
            data = os.path.join(folder, f"data{number}") if filler.file_kb else os.devnull

            def begin(cgroup=cgroup, data=data, size=filler.file_kb * KIB):
                cgroup.enter()
                if size:  # its pages are charged to this cgroup
                    with open(data, "wb") as stream:
                        stream.write(bytes(size))
                        stream.flush()
                        os.fsync(stream.fileno())

            words = [str(value) for value in filler]
            started.append(
                subprocess.Popen(
                    [program, *words, data], preexec_fn=begin, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
        for one in started:
            if one.stdout.readline() != b"ready\n":
                raise Discarded(UNFIT)
        yield started
    except subprocess.SubprocessError:  # it died before it could run its program
        raise Discarded(UNFIT) from None
    finally:
        for one in started:
            one.kill()
        for one in started:
            one.wait()
            one.stdin.close()
            one.stdout.close()


class Discarded(Exception):
    """A trial does not count, for the reason in its text."""


@contextlib.contextmanager
def swap_in(folder):
    """Let the host swap to a file."""
    path = os.path.join(folder, "swap")
    if not os.path.exists(path):
        with open(path, "wb") as stream:
            for _mib in range(SWAP_MIB):
                stream.write(bytes(KIB * KIB))
        os.chmod(path, 0o600)
        subprocess.run(["mkswap", path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["swapon", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["swapoff", path], check=True)


@contextlib.contextmanager
def protect_ourselves(is_needed):
    """Keep this process and those that it runs for immune: the host must stay in reach."""
    scores = []
    pid = os.getpid() if is_needed else 0
    while pid > 1:
        path = f"/proc/{pid}/oom_score_adj"
        with open(path) as stream:
            scores.append((path, stream.read()))
        write(path, -1000)
        with open(f"/proc/{pid}/stat") as stream:
            pid = int(stream.read().rpartition(")")[2].split()[1])
    yield
    for path, score in scores:
        write(path, score)


def write(path, value):
    with open(path, "w") as stream:
        stream.write(str(value))


# --- what is predicted, and what happens ------------------------------------------------


def predict(grower, kind, dice, pids, can_lower):
    """Return the forecast, made by the module's code, and the pins that it takes for granted.

    Shared memory that no process maps belongs to none: then the next victim dies.
    Raises Discarded if nothing would be killed, or no pin changes the victim.
    """
    snapshot = take_snapshot(Procfs())
    forecast = Forecast(snapshot, snapshot.rule)
    pins = {}
    if kind == "what_if":
        pins = choose_pins(forecast, grower, dice, pids, can_lower)
        forecast = Forecast(apply_pins(snapshot, pins), snapshot.rule)
    if kind == "shared":
        domain = order_domains(snapshot, snapshot.tasks[grower].cgroup)[0]
        found = forecast.predict_next(domain)
    else:
        found = forecast.predict_growth(grower)
        domain = found.domain
    if found is None or found.victim is None:
        raise Discarded(NOBODY)
    together = [one.task.pid for one in find_victims(forecast.rank(domain), found.victim)]
    return Forecasted(found.victim.task.pid, together, domain.path, found.certain), pins


def choose_pins(forecast, grower, dice, pids, can_lower):
    """Return scores that change the victim; raises Discarded if none are found."""
    before = forecast.predict_growth(grower).victim
    for _attempt in range(50):
        chosen = dice.sample(pids, dice.randint(1, 2))
        pins = {pid: dice.randint(-900 if can_lower else forecast.snapshot.tasks[pid].score, 1000) for pid in chosen}
        after = forecast.with_scores(pins).predict_growth(grower).victim
        if before and after and after.task.pid != before.task.pid:
            return pins
    raise Discarded(SAME)


def apply_pins(snapshot, pins):
    """Return the snapshot as if these pins were set, as the module does for its option what_if."""
    defaults = dict(Pin._field_defaults, **dict.fromkeys(["persistent", "users", *SELECTORS]))
    targets = [parse_target(dict(defaults, pid=pid, score=score)) for pid, score in pins.items()]
    plan = plan_pins(Procfs(), Systemd(), targets, 0)
    return snapshot.with_scores(plan.list_scores()).with_groups(plan.list_groups())


def run_trial(dice, program, kind, name, record, can_lower):
    """Return the result of one trial; raises Discarded if it could not be set up or seen."""
    kmsg = Kmsg()
    with contextlib.ExitStack() as stack:
        stack.callback(kmsg.close)
        temporary = os.environ.get("OOMGUARD_TRIALS", "/var/tmp")
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=temporary))
        if kind in SWAPPING:
            stack.enter_context(swap_in(temporary))
        fillers, cgroups = arrange(stack, dice, kind, name, can_lower)
        processes = stack.enter_context(running(program, fillers, cgroups, folder))
        # One that is immune would go on until the host panics, which is what happens then.
        may_grow = [kind != "host" or filler.score > LOWERED[0] for filler in fillers]
        grower = dice.choice(list(itertools.compress(processes, may_grow)) or processes)
        pids = [one.pid for one in processes]
        forecasted, pins = predict(grower.pid, kind, dice, pids, can_lower)
        for pid, score in pins.items():
            write(f"/proc/{pid}/oom_score_adj", score)
        process_of = {thread: pid for pid in pids for thread in list_threads(pid)}
        grower.stdin.write(b"t" if kind == "shared" else b"g")
        grower.stdin.flush()
        records = kmsg.wait_for_kill([] if kind == "host" else pids, SECONDS.get(kind, OTHER_SECONDS))
    if record:
        lines = [line for line in records.split(b"\n") if NEEDED.search(line)]
        with gzip.open(record, "ab") as stream:
            stream.write(b"".join(line + b"\n" for line in lines))
    held = [[pid, *filler, pid == grower.pid] for pid, filler in zip(pids, fillers)]
    places = {pid: cgroup.path for pid, cgroup in zip(pids, cgroups)}
    return judge(kind, forecasted, process_of, places, records, held)


def list_threads(pid):
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]


def judge(kind, forecasted, process_of, places, records, held):
    """Compare a forecast with what the kernel logged; raise Discarded without the whole table.

    It prints at most ten in five seconds, and other kills on this machine count, too. A kill whose
    report was not printed looks like one of the group before it: C(places), the cgroup of each
    process, tells them apart. C(process_of) has the process of each thread: of a group kill 5.10
    logs threads, too.
    """
    with tempfile.NamedTemporaryFile() as log:
        log.write(records)
        log.flush()
        reports = task_tables.read_reports(log.name)
    report = next((one for one in reports if one.kills and (kind == "host" or one.kills[0].pid in process_of)), None)
    if report is None:
        raise Discarded(UNLOGGED)
    first, *others = dict.fromkeys(process_of.get(kill.pid, kill.pid) for kill in report.kills)
    died = [first, *(pid for pid in others if report.group and is_below(places.get(pid, ROOT), report.group))]
    badness = task_tables.compute_table(report)
    domain = (report.summary.memcg if report.summary else None) or ROOT
    is_domain_right = domain == forecasted.domain
    # The table of another domain need not have the process that was expected: that is a miss.
    if {died[0], *([forecasted.pid] if is_domain_right else [])} - set(badness):  # lines were lost
        raise Discarded(UNLOGGED)
    gap_kb = (badness[died[0]] - badness.get(forecasted.pid, badness[died[0]])) * PAGE_KB
    return Result(kind, forecasted.pids, died, is_domain_right, forecasted.certain, gap_kb, held)


def summarize(results):
    """Print the figures, and return whether all that must hold does."""
    for kind in sorted({one.kind for one in results}):
        of_kind = [one for one in results if one.kind == kind]
        certain = [one for one in of_kind if one.certain]
        print(
            f"{kind:<10}{sum(one.right for one in of_kind):>5} of {len(of_kind)} right,"
            f" {sum(one.right for one in certain)} of {len(certain)} that were certain"
        )
    wrong = [one for one in results if not one.right]
    for one in wrong:
        print(f"wrong: {one}")
    counted = [one for one in results if one.right or not one.tie]
    share = sum(one.right for one in counted) / len(counted)
    print(f"{share:.1%} right outside of ties closer than {TIE_KB} KiB")
    return share >= 0.99 and all(one.right for one in results if one.certain)


def save(path, options, results, discarded):
    """Write all results to a file, for a test that reads them elsewhere."""
    facts = [dict(one._asdict(), right=one.right, tie=one.tie) for one in results]
    dropped = [dict(kind=kind, reason=reason, count=count) for (kind, reason), count in sorted(discarded.items())]
    with open(path, "w") as stream:
        json.dump(dict(kernel=os.uname().release, seed=options.seed, results=facts, discarded=dropped), stream)


def build_filler(folder):
    """Return the path of the program that holds memory, built for this machine."""
    program = os.path.join(folder, "filler")
    source = os.path.join(HERE, "filler.c")
    subprocess.run(["cc", "-std=c11", "-O2", "-pthread", "-o", program, source], check=True)
    return program


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--hosts", type=int, default=0, help="trials that use up the memory of the whole host")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--record", help="file to append the task tables of the kernel's log to, compressed")
    parser.add_argument("--save", help="file to write all results to, as JSON")
    parser.add_argument("--filler", help="the program that holds memory, else it is built from filler.c")
    parser.add_argument("--kinds", default="growth,growth,growth,shared,nested,what_if")
    options = parser.parse_args()
    if options.trials + options.hosts < 1:
        parser.error("nothing to try: set --trials or --hosts to 1 or more")
    dice, kinds = random.Random(options.seed), options.kinds.split(",")
    can_lower = Procfs().has_cap_sys_resource()
    print(f"seed {options.seed}, kernel {os.uname().release}")
    wanted = [kinds[number % len(kinds)] for number in range(options.trials)] + ["host"] * options.hosts
    with tempfile.TemporaryDirectory() as folder, protect_ourselves(options.hosts > 0):
        program = options.filler or build_filler(folder)
        results, discarded, in_a_row = [], Counter(), 0
        while len(results) < len(wanted):
            kind = wanted[len(results)]
            name = f"oomguard_prediction_{os.getpid()}_{len(results) + sum(discarded.values())}"
            try:
                results.append(run_trial(dice, program, kind, name, options.record, can_lower))
                in_a_row = 0
            except Discarded as reason:
                discarded[kind, str(reason)] += 1
                in_a_row += 1
            if in_a_row > MOST_DISCARDED:
                sys.exit(f"{in_a_row} trials of the kind {kind} in a row were discarded: {dict(discarded)}")
            time.sleep(PAUSE)
        for (kind, reason), count in sorted(discarded.items()):
            print(f"discarded: {count} of {kind}: {reason}")
    is_right = summarize(results)
    if options.save:  # a test judges
        save(options.save, options, results, discarded)
    elif not is_right:
        sys.exit(1)


if __name__ == "__main__":
    main()
