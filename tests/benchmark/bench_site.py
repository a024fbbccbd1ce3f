# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a second run of the playbook site costs, when there is nothing to do.

Measured against the same policy by the modules that everybody has, one run
after the other in the same guest: see molecule/bench. That playbook gathers
facts, as Ansible does unless it is told not to; without them it is measured,
too. The bound of the time is a ratio, and no test fails because of it; that of
the calls is counted.
"""

import os
import re
import statistics
import subprocess
import sys
import time

REPETITIONS = 3
OURS_BY_STOCK = 0.12
MOST_CALLS = 3


def play(scenario, inventory, name):
    """Seconds of one run, those of it for facts, and what it said; ends the program if it changed, failed or skipped anything."""
    policy = "@" + os.path.join(scenario, "vars/policy.yml")
    command = [
        "ansible-playbook",
        "--inventory",
        inventory,
        "--extra-vars",
        policy,
        os.path.join(scenario, name + ".yml"),
    ]
    begun = time.monotonic()
    plain = dict(
        os.environ,
        ANSIBLE_FORCE_COLOR="0",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_CALLBACKS_ENABLED="ansible.posix.profile_tasks",
    )
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=plain)
    seconds = time.monotonic() - begun
    recap = re.search(r"ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+) +skipped=(\d+)", done.stdout)
    if done.returncode != 0 or recap is None or set(recap.groups()) != {"0"}:
        sys.exit(f"{name} found something to do, failed, or did not do all:\n{done.stdout}")
    facts = re.search(r"^Gathering Facts -+ ([\d.]+)s$", done.stdout, re.MULTILINE)
    if (facts is not None) != (name == "stock"):
        sys.exit(f"only stock gathers facts, and {name} says:\n{done.stdout}")
    return seconds, float(facts.group(1)) if facts else 0.0, done.stdout


def main():
    scenario, inventory = sys.argv[1:]
    _seconds, _facts, said = play(scenario, inventory, "site")  # logs in, which is for nobody alone to pay
    # what runs on the host: the tasks of the roles, of which site checks the arguments itself
    calls = len(re.findall(r"TASK \[oomguard\.linux\.\w+ : ", said))
    ratios = {"as it is": [], "without facts": []}
    for _turn in range(REPETITIONS):
        ours = play(scenario, inventory, "site")[0]
        stock, facts, _said = play(scenario, inventory, "stock")
        print(f"site {ours:.1f} s, stock {stock:.1f} s, of these {facts:.1f} s for facts")
        ratios["as it is"].append(ours / stock)
        ratios["without facts"].append(ours / (stock - facts))
    found = ", ".join(f"{name} {statistics.median(measured):.3f}" for name, measured in ratios.items())
    print(f"site / stock {found} (bound {OURS_BY_STOCK}), {calls} module calls")
    if calls > MOST_CALLS:
        sys.exit(f"site makes more than {MOST_CALLS} calls of modules")


main()
