# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/tested.md from what scenarios recorded: python tests/tools/tested_with.py FOLDER

FOLDER has SCENARIO.HOST.json with the versions of each guest, which the shared tests of scenarios
write, and SCENARIO.passed for each scenario that passed. Rows of scenarios that did not run stay as
they are in docs/tested.json. The exit code is 1 if nothing passed.
"""

import datetime
import json
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
WITHOUT_GUEST = {"default", "docker"}  # they run on the kernel of the machine that tests
LOGS_ONLY = "not tested, but logs of its kernels are"
RECORDED = "not tested, but logs of its kernels and lists of its files are"
NOT_TESTED = {
    "RHEL and its rebuilds": RECORDED,
    "Ubuntu": RECORDED,
    "SUSE": RECORDED,
    "Amazon Linux": LOGS_ONLY,
    "Any but Debian with SysV init or OpenRC": "not tested",
    "Any but Debian with SELinux": "not tested",
    "Any on another machine than x86_64 and arm64": "not tested",
    "Any with pages of another size than 4 and 16 KiB": "not tested",
}
HEADER = "| distribution | kernel | init | cgroups | Python | besides | scenarios |"


def newest_rows(folder):
    """Return {"SCENARIO.HOST": {versions, "day"}} of all scenarios with guests that passed."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        path.stem: dict(json.loads(path.read_text()), day=day)
        for path in sorted(folder.glob("*.json"))
        if path.stem.split(".")[0] not in WITHOUT_GUEST and (folder / f"{path.stem.split('.')[0]}.passed").exists()
    }


def render_table(rows):
    """Return the lines of the table: versions with their scenarios, then what is not tested."""
    scenarios = {}
    for name, row in rows.items():
        init = f"systemd {row['systemd']}" if row["init"] == "systemd" else row["init"]
        key = (row["distribution"], row["kernel"], init, row["cgroup"], row["python"], ", ".join(row["others"]))
        scenarios.setdefault(key, []).append(f"{name.split('.')[0]} ({row['day']})")
    cells = [(*key, ", ".join(sorted(set(names)))) for key, names in sorted(scenarios.items())]
    cells += [(name, "", "", "", "", "", remark) for name, remark in NOT_TESTED.items()]
    return [HEADER, "|---|---|---|---|---|---|---|"] + [f"| {' | '.join(row)} |" for row in cells]


def main(folder):
    found = newest_rows(Path(folder))
    if not found:
        print(f"{folder} has no scenario that passed: run make vm-NAME first")
        return 1
    stored = DOCS / "tested.json"
    rows = dict(json.loads(stored.read_text()) if stored.exists() else {}, **found)
    stored.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    page = DOCS / "tested.md"
    introduction = page.read_text().split(HEADER)[0]
    page.write_text(introduction + "\n".join(render_table(rows)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
