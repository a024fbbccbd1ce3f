# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with systemd, cgroups of version 2 and a few processes, as a tree of files."""

from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DROP_IN
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import HEADER, OWN_KEYS

APP = "/system.slice/app.service"
STATUS = """\
Name:	x
Uid:	{uid}	{uid}	{uid}	{uid}
Gid:	0	0	0	0
NSpid:	1
VmRSS:	{kb} kB
RssAnon:	{kb} kB
RssFile:	     0 kB
RssShmem:	     0 kB
VmPTE:	      40 kB
VmSwap:	      0 kB
Threads:	1
CapEff:	000001ffffffffff
Mems_allowed_list:	0
"""
MEMINFO = {
    "MemTotal": 8000000,
    "MemFree": 4000000,
    "Active(file)": 0,
    "Inactive(file)": 0,
    "SReclaimable": 0,
    "SwapTotal": 0,
    "SwapFree": 0,
    "CommitLimit": 4000000,
    "Committed_AS": 1000,
}
SYSCTLS = {
    "vm/min_free_kbytes": 6000,
    "vm/swappiness": 60,
    "vm/panic_on_oom": 0,
    "vm/oom_kill_allocating_task": 0,
    "vm/oom_dump_tasks": 1,
    "vm/overcommit_memory": 0,
    "vm/overcommit_ratio": 50,
    "vm/overcommit_kbytes": 0,
    "vm/admin_reserve_kbytes": 8192,
    "vm/user_reserve_kbytes": 131072,
    "kernel/panic": 0,
    "kernel/panic_on_oops": 0,
}
UNITS = {"app.service": (10, APP), "postgres.service": (20, "/system.slice/postgres.service")}


class FakeHost:
    """A host with systemd, cgroups of version 2, and some processes."""

    def __init__(self, proc, root):
        self.proc = proc
        self.root = root
        self.cgroups = root / "cgroup"
        (root / "run/systemd/system").mkdir(parents=True)
        (root / "etc/systemd/system").mkdir(parents=True)
        self.cgroups.mkdir()
        (self.cgroups / "cgroup.controllers").write_text("memory\n")
        proc.write("self/mountinfo", f"30 24 0:26 / {self.cgroups} rw - cgroup2 cgroup2 rw\n")
        proc.write("self/oom_score_adj", "0\n")
        proc.write("self/oom_score", "667\n")
        proc.write("meminfo", "".join(f"{key}: {value} kB\n" for key, value in MEMINFO.items()))
        proc.write("cmdline", "quiet\n")
        proc.write("vmstat", "oom_kill 0\n")
        for key, value in SYSCTLS.items():
            proc.write("sys/" + key, f"{value}\n")

    def process(self, pid, name, kb, cgroup="/", score=0, uid=0):
        self.proc.process(pid, name, score=score, cgroup=cgroup, resident_kb=kb, start_time=pid)
        self.proc.write(f"{pid}/status", STATUS.format(kb=kb, uid=uid))
        self.proc.write(f"{pid}/cgroup", f"0::{cgroup}\n")
        self.proc.write(f"{pid}/oom_score", "700\n")
        folder = self.cgroups / cgroup.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        with open(str(folder / "cgroup.procs"), "a") as stream:
            stream.write(f"{pid}\n")

    def limit(self, cgroup, kb, usage_kb):
        folder = self.cgroups / cgroup.lstrip("/")
        for name, text in (
            ("memory.max", kb << 10),
            ("memory.current", usage_kb << 10),
            ("memory.swap.max", 0),
            ("memory.swap.current", 0),
            ("memory.stat", "shmem 0"),
        ):
            (folder / name).write_text(f"{text}\n")

    def start_systemctl(self, *command):
        if "--" not in command:
            return lambda: "DefaultOOMScoreAdjust=0\nDefaultOOMPolicy=stop\n"
        return lambda: "\n".join(self._show(name) for name in command[command.index("--") + 1 :])

    def _show(self, name):
        if name not in UNITS:
            return f"Id={name}\nNames={name}\nLoadState=not-found\nActiveState=inactive\n"
        pid, cgroup = UNITS[name]
        settings = "OOMScoreAdjust=0\nOOMPolicy=stop\nManagedOOMPreference=none"
        settings = dict(
            line.split("=") for line in [*settings.split("\n"), *self.drop_in(name).split("\n")] if "=" in line
        )
        return (
            f"Id={name}\nNames={name}\nLoadState=loaded\nActiveState=active\nType=simple\nMainPID={pid}\n"
            f"ControlGroup={cgroup}\nFragmentPath=\nDropInPaths=\nDelegate=no\n"
            + "".join(f"{key}={settings[key]}\n" for key in OWN_KEYS)
        )

    def drop_in(self, unit):
        """Return what our drop-in of a unit assigns, one a line."""
        path = self.root / f"etc/systemd/system/{unit}.d/{DROP_IN}"
        return "\n".join(line for line in path.read_text().split("\n") if "=" in line) if path.exists() else ""

    def preference(self, cgroup):
        """Return what the attributes of a unit's cgroup show, once systemd has read its drop-in."""
        found = self.drop_in(cgroup.rpartition("/")[2]).partition("ManagedOOMPreference=")[2]
        return found.partition("\n")[0] or "none"

    def pin(self, unit, *assignments):
        path = self.root / f"etc/systemd/system/{unit}.d/{DROP_IN}"
        path.parent.mkdir()
        path.write_text("\n".join([HEADER, "[Service]", *assignments, ""]))
