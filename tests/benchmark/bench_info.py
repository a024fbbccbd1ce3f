# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what it costs to predict the next victim on a host with thousands of processes.

The module's work is compared with ps, which reads less of each process. See bench_pins.py for why
no test fails because of a ratio.
"""

import contextlib
import json
import platform
import shutil
import statistics
import subprocess
import sys

from bench_pins import PROCESSES, REPETITIONS, full_host, peak_kib, seconds, verdict

from ansible_collections.oomguard.linux.plugins.module_utils._posture.examine import examine_host

# Upper bounds: see the table that is printed.
OURS_BY_PS = 2.5
MIB_OVER_BARE = 40
RESULT_KIB = 64

OPTIONS = dict(domain="host", grower=None, what_if=None, top=20)
MODULE = """
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = b'{"ANSIBLE_MODULE_ARGS": {}}'
basic._ANSIBLE_PROFILE = "legacy"  # ansible-core 2.19 and later
from ansible_collections.oomguard.linux.plugins.modules import oom_info
try:
    oom_info.main()
except SystemExit:
    pass
"""


def predict():
    return examine_host(OPTIONS, [])


def ps():
    subprocess.run(["ps", "-eo", "pid,rss,comm"], stdout=subprocess.DEVNULL, check=True)


def main():
    for program in ("ps", "cc"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install it (Debian: procps, gcc, libc6-dev)")
    with full_host(), contextlib.suppress(KeyboardInterrupt):
        took = {call: [] for call in (predict, ps)}
        for _repetition in range(REPETITIONS):
            for call, times in took.items():
                times.append(seconds(call))
        ours, listing = (statistics.median(times) for times in took.values())
        peak, answer = peak_kib(MODULE)
        bare, _nothing = peak_kib("")
    if json.loads(answer)["next_victim"] is None:
        sys.exit("nothing was predicted: there is nothing to compare")
    print(f"{PROCESSES} processes, Python {platform.python_version()}, median of {REPETITIONS}")
    for what, value in (("oom_info", ours), ("ps -eo pid,rss,comm", listing)):
        print(f"{what:<24}{value * 1000:>8.0f} ms")
    verdict("oom_info / ps", ours / listing, OURS_BY_PS)
    verdict("module, MiB over bare", (peak - bare) / 1024, MIB_OVER_BARE)
    verdict("result, KiB", len(answer) / 1024, RESULT_KIB)


if __name__ == "__main__":
    main()
