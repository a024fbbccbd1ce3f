# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what a run of the playbook site costs when it finds nothing to change.

It is compared with the playbook stock, which applies the same policy with stock
modules; the two run in turn in the same guest (molecule/bench). Stock gathers
facts, which is Ansible's default; its time is also given without them. The bound
of the time is a ratio that is only printed. Too many module calls fail the run.
"""

import os
import re
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

REPETITIONS = 3
SITE_BY_STOCK = 0.12
MAX_TASKS = 3


class PlaybookRun(NamedTuple):
    """The seconds of a run, the part of them spent on facts, and its output."""

    seconds: float
    facts_seconds: float
    output: str


def run_playbook(scenario, inventory, name):
    """Run a playbook of the scenario. Exit if it changed, failed or skipped anything."""
    policy = "@" + os.path.join(scenario, "vars/policy.yml")
    command = [
        "ansible-playbook",
        "--inventory",
        inventory,
        "--extra-vars",
        policy,
        os.path.join(scenario, name + ".yml"),
    ]
    environment = dict(
        os.environ,
        ANSIBLE_FORCE_COLOR="0",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_CALLBACKS_ENABLED="ansible.posix.profile_tasks",
    )
    started = time.monotonic()
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    seconds = time.monotonic() - started
    recap = re.search(r"ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+) +skipped=(\d+)", done.stdout)
    if done.returncode != 0 or recap is None or set(recap.groups()) != {"0"}:
        sys.exit(f"{name} changed, failed or skipped something:\n{done.stdout}")
    facts = re.search(r"^Gathering Facts -+ ([\d.]+)s$", done.stdout, re.MULTILINE)
    if (facts is not None) != (name == "stock"):
        sys.exit(f"stock must gather facts and site must not, but {name} printed:\n{done.stdout}")
    return PlaybookRun(seconds, float(facts.group(1)) if facts else 0.0, done.stdout)


def main():
    scenario, inventory = sys.argv[1:]
    # This run opens the ssh connection, so that neither playbook's time includes it.
    first = run_playbook(scenario, inventory, "site")
    # One runs on the host, the others on the controller.
    tasks = len(re.findall(r"TASK \[", first.output))
    ratios = {"with facts": [], "without facts": []}
    for _repetition in range(REPETITIONS):
        site = run_playbook(scenario, inventory, "site").seconds
        stock = run_playbook(scenario, inventory, "stock")
        print(f"site {site:.1f} s, stock {stock.seconds:.1f} s, {stock.facts_seconds:.1f} s of it for facts")
        ratios["with facts"].append(site / stock.seconds)
        ratios["without facts"].append(site / (stock.seconds - stock.facts_seconds))
    medians = ", ".join(f"{name} {statistics.median(measured):.3f}" for name, measured in ratios.items())
    print(f"site / stock {medians} (bound {SITE_BY_STOCK}), {tasks} tasks")
    if tasks > MAX_TASKS:
        sys.exit(f"site has {tasks} tasks, and the bound is {MAX_TASKS}")


main()
