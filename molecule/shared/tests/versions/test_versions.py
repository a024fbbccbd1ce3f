# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which versions a scenario ran, for the table in docs/tested.md."""

import json
import os
import pathlib

testinfra_hosts = ["ansible://all"]

# Another Python than the distribution's is in a folder below /opt, such as /opt/python3.6.
PYTHONS = "for python in python3 /opt/python3.*/bin/python3; do $python -c '{}'; done 2> /dev/null"

COMMANDS = {
    "distribution": ". /etc/os-release && echo $PRETTY_NAME",
    "kernel": "uname -r",
    "python": PYTHONS.format("import platform; print(platform.python_version())"),
    "init": """
if [ -d /run/systemd/system ]; then echo systemd
elif [ -d /run/openrc ]; then openrc --version | sed 's/.*(OpenRC)/OpenRC/'
elif version=$(dpkg-query --show --showformat '${Version}' sysvinit-core 2> /dev/null) && [ "$version" ]; then
    echo SysV init $version
else cat /proc/1/comm; fi""",
    "systemd": "systemctl --version 2> /dev/null | sed -n '1s/systemd \\([^ ]*\\).*/\\1/p'",
    "cgroup": """
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo v2
elif grep -q ' cgroup2 ' /proc/mounts; then echo hybrid
else echo v1; fi""",
    "machine": "uname -m",
}
MAY_BE_EMPTY = "systemd"
OTHERS = """
nodes=$(ls -d /sys/devices/system/node/node[0-9]* | wc -l)
[ $nodes -lt 2 ] || echo $nodes NUMA nodes
! grep -q ^/dev/zram /proc/swaps || echo zram
grep -o 'hidepid=[a-z0-9]*' /proc/mounts | sort -u
! grep -q '^[^ ]* / [^ ]* ro,' /proc/mounts || echo read-only root
page=$(getconf PAGESIZE)
[ $page = 4096 ] || echo $((page / 1024)) KiB pages
case $(cat /sys/fs/selinux/enforce 2> /dev/null) in 1) echo SELinux enforcing ;; 0) echo SELinux permissive ;; esac"""


def test_the_versions_are_known_and_recorded(host):
    lines = {name: host.run(command).stdout.splitlines() for name, command in COMMANDS.items()}
    versions = {name: ", ".join(filter(None, found)) for name, found in lines.items()}
    assert [name for name, version in versions.items() if not version and name != MAY_BE_EMPTY] == []

    folder = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], ".build", "tested")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.environ['MOLECULE_SCENARIO_NAME']}.{host.backend.get_hostname()}.json"
    # A scenario may change some of these, and test before and after.
    others = set(json.loads(path.read_text())["others"]) if path.exists() else set()
    others.update(host.run(OTHERS).stdout.splitlines())
    path.write_text(json.dumps(dict(versions, others=sorted(others))))
