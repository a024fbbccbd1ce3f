# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what the report of a fleet costs: on the controller, and for each host.

On the controller, 1,000 records with 50 kills each are read and written as a report. For a host,
a task with oom_report_host is compared with one with oom_info alone. See bench_pins.py for why no
test fails because of a ratio.
"""

import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_pins import verdict
from report_answers import answer, event

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_document import (
    build_document,
    render_document,
    render_table,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_history import load_records, update_record
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import render_page
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import format_second, merge_answer

HOSTS, EVENTS = 1000, 50
REPETITIONS = 5
LOCAL_HOSTS = 20
# Upper bounds: see the table that is printed.
CONTROLLER_SECONDS = 10
HOST_BY_INFO = 1.5
RESULT_KIB = 20

EMPTY = {"ansible.builtin.debug": {"msg": ""}}
INFO = {"oomguard.linux.oom_info": {}}


def write_history(history, now, since):
    """Write a record of each host, as two runs leave it: with findings, changes and kills."""
    names = ["java", "postgres", "redis-server", "node", "php-fpm", "cc1plus"]
    for number in range(HOSTS):
        kills = []
        for kill in range(EVENTS):
            name = names[(number + kill) % len(names)]
            text = f"{name}.service hit its own limit ({kill + 1} GiB, MemoryMax): killed {name}[{1000 + kill}]"
            when = format_second(now - 3600 * (kill + 1) - number)
            kills.append(event(kill + 1, name=name, unit=f"{name}.service", time=when, text=text))
        runs = [answer(*kills, kernel="6.1.0-18-amd64"), answer(kernel=f"6.1.0-{number % 9}-amd64")]
        for run in runs:
            merge = functools.partial(merge_answer, answer=run, now=now, since=since)
            update_record(history, f"host{number:04}", merge, now)


def write_report(history, folder, now, since):
    """Return the seconds that the controller takes for the report, and its sizes."""
    started = time.monotonic()
    records = load_records(history, [f"host{number:04}" for number in range(HOSTS)], since, now)
    document = build_document(records, records, 0.0, now, since, "0.1.0")
    contents = {
        "oom-report.html": render_page(document).encode("utf-8"),
        "report.json": render_document(document),
        "events.csv": render_table(document),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    took = time.monotonic() - started
    kills = sum(len(host["events"]) for host in document["hosts"])
    if kills != HOSTS * EVENTS:
        sys.exit(f"the report has {kills} kills: there is nothing to compare")
    return took, {name: len(content) for name, content in contents.items()}


def play(folder, name, task):
    """Return the seconds of a play with this task on hosts of this machine."""
    hosts = {f"host{number}": None for number in range(LOCAL_HOSTS)}
    variables = {
        "ansible_connection": "local",
        "ansible_pipelining": True,
        "ansible_python_interpreter": sys.executable,
    }
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    tasks = [{"name": "Measure", "ignore_unreachable": True, "register": "measured", **task}]
    script = folder / f"{name}.yml"
    script.write_text(json.dumps([{"name": "Measure", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
    environment = {**os.environ, "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = environment.pop("PYTHONPATH").split(":")[0]
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-v", "--inventory", str(folder / "hosts.json"), str(script)]
    started = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    took = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stdout.decode("utf-8", "replace")[-3000:])
    return took, max(map(len, done.stdout.splitlines()))


def measure_controller(folder):
    """Print what the report of a large fleet takes, and its sizes."""
    now = float(int(time.time()))
    since = now - 30 * 86400
    write_history(str(folder / "history"), now, since)
    runs = [write_report(str(folder / "history"), folder, now, since) for _repetition in range(REPETITIONS)]
    print(f"{HOSTS} hosts with {EVENTS} kills each, Python {platform.python_version()}, median of {REPETITIONS}")
    for file, size in runs[0][1].items():
        print(f"{file:<24}{size / 2**20:>8.1f} MiB")
    verdict("controller, s", statistics.median(seconds for seconds, _sizes in runs), CONTROLLER_SECONDS)


def measure_hosts(folder):
    """Print what a host costs, beside oom_info alone.

    The first runs fill caches, and read the whole log.
    """
    print(f"{LOCAL_HOSTS} local hosts with pipelining, median of {REPETITIONS}", flush=True)
    report = {"oomguard.linux.oom_report_host": {"history": str(folder / "local")}}
    tasks = {"empty": EMPTY, "info": INFO, "report": report}
    took = {task: [] for task in tasks}
    longest = {}
    for _repetition in range(REPETITIONS + 1):
        for task, content in tasks.items():
            seconds, longest[task] = play(folder, task, content)
            took[task].append(seconds)
    empty, info, ours = (statistics.median(times[1:]) for times in took.values())
    for what, seconds in (("oom_info", info - empty), ("oom_report_host", ours - empty)):
        print(f"{what:<24}{seconds / LOCAL_HOSTS * 1000:>8.0f} ms a host")
    verdict("report / oom_info", (ours - empty) / (info - empty), HOST_BY_INFO)
    verdict("result, KiB", longest["report"] / 1024, RESULT_KIB)


def main():
    with tempfile.TemporaryDirectory() as name:
        measure_controller(Path(name))
        measure_hosts(Path(name))


if __name__ == "__main__":
    main()
