# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Predict who dies, then let the kernel kill: python trial.py --trials N [--seed N] [--record FILE]

Each trial fills a private memory cgroup with random processes to 80 percent, asks the module's own
code what happens if one of them goes on growing, and lets it grow until the kernel kills. Nothing
outside of the cgroup can die. Prints the share of right predictions, and every wrong one.
"""

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import task_tables

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy, own_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import order_domains
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.snapshot import take_snapshot

HERE = os.path.dirname(os.path.abspath(__file__))
FULL = 0.8  # of the limit, when the prediction is made
TIE_KB = 128
SECONDS = 30
PAUSE = 0.4  # the kernel prints at most ten tables in five seconds
KIB = 1024
LIMIT_FILES = {1: "memory.limit_in_bytes", 2: "memory.max"}
SCORES = [0, 0, 0, 0, 50, 100, 300, 500, 800, 1000]
LOWERED = [-900, -500, -300, -100, -50]


class Filler(NamedTuple):
    anon_kb: int
    file_kb: int
    shared_kb: int
    threads: int
    score: int


class Result(NamedTuple):
    kind: str
    predicted: int
    died: int
    domain_right: bool
    certain: bool
    gap_kb: int  # by how much the one that died was worse, by the kernel's own table

    @property
    def right(self):
        return self.predicted == self.died and self.domain_right

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
        found = b""
        while True:
            try:
                found += os.read(self._fd, 8192)
            except BlockingIOError:
                return found
            except BrokenPipeError:  # the buffer went round
                continue

    def wait_for_kill(self, pids):
        """Return the records up to a kill of one of these processes, and some that follow it."""
        found, end = b"", time.monotonic() + SECONDS
        while time.monotonic() < end:
            found += self.read()
            killed = [int(pid) for pid in re.findall(rb"Killed process (\d+)", found)]
            if set(killed) & set(pids):
                time.sleep(0.05)
                return found + self.read()
            time.sleep(0.01)
        raise SystemExit(f"nothing was killed in {SECONDS} seconds")


def make_fillers(dice, total_kb, can_lower):
    """Return fillers of random sizes that together hold about this much."""
    count = dice.randint(3, 12)
    shares = [dice.random() ** 2 + 0.05 for _number in range(count)]
    left = total_kb - 700 * count  # what each takes of its own
    fillers = []
    for share in shares:
        size = int(left * share / sum(shares))
        file_kb = int(size * dice.random() * 0.4) if dice.random() < 0.4 else 0
        shared_kb = int(size * dice.random() * 0.4) if dice.random() < 0.3 else 0
        scores = SCORES + (LOWERED if can_lower else [])
        score = dice.choice(scores) if dice.random() < 0.5 else 0
        fillers.append(Filler(size - file_kb - shared_kb, file_kb, shared_kb, dice.choice([0, 0, 1, 8]), score))
    return fillers


@contextlib.contextmanager
def running(program, fillers, cgroups, folder):
    """Run the fillers, each in its cgroup, and yield them."""
    started = []
    try:
        for number, (filler, cgroup) in enumerate(zip(fillers, cgroups)):
            data = os.path.join(folder, f"data{number}")
            # Written by a process of the cgroup, so that its pages are charged there.
            size = max(1, filler.file_kb)
            fill = f"dd if=/dev/zero of={data} bs=1024 count={size} conv=fsync 2>/dev/null"
            subprocess.run(["sh", "-c", fill], preexec_fn=cgroup.enter, check=True)
            words = [str(value) for value in filler]
            one = subprocess.Popen(
                [program, *words, data], preexec_fn=cgroup.enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            started.append(one)
        for one in started:
            if one.stdout.readline() != b"ready\n":
                raise NotReady
        yield started
    finally:
        for one in started:
            one.kill()
        for one in started:
            one.wait()
            one.stdin.close()
            one.stdout.close()


class NotReady(Exception):
    """A filler was killed while it filled: the sizes did not fit."""


class Forecasted(NamedTuple):
    pid: int
    domain: str
    certain: bool


def predict(grower, kind, dice, pids):
    """Return the forecast, made by the module's code, and the pins that it takes for granted.

    Shared memory that no process maps belongs to none: then the next victim dies.
    """
    snapshot = take_snapshot(Procfs())
    forecast = Forecast(snapshot, snapshot.rule)
    pins = {}
    if kind == "what_if":
        forecast, pins = choose_pins(forecast, grower, dice, pids)
    if kind == "shared":
        domain = order_domains(snapshot, snapshot.tasks[grower].cgroup)[0]
        found = forecast.predict_next(domain)
        return Forecasted(found.victim.task.pid, domain.path, found.certain), pins
    growth = forecast.predict_growth(grower)
    return Forecasted(growth.victim.task.pid, growth.domain.path, growth.certain), pins


def choose_pins(forecast, grower, dice, pids):
    """Return the forecast with raised scores that change the victim, and these scores."""
    before = forecast.predict_growth(grower).victim.task.pid
    for _attempt in range(50):
        raised = dice.sample(pids, dice.randint(1, 2))
        pins = {pid: dice.randint(forecast.snapshot.tasks[pid].score, 1000) for pid in raised}
        changed = forecast.with_scores(pins)
        if changed.predict_growth(grower).victim.task.pid != before:
            return changed, pins
    return forecast, {}


def run_trial(dice, program, kind, name, record, can_lower):
    """Return the result of one trial, or None if it could not be set up or seen."""
    hierarchy = memory_hierarchy(Procfs())
    limit_kb = dice.choice([48, 64, 96, 128]) * KIB
    above = own_cgroup(Procfs(), hierarchy) if hierarchy.version == 2 else "/"
    kmsg = Kmsg()
    with contextlib.ExitStack() as stack:
        stack.callback(kmsg.close)
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("OOMGUARD_TRIALS", "/var/tmp")))
        outer = stack.enter_context(Cgroup(hierarchy, f"{above.rstrip('/')}/{name}"))
        outer.limit(limit_kb)
        fillers = make_fillers(dice, int(limit_kb * FULL), can_lower)
        cgroups = [outer] * len(fillers)
        if kind == "nested":
            inner = [stack.enter_context(Cgroup(hierarchy, f"{outer.path}/{number}")) for number in range(2)]
            cgroups = [dice.choice(inner) for _filler in fillers]
            for one in inner:
                held = sum(sum(filler[:3]) + 700 for filler, cgroup in zip(fillers, cgroups) if cgroup is one)
                one.limit(max(4096, int(held * dice.uniform(1.15, 1.6))))
        try:
            processes = stack.enter_context(running(program, fillers, cgroups, folder))
        except NotReady:
            return None
        grower = dice.choice(processes)
        forecasted, pins = predict(grower.pid, kind, dice, [one.pid for one in processes])
        for pid, score in pins.items():
            with open(f"/proc/{pid}/oom_score_adj", "w") as stream:
                stream.write(str(score))
        grower.stdin.write(b"t" if kind == "shared" else b"g")
        grower.stdin.flush()
        pids = [one.pid for one in processes]
        records = kmsg.wait_for_kill(pids)
    if record:
        with open(record, "ab") as stream:
            stream.write(records)
    return judge(kind, forecasted, pids, records)


def judge(kind, forecasted, pids, records):
    """Compare a forecast with what the kernel logged; None without the whole table of tasks.

    It prints at most ten in five seconds, and other kills on this machine count, too.
    """
    with tempfile.NamedTemporaryFile() as log:
        log.write(records)
        log.flush()
        reports = task_tables.read_reports(log.name)
    report = next((one for one in reports if one.kills and one.kills[0].pid in pids), None)
    if report is None:
        return None
    died = report.kills[0].pid
    badness = task_tables.compute_table(report)
    if {died, forecasted.pid} - set(badness):  # lines were lost
        return None
    gap_kb = (badness[died] - badness[forecasted.pid]) * task_tables.PAGE_KB
    domain = report.summary.memcg if report.summary else None
    return Result(kind, forecasted.pid, died, domain == forecasted.domain, forecasted.certain, gap_kb)


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--record", help="file to append the kernel's records to")
    parser.add_argument("--kinds", default="growth,growth,growth,shared,nested,what_if")
    options = parser.parse_args()
    dice, kinds = random.Random(options.seed), options.kinds.split(",")
    can_lower = Procfs().has_cap_sys_resource()
    print(f"seed {options.seed}, kernel {os.uname().release}")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "filler")
        source = os.path.join(HERE, "filler.c")
        subprocess.run(["cc", "-std=c11", "-O2", "-pthread", "-o", program, source], check=True)
        results, number = [], 0
        while len(results) < options.trials:
            number += 1
            name = f"oomguard_prediction_{os.getpid()}_{number}"
            result = run_trial(dice, program, kinds[len(results) % len(kinds)], name, options.record, can_lower)
            if result is not None:
                results.append(result)
            time.sleep(PAUSE)
        print(f"{number - len(results)} set-ups did not fit, or were not logged in full")
    sys.exit(0 if summarize(results) else 1)


if __name__ == "__main__":
    main()
