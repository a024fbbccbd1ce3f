# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it: its answer is what its documentation says."""

import errno
import json
import os
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host
from ansible_collections.oomguard.linux.plugins.modules import oom_info

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

    @staticmethod
    def _show(name):
        if name not in UNITS:
            return f"Id={name}\nNames={name}\nLoadState=not-found\nActiveState=inactive\n"
        pid, cgroup = UNITS[name]
        return (
            f"Id={name}\nNames={name}\nLoadState=loaded\nActiveState=active\nType=simple\nMainPID={pid}\n"
            f"ControlGroup={cgroup}\nFragmentPath=\nDropInPaths=\nDelegate=no\nOOMScoreAdjust=0\nOOMPolicy=stop\n"
        )


@pytest.fixture
def host(proc, tmp_path, monkeypatch):
    """Make a host where postgres is the largest, and app and its worker have a limit."""
    (tmp_path / "host").mkdir()
    made = FakeHost(proc, tmp_path / "host")
    made.process(1, "systemd", 9000)
    proc.process(2, "kthreadd", parent=0, kernel_thread=True)
    made.process(10, "app", 100000, APP)
    made.process(11, "worker", 300000, APP)
    made.process(20, "postgres", 5000000, "/system.slice/postgres.service")
    made.process(30, "backup", 2000)
    made.process(40, "udevd", 7000, score=-1000)
    made.process(50, "sshd", 8000, score=-500)
    made.limit(APP, 1000000, 450000)
    (tmp_path / "host/proc").symlink_to(proc.root)
    monkeypatch.setattr(oom_info, "Procfs", lambda: proc.procfs)
    monkeypatch.setattr(oom_info, "Systemd", lambda: Systemd(str(made.root), made.start_systemctl))
    monkeypatch.setattr(oom_info, "Host", lambda: Host(str(made.root), "6.1.0"))
    return made


def test_return_documents_every_key(host, run_module, undocumented):
    """With a group, a limit, what-if, killers and findings, so that every part is there."""
    host.proc.write("sys/vm/panic_on_oom", "0\n")
    host.proc.write("sys/vm/oom_kill_allocating_task", "0\n")
    (host.cgroups / APP.lstrip("/") / "memory.oom.group").write_text("1\n")
    answer = run_module("oom_info", domain={"unit": "app"}, what_if=[{"pid": 10, "score": 500}])
    assert answer["next_victim"]["group"] and answer["what_if"]["changes"] and answer["ranking"]
    assert undocumented("oom_info", answer) == []
    answer = run_module("oom_info")
    harmful = [growth for growth in answer["if_it_grows"] if not growth["itself"]]
    assert harmful[0]["advice"] and harmful[0]["collateral"] and answer["protected"] and answer["immune"]
    assert undocumented("oom_info", answer) == []


def test_a_host(host, run_module):
    answer = run_module("oom_info")
    assert answer["msg"] == "next victim of the host: postgres[20] (postgres.service), certain; no findings"
    assert [row["name"] for row in answer["ranking"]] == [
        "postgres",
        "worker",
        "app",
        "backup",
        "sshd",
        "systemd",
        "udevd",
    ]
    assert {row["user"] for row in answer["ranking"]} == {"root"}
    by_name = {growth["grower"]["name"]: growth for growth in answer["if_it_grows"]}
    assert by_name["backup"]["victim"]["name"] == "postgres"
    assert (by_name["app"]["itself"], by_name["app"]["domain"]) == (True, APP)
    assert answer["report"][1].startswith("If backup[30] goes on growing, postgres[20] (postgres.service) dies first")


def test_a_grower(host, run_module):
    answer = run_module("oom_info", grower={"unit": "app"}, domain={"unit": "app"})
    assert [(one["grower"]["name"], one["itself"]) for one in answer["if_it_grows"]] == [("app", True)]
    assert (answer["domain"]["path"], answer["domain"]["room_kb"]) == (APP, 550000)
    assert answer["next_victim"]["name"] == "worker"


def test_every_process_of_a_grower(host, run_module):
    answer = run_module("oom_info", grower={"cgroup": APP})
    assert [one["grower"]["name"] for one in answer["if_it_grows"]] == ["worker", "app"]
    assert len(run_module("oom_info", grower={"cgroup": APP}, top=1)["if_it_grows"]) == 1


def test_a_grower_of_any_user(host, run_module):
    host.process(60, "java", 3000, uid=1000, cgroup="/user.slice/user-1000.slice/session-1.scope")
    assert run_module("oom_info", grower={"process": "java"})["if_it_grows"][0]["grower"]["pid"] == 60


def test_what_if(host, run_module):
    answer = run_module("oom_info", grower={"pid": 30}, what_if=[{"unit": "postgres", "score": -900}])
    assert answer["if_it_grows"][0]["victim"]["name"] == "postgres"
    assert answer["what_if"]["if_it_grows"][0]["itself"]
    assert answer["what_if"]["changes"] == [
        dict(pid=20, name="postgres", unit="postgres.service", container=None, before=0, after=-900)
    ]
    assert answer["report"][1] == (
        "next victim now postgres[20] (postgres.service), with these pins worker[11] (app.service)"
    )
    assert host.proc.score(20) == 0


def test_what_if_a_unit_died_together(host, run_module):
    what_if = [{"unit": "app", "score": 0, "oom_policy": "kill"}]
    answer = run_module("oom_info", domain={"unit": "app"}, what_if=what_if)
    assert answer["next_victim"]["group"] == []
    assert [one["name"] for one in answer["what_if"]["next_victim"]["group"]] == ["app"]


# What fails, and what to do about it.
ERRORS = {
    "no cgroup": (
        dict(domain={"cgroup": "/nowhere"}),
        "domain: cgroup /nowhere does not exist",
        "; see systemd-cgls, or start what runs in it first",
    ),
    "no unit": (dict(domain={"unit": "ap"}), "domain: unit=ap.service: no such system unit", "; check the name with"),
    "no container": (
        dict(domain={"container": "web1"}),
        "domain: no running container has the id or name web1",
        "; see docker ps, podman ps or crictl ps, or start it first",
    ),
    "no machine": (
        dict(domain={"machine": "vm1"}),
        "domain: machine vm1 does not run",
        "; see machinectl list, or start it first",
    ),
    "no name of a unit": (dict(domain={"unit": "a b"}), "domain: unit='a b' is not a name", ": write it as docker"),
    "no limit": (
        dict(domain={"unit": "postgres"}),
        "domain: cgroup /system.slice/postgres.service has no memory limit, nor has one above it",
        ": set a limit, such as MemoryMax= of its unit, or use domain=host",
    ),
    "no domain": (dict(domain="everything"), "domain=everything is no domain", ": set host, or a dictionary with one"),
    "grower outside": (
        dict(domain={"unit": "app"}, grower={"pid": 30}),
        "grower: backup[30] is in cgroup /, outside of cgroup " + APP,
        "; leave out domain, or name another one",
    ),
    "no program": (
        dict(grower={"process": "postgrse"}),
        "grower: process=postgrse: no such process",
        "; did you mean postgres?",
    ),
    "no unit of a grower": (dict(grower={"unit": "nosuch"}), "grower: unit", "; check the name with systemctl"),
    "no pid": (dict(grower={"pid": 99999}), "grower: pid=99999: no such process", "; it has ended: select by unit"),
    "a target twice": (
        dict(what_if=[{"pid": 10, "score": 1}, {"pid": 10, "score": 2}]),
        "what_if: process 10 (app) is selected twice",
        ": leave out one of them",
    ),
    "no score": (dict(what_if=[{"pid": 10}]), "what_if: pid=10: score is missing", ": set it, or use state=absent"),
    "what is refused": (
        dict(what_if=[{"process": "sshd", "score": -900}]),
        "what_if: process=sshd with score=-900",
        "(force=true overrides)",
    ),
    "no unit of a target": (dict(what_if=[{"unit": "nosuch", "score": 1}]), "what_if: unit", "; check the name with"),
    "top": (dict(top=-1), "top=-1 is out of range, 0 to 1000", "; set a number in it"),
    "a long top": (dict(top=10**30), "top=100000000000000000000000 is out of range", "; set a number in it"),
    # Ansible's own words
    "two selectors": (dict(grower={"pid": 1, "unit": "app"}), "mutually exclusive", ""),
    "no selector": (dict(grower={}), "one of the following is required", ""),
}


@pytest.mark.parametrize("options, words, remedy", ERRORS.values(), ids=list(ERRORS))
def test_error_has_three_parts(host, run_module, options, words, remedy):
    answer = run_module("oom_info", **options)
    assert answer["failed"] and "\n" not in answer["msg"]
    assert words in answer["msg"] and remedy in answer["msg"]


def test_a_host_that_cannot_be_read(host, run_module, monkeypatch):
    def deny(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Permission denied", b"/proc/7")

    monkeypatch.setattr(oom_info, "take_snapshot", deny)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    words = "/proc/7 cannot be read: Permission denied: ran as uid 1000: add become: true"
    assert run_module("oom_info")["msg"] == words


def test_without_memory_cgroups(host, run_module):
    (host.cgroups / "cgroup.controllers").write_text("cpu\n")
    assert "no memory cgroup controller is mounted" in run_module("oom_info", domain={"unit": "app"})["msg"]
    assert run_module("oom_info")["next_victim"]["name"] == "postgres"


def test_a_kernel_without_a_rule(host, run_module, monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "x", "2.4.0", "", "")))
    answer = run_module("oom_info")
    assert (answer["next_victim"], answer["ranking"], answer["if_it_grows"]) == (None, [], [])
    assert [one["id"] for one in answer["findings"]] == ["rule_unknown"]


def test_systemctl_fails(host, run_module, monkeypatch):
    monkeypatch.setattr(oom_info, "Systemd", lambda: Systemd(str(host.root), lambda *_command: lambda: "Id=cut off"))
    answer = run_module("oom_info")
    assert answer["killers"] == []
    assert "the units were not examined: systemctl show returned an incomplete answer" in json.dumps(answer["warnings"])


def test_kills_that_the_log_does_not_name(host, run_module, monkeypatch):
    host.proc.write("vmstat", "oom_kill 3\n")
    monkeypatch.setattr(oom_info, "read_kill_counts", lambda procfs: KillCounts(procfs.oom_kills(), 1))
    assert [one["id"] for one in run_module("oom_info")["findings"]] == ["kills_unlogged"]


def test_the_log_cannot_be_read(host, run_module, monkeypatch):
    def fail(_procfs):
        raise AccessError("/dev/kmsg cannot be read")

    monkeypatch.setattr(oom_info, "read_kill_counts", fail)
    answer = run_module("oom_info")
    assert answer["findings"] == []
    assert "were not compared with the kernel's log: /dev/kmsg cannot be read" in json.dumps(answer["warnings"])


def test_names_of_users_have_a_bound():
    names = oom_info.UserNames()
    assert names.find(0) == "root"
    assert [names.find(uid) for uid in range(3000000000, 3000000030)] == [
        str(uid) for uid in range(3000000000, 3000000030)
    ]
    assert len(names._names) == 20


def test_hostile_names_are_escaped(host, run_module):
    host.process(60, b"\x1b[2J\r", 9000000, cgroup="/system.slice/a\u2028b")
    answer = run_module("oom_info")
    assert answer["next_victim"]["name"] == "\\x1b[2J\\x0d"
    assert "\x1b" not in json.dumps(answer, ensure_ascii=False)
    assert "\u2028" not in json.dumps(answer, ensure_ascii=False)


MODULE = """
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = b'{"ANSIBLE_MODULE_ARGS": {}}'
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.oomguard.linux.plugins.modules import oom_info
oom_info.main()
"""


def test_this_machine_is_only_read(tmp_path):
    """Every file is opened for reading, and only systemctl is started."""
    hook = tmp_path / "sitecustomize.py"
    hook.write_text(
        "import os, sys\n"
        "def watch(event, arguments):\n"
        "    if event == 'open' and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):\n"
        "        os.write(2, b'wrote ' + repr(arguments).encode() + b'\\n')\n"
        "    if event in ('subprocess.Popen', 'os.exec', 'os.kill', 'os.remove', 'os.rename', 'os.mkdir'):\n"
        "        os.write(2, b'did ' + repr((event, arguments)).encode() + b'\\n')\n"
        "if hasattr(sys, 'addaudithook'):\n"
        "    sys.addaudithook(watch)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-B", "-c", MODULE],
        env=dict(os.environ, PYTHONPATH=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    did = [line for line in done.stderr.decode().split("\n") if line.startswith(("wrote", "did"))]
    assert [line for line in did if "systemctl" not in line] == []
    answer = json.loads(done.stdout.decode())
    assert answer["next_victim"] is not None
    assert len(done.stdout) < 64 << 10
    assert Procfs().pids()
