# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what a run on a fleet costs, on the controller and for each host.

Hosts are local connections to this machine, each with a lock folder of its own. All share the same
six daemons. Everything runs in a mount namespace: what hosts read and write as /proc/sys,
/etc/sysctl.d, /etc/systemd and /run is a copy. Only the trial of verify acts on the machine: it
makes memory cgroups with a limit, as it always does.

The controller's processor time is that of ansible-playbook and all its children, less that of the
modules: each host's Python interpreter is a program that records what it used (fleet/host.c). So
what a connection starts, such as a shell, counts as the controller's.

Modules of 500 hosts take two processors a quarter of an hour. So large fleets are replayed: a host
runs no module, and returns what the first one has returned. Then the controller alone is measured.

The cost of a host is that of a run with all hosts less that of a run with one, divided by the
others. See bench_pins.py for why no test fails because of a ratio.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from bench_pins import verdict

FLEET = Path(__file__).resolve().parent / "fleet"
INSIDE = "OOMGUARD_BENCH_FLEET_INSIDE"
# What ansible-playbook gets for each name, besides the inventory and the policy.
PLAYS = {
    "ping": [str(FLEET / "ping.yml")],
    "site": ["oomguard.linux.site"],
    "stock": [str(FLEET / "stock.yml")],
    "audit": ["oomguard.linux.site", "--check"],
    "report": ["oomguard.linux.report"],
    "verify": ["oomguard.linux.verify"],
}
CHANGING = ("audit",)
# Plays that would take too long on more hosts than these.
MOST_HOSTS = {"stock": 10, "verify": 10}
REPLAYED = ("ping", "site", "audit", "report")
# Load on the machine changes costs from one minute to the next, so small fleets run more than once.
REPETITIONS = 3
REPEATED_HOSTS = 10
SAMPLE_SECONDS = 0.5

# Scores that need no capability: they are only raised.
PINS = {"docker": 200, "containerd": 100, "cron": 400, "dbus": 150, "systemd-networkd": 250, "systemd-logind": 300}
SYSCTLS = ("kernel.panic", "vm.panic_on_oom", "vm.oom_dump_tasks", "vm.overcommit_memory", "vm.overcommit_ratio")

# Bounds: see the table that is printed.
SITE_BY_PING = 3.0
SITE_BY_STOCK = 0.12
FLAT_WITHIN = 0.15
MEMORY_KIB_A_HOST = 200


class PlayRun(NamedTuple):
    """Hold what a run took: times in seconds, memory in KiB, and the results of modules."""

    seconds: float
    controller: float
    hosts: float
    memory: float
    results: float
    size: float


# --- the hosts -----------------------------------------------------------------------


def enter_namespace():
    """Run this program again in a mount namespace of its own."""
    os.environ[INSIDE] = "1"
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
    os.execvp(command[0], command)


def copy_tree(source, destination):
    """Copy the files that can be read."""
    for folder, _names, files in os.walk(source):
        target = os.path.join(destination, os.path.relpath(folder, source))
        os.makedirs(target, exist_ok=True)
        for name in files:
            with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                content = file.read()
                Path(target, name).write_bytes(content)


def hide_machine(folder):
    """Mount copies over all that a play could write. Its changes end with this program."""
    copies = {}
    for path in ("/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/crypto", "/etc/sysctl.d", "/etc/systemd"):
        copies[path] = folder / "copies" / path.lstrip("/")
        copies[path].mkdir(parents=True)
        copy_tree(path, copies[path])
    subprocess.run(["mount", "-t", "tmpfs", "fleet", "/run"], check=True)
    os.mkdir("/run/oomguard", 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "fleet", "/proc/sys"], check=True)
    for path, copy in copies.items():
        if path.startswith("/proc/sys/"):
            os.mkdir(path)
        subprocess.run(["mount", "--bind", str(copy), path], check=True)


@contextlib.contextmanager
def running_daemons(folder):
    """Run what the policy pins, each with a file that has its pid."""
    folder.mkdir()
    daemons = [subprocess.Popen(["sleep", "infinity"]) for _name in PINS]
    try:
        for name, daemon in zip(PINS, daemons):
            (folder / f"{name}.pid").write_text(str(daemon.pid))
        yield
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait()


def build_host(folder, name, program):
    """Compile the program that runs a host's programs, and return its path."""
    built = folder / "bin" / name
    options = [f'-DFOLDER="{folder}"', f'-DPROGRAM="{program}"', "-std=c99", "-O2", "-Wall", "-Wextra"]
    subprocess.run(["cc", *options, "-o", str(built), str(FLEET / "host.c")], check=True)
    return built


def write_inventory(folder, names):
    """Write an inventory of these hosts for each number of hosts that is asked for."""
    interpreter = folder / "bin" / "python"
    for name in names:
        (folder / "bin" / name).symlink_to(interpreter)
        (folder / "run" / name).mkdir(mode=0o700)
    return {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_pipelining": True,
        "ansible_python_interpreter": f"{folder}/bin/{{{{ inventory_hostname }}}}",
    }


def build_policy(folder):
    """Return the variables of the roles and of the stock playbook, which ask for the same."""
    values = {name: int(Path("/proc/sys", *name.split(".")).read_text()) for name in SYSCTLS}
    daemons = folder / "daemons"
    return {
        "daemons": str(daemons),
        "pins": PINS,
        "sysctls": values,
        "oom_protect_targets": [
            {"pidfile": f"{daemons}/{name}.pid", "score": score, "persistent": False} for name, score in PINS.items()
        ],
        "oom_panic_on_oom": "kill",
        "oom_panic_reboot_after": values["kernel.panic"],
        "oom_panic_dump_tasks": values["vm.oom_dump_tasks"],
        "oom_overcommit_mode": values["vm.overcommit_memory"],
        "oom_overcommit_ratio": values["vm.overcommit_ratio"],
        # This machine may be a container: a run then refuses to write sysctls. These are copies.
        "oom_panic_force": True,
        "oom_overcommit_force": True,
        "oom_report_dir": str(folder / "report"),
        "oom_verify_evidence_dir": "",
    }


def change_policy(policy):
    """Return a policy that changes something in each part."""
    return {
        **policy,
        "oom_protect_targets": [{**target, "score": target["score"] + 1} for target in policy["oom_protect_targets"]],
        "oom_panic_reboot_after": policy["oom_panic_reboot_after"] + 1,
        "oom_overcommit_ratio": policy["oom_overcommit_ratio"] + 1,
    }


# --- a run ---------------------------------------------------------------------------


def controller_kib(pid):
    """Return the memory of ansible-playbook and its workers in KiB, shared pages counted once."""
    program = os.readlink(f"/proc/{pid}/exe")
    total = 0
    for process in [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]:
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{process}/exe") == program:
                total += int(re.search(r"^Pss: +(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)[1])
    return total


class MemoryWatch(threading.Thread):
    """Keep the most memory that a controller had while it ran."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.ended = pid, 0, threading.Event()

    def run(self):
        """Look again and again until the run has ended."""
        while not self.ended.wait(SAMPLE_SECONDS):
            with contextlib.suppress(OSError):
                self.most = max(self.most, controller_kib(self.pid))


class Fleet:
    """Run plays on hosts of this machine."""

    def __init__(self, folder, most, forks):
        self.folder, self.forks = folder, forks
        for name in ("bin", "run"):
            (folder / name).mkdir()
        build_host(folder, "python", shutil.which("python3", path="/usr/bin") or sys.executable)
        build_host(folder, "cc", shutil.which("cc"))
        self.names = [f"host{number:04}" for number in range(most)]
        self.variables = write_inventory(folder, self.names)
        policy = build_policy(folder)
        (folder / "policy.json").write_text(json.dumps(policy))
        (folder / "changing.json").write_text(json.dumps(change_policy(policy)))

    def prepare(self, name, replay):
        """Fill caches and apply the policy. To replay the play, keep what a host returns."""
        (self.folder / "replay").unlink(missing_ok=True)
        self.play(name, 1, check=False)
        if replay:
            (self.folder / "record").touch()
            self.play(name, 1)
            (self.folder / "record").unlink()

    def replay(self):
        """Let hosts return what is kept, from now on."""
        (self.folder / "replay").touch()

    def play(self, name, count, check=True):
        """Return what a run of this play on some hosts takes. Exit if it did something else."""
        inventory = {"all": {"hosts": dict.fromkeys(self.names[:count]), "vars": self.variables}}
        (self.folder / "hosts.json").write_text(json.dumps(inventory))
        (self.folder / "used").write_text("")
        self._choose_answers(name)
        policy = "changing" if name in CHANGING else "policy"
        program = Path(sys.executable).with_name("ansible-playbook")
        files = ["--inventory", str(self.folder / "hosts.json"), "--extra-vars", f"@{self.folder / policy}.json"]
        command = [sys.executable, str(program), f"--forks={self.forks}", *files, *PLAYS[name]]
        with open(self.folder / "output", "w+", encoding="utf-8", errors="replace") as output:
            started = time.monotonic()
            process = subprocess.Popen(command, env=self._environment(), stdout=output, stderr=output)
            watch = MemoryWatch(process.pid)
            watch.start()
            try:
                _pid, status, used = os.wait4(process.pid, 0)
            except BaseException:  # such as Ctrl-C
                process.kill()
                raise
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.ended.set()
            watch.join()
            output.seek(0)
            text = output.read()
        changed = re.search(r"changed=[1-9]", text)
        if process.returncode or (check and bool(changed) != (name in CHANGING)):
            sys.exit(f"{name} failed, or changed something else than it should:\n{text[-3000:]}")
        hosts = sum(map(int, (self.folder / "used").read_text().split())) / 1e6
        results = json.loads((self.folder / "results.json").read_text())
        controller = used.ru_utime + used.ru_stime - hosts
        return PlayRun(seconds, controller, hosts, watch.most, results["results"], results["bytes"])

    def _choose_answers(self, name):
        """Let hosts keep and return the answers of this play. Others run the same modules."""
        kept, answers = self.folder / "kept" / name, self.folder / "answers"
        kept.mkdir(parents=True, exist_ok=True)
        answers.unlink(missing_ok=True)
        answers.symlink_to(kept)

    def _environment(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
        return {
            **environment,
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"].split(":")[0],
            "ANSIBLE_CALLBACK_PLUGINS": str(FLEET / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "result_bytes",
            "OOMGUARD_RESULT_BYTES": str(self.folder / "results.json"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }


# --- figures -------------------------------------------------------------------------


def cost_a_host(run, alone, count):
    """Return what each host after the first costs."""
    return PlayRun(*((all_ - one) / (count - 1) for all_, one in zip(run, alone)))


def median_run(runs):
    return PlayRun(*map(statistics.median, zip(*runs)))


def print_costs(count, play, run, cost):
    print(
        f"{count:>8} {play:<8}{run.seconds:>8.1f}{cost.seconds * 1000:>9.0f}{cost.controller * 1000:>12.0f}"
        f"{cost.hosts * 1000:>10.0f}{run.memory / 1024:>10.0f}{cost.results:>9.1f}{cost.size:>8.0f}",
        flush=True,
    )


def print_ratios(costs):
    """Print the ratios of each number of hosts, which load on the machine hardly changes."""
    for count in sorted({count for count, _play in costs}):
        for other, bound in (("ping", SITE_BY_PING), ("stock", SITE_BY_STOCK)):
            pairs = list(zip(costs.get((count, "site"), []), costs.get((count, other), [])))
            if pairs:
                controller = statistics.median(site.controller / base.controller for site, base in pairs)
                both = statistics.median(
                    (site.controller + site.hosts) / (base.controller + base.hosts) for site, base in pairs
                )
                wall = statistics.median(site.seconds / base.seconds for site, base in pairs)
                verdict(f"{count} hosts, site / {other}", controller, bound)
                print(f"{'':<24}{both:>8.2f}   with the hosts' modules; time {wall:.2f}")


def print_growth(costs, runs):
    """Print whether a host costs the same on any fleet, and what the controller needs for it."""
    for play in PLAYS:
        counts = sorted(count for count, name in costs if name == play)
        if len(counts) < 2:
            continue
        fewest = median_run(costs[counts[0], play])
        for count in counts[1:]:
            cost = median_run(costs[count, play])
            ratio = cost.controller / fewest.controller
            print(f"{play}, {count} hosts / {counts[0]}: {ratio:.2f} (flat is {1 - FLAT_WITHIN} to {1 + FLAT_WITHIN})")
        memory = {count: median_run(runs[count, play]).memory for count in counts}
        growth = (memory[counts[-1]] - memory[counts[0]]) / (counts[-1] - counts[0])
        verdict(f"{play}, KiB a host", growth, MEMORY_KIB_A_HOST)


def measure(fleet, counts, plays, repetitions, replay=False):
    """Run all plays in turn, and return runs and costs by number of hosts and play."""
    for play in plays:
        fleet.prepare(play, replay)
    if replay:
        fleet.replay()
    kind = "replayed" if replay else "hosts"
    print(f"{kind:<8} play      time s   ms/host  controller     hosts  peak MiB  results   bytes")
    alone = {}
    for play in plays:
        alone[play] = median_run([fleet.play(play, 1) for _repetition in range(repetitions)])
        print_costs(1, play, alone[play], alone[play])
    runs, costs = {}, {}
    rounds = [count for count in counts for _repetition in range(repetitions if count <= REPEATED_HOSTS else 1)]
    for count, play in itertools.product(rounds, plays):
        if count <= MOST_HOSTS.get(play, count):
            run = fleet.play(play, count)
            cost = cost_a_host(run, alone[play], count)
            runs.setdefault((count, play), []).append(run)
            costs.setdefault((count, play), []).append(cost)
            print_costs(count, play, run, cost)
    return runs, costs


def parse_counts(text):
    return sorted(int(count) for count in text.split(",") if count)


def main():
    if os.geteuid() != 0:
        sys.exit("the hosts of this benchmark need namespaces: run it as root")
    if INSIDE not in os.environ:
        enter_namespace()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(f"ended by signal {number}"))  # cleans up
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=parse_counts, default="10,100")
    parser.add_argument("--replayed", type=parse_counts, default="10,100,500")
    parser.add_argument("--plays", default="ping,site,stock,audit,report,verify")
    parser.add_argument("--forks", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help=f"up to {REPEATED_HOSTS} hosts")
    arguments = parser.parse_args()
    plays = arguments.plays.split(",")
    print(f"local connections with pipelining, {arguments.forks} forks, Python {platform.python_version()}", end=", ")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hide_machine(folder)
        with running_daemons(folder / "daemons"):
            fleet = Fleet(folder, max(arguments.hosts + arguments.replayed), arguments.forks)
            if arguments.hosts:
                runs, costs = measure(fleet, arguments.hosts, plays, arguments.repetitions)
                print_ratios(costs)
                print_growth(costs, runs)
            if arguments.replayed:
                replayed = [play for play in plays if play in REPLAYED]
                runs, costs = measure(fleet, arguments.replayed, replayed, arguments.repetitions, replay=True)
                print_growth(costs, runs)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
