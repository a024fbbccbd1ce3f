# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let a killer choose between two services, and print which one died: duel.py KILLER [TIMES]

shop holds more memory than batch, so that it dies first unless it is protected. The output comes
from systemd and from the pids, not from any log: first the one that died first. Other calls:
prepare, start, record, end.
"""

import json
import os
import subprocess
import sys
import time

NAMES = ("shop", "batch")
PLANS = "/run/duel"
SWAP = "/swapfile"
# The memory of the larger one, which is pressed harder.
UNIT = f"""[Unit]
Description=One of two that a killer chooses from

[Service]
Slice=duel.slice
ExecStart=/usr/bin/python3 {os.path.abspath(__file__)} hold %N
"""
# A busy guest has some pressure whatever runs in it. The service that thrashes makes far more.
SLICE = """[Slice]
ManagedOOMSwap=kill
ManagedOOMMemoryPressure=kill
"""
# Both kill if less than this is available: nohang of all memory, earlyoom of what user space can
# have. The kernel's part of a small guest is 15 to 22 %. The two services leave 31 %, and 51 % is
# available once the smaller one is dead.
EARLYOOM = 'EARLYOOM_ARGS="-m 44,20 -s 100,100 -r 0 {}"\n'
NOHANG = {"soft_threshold_min_mem": "44 %", "hard_threshold_min_mem": "20 %"}
# Both services use 48 % of the swap, the larger one alone 34 %: systemd-oomd stops after one. It
# goes by swap only if as much of the memory is in use, too (systemd:src/oom/oomd-manager.c).
OOMD = "[OOM]\nDefaultMemoryPressureDurationSec=1s\nSwapUsedLimit=40%\n"
SERVICES = {"earlyoom": "earlyoom", "nohang": "nohang", "swap": "systemd-oomd", "pressure": "systemd-oomd"}
OOMD_SOCKET = "systemd-oomd.socket"  # would start it again before the services hold their memory


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(text)


def read(path):
    with open(path) as stream:
        return stream.read()


def show(unit, name):
    return run("systemctl", "show", "--property=" + name, "--value", unit)


def hold(name):
    """Hold memory as the plan says: the process of a service."""
    with open("/proc/self/comm", "w") as stream:
        stream.write(name)
    plan = json.loads(read(f"{PLANS}/{name}"))
    memory = bytearray(plan["kb"] * 1024)
    memory[::4096] = b"x" * len(memory[::4096])
    write(f"{PLANS}/{name}.ready", "")
    while plan["thrashes"]:  # its memory cannot hold the pages of what it reads
        for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/bin"):
            for entry in os.scandir(folder):
                if entry.is_file():
                    with open(entry.path, "rb") as stream:
                        stream.read()
    time.sleep(600)


def plan_for(killer):
    """Return what each service holds, and its unit's limits."""
    if killer == "swap":
        # With MemoryMax= the kernel kills on a slow disk: swap is full of pages on their way.
        return {"shop": (196 << 10, "MemoryHigh=130M"), "batch": (156 << 10, "MemoryHigh=130M")}
    if killer == "pressure":
        return {"shop": (1 << 10, "MemoryHigh=12M"), "batch": (1 << 10, "")}
    if killer == "nobody":
        return dict.fromkeys(NAMES, (1 << 10, ""))
    fields = dict(line.split(":") for line in read("/proc/meminfo").splitlines())
    total, available = (int(fields[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    taken = available - total * 31 // 100
    return {"shop": (taken * 54 // 100, ""), "batch": (taken * 46 // 100, "")}


def start_services(killer):
    """Start both services, and return their pids once they hold their memory."""
    for name, (size, limit) in plan_for(killer).items():
        thrashes = killer == "pressure" and name == "shop"
        write(f"{PLANS}/{name}", json.dumps(dict(kb=size, thrashes=thrashes)))
        write(f"/run/systemd/system/{name}.service.d/50-duel.conf", f"[Service]\n{limit}\n")
        if os.path.exists(f"{PLANS}/{name}.ready"):
            os.unlink(f"{PLANS}/{name}.ready")
    run("systemctl", "daemon-reload")
    if killer == "nobody":  # all run, and none has a reason to kill
        watch_by("swap", "pressure", limit="90%")
    else:
        watch_by(killer)
    # A slice that systemd-oomd watches starts it. No killer may run before the memory is held.
    run("systemctl", "start", "duel.slice")
    run("systemctl", "stop", OOMD_SOCKET, SERVICES["swap"])
    run("systemctl", "start", *NAMES)
    wait(lambda: all(os.path.exists(f"{PLANS}/{name}.ready") for name in NAMES), "the services hold no memory")
    if killer == "nobody":
        run("systemctl", "start", *set(SERVICES.values()))
    return {name: int(show(name, "MainPID")) for name in NAMES}


def wait(condition, problem):
    for _turn in range(4000):  # an emulated guest swaps slowly
        if condition():
            return
        time.sleep(0.1)
    sys.exit(problem)


def end():
    """Stop all killers and services, and forget what failed."""
    # The pressure of the last duel counts for seconds, until its control group is gone.
    run("systemctl", "stop", OOMD_SOCKET, *set(SERVICES.values()), *NAMES, "duel.slice")
    subprocess.run(["systemctl", "reset-failed", *NAMES], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["swapoff", SWAP], stderr=subprocess.DEVNULL, check=False)


def watch_by(*reasons, limit="10%"):
    """Let systemd-oomd kill for these reasons alone: swapping on a busy guest is pressure, too."""
    kills = {"swap": "ManagedOOMSwap", "pressure": "ManagedOOMMemoryPressure"}
    values = [f"{name}={'kill' if reason in reasons else 'auto'}" for reason, name in kills.items()]
    values.append(f"ManagedOOMMemoryPressureLimit={limit}")
    run("systemctl", "set-property", "--runtime", "duel.slice", *values)


def duel(killer):
    """Start both services and the killer, and return which service died."""
    end()
    if killer == "swap":
        run("swapon", SWAP)
    pids = start_services(killer)
    cgroups = {name: show(name, "ControlGroup") for name in NAMES}
    scores = {name: int(read(f"/proc/{pid}/oom_score_adj")) for name, pid in pids.items()}
    run("systemctl", "start", SERVICES[killer])
    wait(lambda: any(show(name, "MainPID") == "0" for name in NAMES), f"{killer} killed none of {pids}")
    run("systemctl", "stop", SERVICES[killer])
    dead = [name for name in NAMES if show(name, "MainPID") == "0"]
    dead.sort(key=lambda name: int(show(name, "ExecMainExitTimestampMonotonic")))
    end()
    return dict(dead=dead, killer=SERVICES[killer], pids=pids, cgroups=cgroups, scores=scores, time=time.time())


def prepare(arguments=""):
    """Write the units and the configuration of the killers."""
    for name in NAMES:
        write(f"/etc/systemd/system/{name}.service", UNIT)
    write("/etc/systemd/system/duel.slice", SLICE)
    write("/etc/default/earlyoom", EARLYOOM.format(arguments))
    lines = read("/etc/nohang/nohang.conf").splitlines()
    names = [line.partition("=")[0].strip() for line in lines]
    lines = [f"{name} = {NOHANG[name]}" if name in NOHANG else line for name, line in zip(names, lines)]
    write("/etc/nohang/nohang.conf", "\n".join(lines) + "\n")
    write("/etc/systemd/oomd.conf.d/test.conf", OOMD)
    if not os.path.exists(SWAP):
        run("dd", "if=/dev/zero", "of=" + SWAP, "bs=1M", "count=192", "status=none")
        os.chmod(SWAP, 0o600)
        run("mkswap", "--quiet", SWAP)
    run("systemctl", "daemon-reload")
    end()
    return dict(versions=run("dpkg-query", "--show", "earlyoom", "nohang", "systemd-oomd").splitlines())


def record():
    """Return all that the module may change: of files, cgroups, processes and earlyoom."""
    files = {}
    for folder, folders, names in os.walk("/etc/systemd/system"):
        files.update((os.path.join(folder, name), None) for name in folders)
        for name in names:
            path = os.path.join(folder, name)
            files[path] = os.readlink(path) if os.path.islink(path) else read(path)
    attributes = {}
    for name in NAMES:
        folder = "/sys/fs/cgroup" + (show(name, "ControlGroup") or "/nowhere")
        if os.path.isdir(folder):
            attributes[name] = {one: os.getxattr(folder, one).decode() for one in os.listxattr(folder) if "oomd" in one}
    pids = {name: show(name, "MainPID") for name in (*NAMES, "earlyoom")}
    live = {name: read(f"/proc/{pid}/oom_score_adj").strip() for name, pid in pids.items() if pid != "0"}
    arguments = read(f"/proc/{pids['earlyoom']}/cmdline").split("\0") if pids["earlyoom"] != "0" else []
    scores = [show(name, "OOMScoreAdjust") for name in NAMES]
    return dict(files=files, attributes=attributes, scores=scores, live=live, earlyoom=arguments)


def main(name, *values):
    if name == "hold":
        hold(*values)
    elif name in SERVICES:
        print(json.dumps([duel(name) for _turn in range(int(values[0]))]))
    else:
        print(json.dumps({"prepare": prepare, "record": record, "end": end, "start": start_services}[name](*values)))


main(*sys.argv[1:])
