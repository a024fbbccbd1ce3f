# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let a killer kill a hog, and print what really happened: killers.py KILLER

The output comes from waiting for the hog, not from any log.
"""

import json
import os
import subprocess
import sys
import time

HOG = """
import time
open("/proc/self/comm", "w").write("hog")
fields = dict(line.split(":") for line in open("/proc/meminfo"))
total, free = (int(fields[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
memory = bytearray((free - total * 38 // 100) * 1024)
memory[::4096] = b"x" * len(memory[::4096])
time.sleep(60)
"""

# Each kills if less than 45 % of memory is available. The hog leaves 38 %.
EARLYOOM = 'EARLYOOM_ARGS="-m 45,20 -s 100,100 -r 0"\n'
NOHANG = {"soft_threshold_min_mem": "45 %", "hard_threshold_min_mem": "20 %"}
OOMD = "[OOM]\nDefaultMemoryPressureDurationSec=1s\n"


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(text)


def show(unit, name):
    return run("systemctl", "show", "--property=" + name, "--value", unit)


def start(unit, *command, properties=()):
    """Run a program as a service; return its pid."""
    run("systemd-run", "--quiet", "--unit=" + unit, *["--property=" + one for one in properties], *command)
    return int(show(unit, "MainPID"))


def wait_for_kill(unit):
    """Wait until the service is killed; return the signal."""
    for _turn in range(600):
        if show(unit, "ActiveState") == "failed":
            signal = int(show(unit, "ExecMainStatus"))
            run("systemctl", "reset-failed", unit)
            return signal
        time.sleep(0.1)
    sys.exit(f"{unit} was not killed")


def kill_by_service(service):
    """Run a hog until a killer that chooses processes has killed it."""
    run("systemctl", "restart", service)
    with subprocess.Popen([sys.executable, "-c", HOG]) as hog:
        signal = -hog.wait(90)
    run("systemctl", "stop", service)
    return dict(killer=service, pid=hog.pid, name="hog", signal=signal)


def earlyoom():
    write("/etc/default/earlyoom", EARLYOOM)
    return kill_by_service("earlyoom")


def nohang():
    with open("/etc/nohang/nohang.conf") as stream:
        lines = stream.read().splitlines()
    names = [line.partition("=")[0].strip() for line in lines]
    lines = [f"{name} = {NOHANG[name]}" if name in NOHANG else line for name, line in zip(names, lines)]
    write("/etc/nohang/nohang.conf", "\n".join(lines) + "\n")
    return kill_by_service("nohang")


def systemd_oomd():
    """Run a service that waits for memory until systemd-oomd kills its cgroup.

    The service reads files again and again, because its memory cannot hold their pages.
    """
    write("/etc/systemd/oomd.conf.d/test.conf", OOMD)
    run("systemctl", "restart", "systemd-oomd")
    rules = (
        "Slice=pressed.slice",
        "MemoryHigh=8M",
        "ManagedOOMMemoryPressure=kill",
        "ManagedOOMMemoryPressureLimit=1%",
    )
    start(
        "thrash",
        "sh",
        "-c",
        "while :; do cat /usr/lib/x86_64-linux-gnu/*.so* /usr/bin/* > /dev/null; done",
        properties=rules,
    )
    cgroup = show("thrash", "ControlGroup")
    return dict(killer="systemd-oomd", cgroup=cgroup, signal=wait_for_kill("thrash"))


def kernel():
    pid = start("limited", sys.executable, "-c", HOG, properties=("MemoryMax=32M", "MemorySwapMax=0"))
    return dict(killer="kernel", pid=pid, name="hog", unit="limited.service", signal=wait_for_kill("limited"))


run("systemctl", "stop", "earlyoom", "nohang", "systemd-oomd")
print(json.dumps(dict(globals()[sys.argv[1].replace("-", "_")](), time=time.time())))
