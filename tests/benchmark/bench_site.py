# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a second run of the playbook site costs, when there is nothing to do.

Measured against the same policy by the modules that everybody has, one run
after the other in the same guest: see molecule/bench. The bound of the time is
a ratio, and no test fails because of it; that of the calls is counted.
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
    """Seconds of one run; ends the program if it changed, failed or skipped anything."""
    policy = "@" + os.path.join(scenario, "vars/policy.yml")
    command = ["ansible-playbook", "--inventory", inventory, "--extra-vars", policy, os.path.join(scenario, name + ".yml")]
    begun = time.monotonic()
    plain = dict(os.environ, ANSIBLE_FORCE_COLOR="0", ANSIBLE_NOCOLOR="1")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=plain)
    seconds = time.monotonic() - begun
    recap = re.search(r"ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+) +skipped=(\d+)", done.stdout)
    if done.returncode != 0 or recap is None or set(recap.groups()) != {"0"}:
        sys.exit("{0} found something to do, failed, or did not do all:\n{1}".format(name, done.stdout))
    return seconds, done.stdout


def main():
    scenario, inventory = sys.argv[1:]
    seconds = {"site": [], "stock": []}
    for _turn in range(REPETITIONS):
        for name, measured in seconds.items():
            took, said = play(scenario, inventory, name)
            measured.append(took)
            if name == "site":
                # what runs on the host: the tasks of the roles, of which site checks the arguments itself
                calls = len(re.findall(r"TASK \[oomguard\.linux\.\w+ : ", said))
    ratio = statistics.median(ours / stock for ours, stock in zip(seconds["site"], seconds["stock"]))
    for name, measured in seconds.items():
        print("{0:<6} {1} s".format(name, " ".join("{0:.1f}".format(one) for one in measured)))
    print("site / stock {0:.3f} (bound {1}), {2} module calls".format(ratio, OURS_BY_STOCK, calls))
    if calls > MOST_CALLS:
        sys.exit("site makes more than {0} calls of modules".format(MOST_CALLS))


main()
