# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the scores of the daemons, and of all processes that the attacks have reported."""

import glob
import json
import os


def score(pid):
    try:
        with open(f"/proc/{pid}/oom_score_adj") as stream:
            return int(stream.read())
    except OSError:
        return None


def main_pid(unit):
    try:
        with open(f"/sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs") as stream:
            return int(stream.readline())
    except (OSError, ValueError):
        return None


def numbers(facts, path=""):
    """Yield name and number of each pid in a report."""
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{path}{key}.")
        elif path.endswith("pids.") or key.endswith("pid"):
            yield f"{path}{key}", value


def main():
    """Print the scores by name."""
    scores = {unit: score(main_pid(unit)) for unit in ("bystander", "target", "jobs")}
    for path in glob.glob("/home/mallory/reports/*.json"):
        with open(path) as stream:
            for name, pid in numbers(json.load(stream)):
                scores[f"{os.path.basename(path)[:-5]}.{name}"] = score(pid)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
