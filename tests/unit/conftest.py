# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the unit tests: trees of files that read like /proc and /proc/sys, module calls."""

import contextlib
import importlib
import json
import os
import signal
import tempfile

import pytest
import yaml
from ansible.module_utils import basic
from fake_host import APP, FakeHost
from hanging_folder import hanging_folder as hang
from hypothesis import settings

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import PF_KTHREAD
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._posture import examine
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host

# Another program on this machine may take the processor from any example.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A job in the background of a shell ignores these, and so would all that the tests start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

NOBODY = 65534
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class FakeProc:
    """A tree of ordinary files that reads like /proc; files keep what is written to them."""

    def __init__(self, root):
        self.root = root
        self.procfs = Procfs(str(root))
        self.write("self/status", "Name:\tpython\nCapEff:\t000001ffffffffff\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def process(
        self,
        pid,
        name="sleep",
        start_time=100,
        parent=1,
        score=0,
        exe=None,
        cmdline=None,
        cgroup="/",
        kernel_thread=False,
        resident_kb=0,
        uids=(0, 0, 0, 0),
        nested=False,
    ):
        comm = name if isinstance(name, bytes) else name.encode()
        flags = PF_KTHREAD if kernel_thread else 0
        fields = (
            f"S {parent} 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {start_time} 0 {resident_kb * 1024 // PAGE_BYTES}"
        )
        self.write(f"{pid}/stat", str(pid).encode() + b" (" + comm + b") " + fields.encode() + b"\n")
        self.write(f"{pid}/oom_score_adj", f"{score}\n")
        self.write(f"{pid}/cmdline", cmdline or b"")
        self.write(f"{pid}/cgroup", f"4:memory:{cgroup}\n0::/\n")
        pids = f"{pid}\t1" if nested else str(pid)
        shown = "\t".join(str(uid) for uid in uids)
        self.write(f"{pid}/status", f"Name:\tx\nUid:\t{shown}\nGid:\t{shown}\nNSpid:\t{pids}\n")
        if exe:
            os.symlink(exe, str(self.root / str(pid) / "exe"))

    def score(self, pid):
        return int((self.root / str(pid) / "oom_score_adj").read_text())


@pytest.fixture
def proc(tmp_path):
    return FakeProc(tmp_path / "proc")


@pytest.fixture
def fake_host(proc, tmp_path, monkeypatch):
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
    monkeypatch.setattr(examine, "Procfs", lambda: proc.procfs)
    monkeypatch.setattr(examine, "Systemd", lambda: Systemd(str(made.root), made.start_systemctl))
    monkeypatch.setattr(examine, "Host", lambda: Host(str(made.root), "6.1.0"))
    return made


KERNEL_DEFAULTS = {
    "vm.overcommit_memory": 0,
    "vm.overcommit_ratio": 50,
    "vm.overcommit_kbytes": 0,
    "vm.admin_reserve_kbytes": 8192,
    "vm.user_reserve_kbytes": 131072,
    "vm.panic_on_oom": 0,
    "vm.oom_kill_allocating_task": 0,
    "vm.oom_dump_tasks": 1,
    "kernel.panic": 0,
    "kernel.panic_on_oops": 0,
}


class SysctlTree:
    """A root with the kernel's defaults in /proc/sys, and an empty /etc/sysctl.d."""

    def __init__(self, root):
        self.root = root
        self.host = Host(str(root))
        self.proc = FakeProc(root / "proc")
        self.set(**KERNEL_DEFAULTS)
        for folder in ("etc/sysctl.d", "run/systemd/system"):
            (root / folder).mkdir(parents=True)

    def write(self, name, text):
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def set(self, **values):
        for key, value in values.items():
            self.write("proc/sys/" + key.replace(".", "/"), f"{value}\n")

    def get(self, *keys):
        """Return these values as a kernel would have read them: the first word of the file."""
        return {key: self.host.live(key) for key in keys}


@pytest.fixture
def sysctl_tree(tmp_path):
    return SysctlTree(tmp_path / "host")


@pytest.fixture
def dump():
    """Write a dump that pstore kept of a crash, this many seconds old, and return its path."""

    def write(folder, name, text, age):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(str(path), (1000000 - age, 1000000 - age))
        return str(path)

    return write


@pytest.fixture
def run_module(monkeypatch, capsys):
    """Run the main() of a module as Ansible does, and return the answer that it prints."""

    def run(name, check_mode=False, **options):
        options.update(_ansible_check_mode=check_mode, _ansible_diff=True)
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)  # ansible-core 2.19 and later
        # The newest ansible-core cannot log an option with NUL; the module itself is tested here.
        monkeypatch.setattr(basic.AnsibleModule, "log", lambda *_words, **_options: None)
        module = importlib.import_module("ansible_collections.oomguard.linux.plugins.modules." + name)
        with pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


def missing_entries(contains, values, path=""):
    """Return what RETURN lacks: keys without an entry, and entries without one of their parts."""
    missing = []
    for key, entry in contains.items():
        name = f"{path}{key}"
        parts = ("description", "type", "returned") + (() if "contains" in entry else ("sample",))
        missing += [f"{name}: no {part}" for part in parts if part not in entry]
        missing += missing_entries(entry.get("contains", {}), {}, f"{name}.")
    for key, value in values.items():
        name = f"{path}{key}"
        if key not in contains:
            missing.append(f"{name}: no entry")
            continue
        for item in value if isinstance(value, list) else [value]:
            # ansible-test accepts no entry with a dot, such as a sysctl. The sample has it.
            sample = contains[key].get("sample")
            if isinstance(item, dict) and isinstance(sample, dict):
                missing += [f"{name}.{part}: not in the sample" for part in item.keys() - sample.keys()]
            elif isinstance(item, dict):
                missing += missing_entries(contains[key].get("contains", {}), item, f"{name}.")
    return sorted(set(missing))


@pytest.fixture
def undocumented():
    """Return what a module's RETURN lacks for an answer of the module."""
    common = {"changed", "diff", "invocation", "warnings"}  # of Ansible itself

    def compare(name, answer):
        module = importlib.import_module("ansible_collections.oomguard.linux.plugins.modules." + name)
        own = {key: value for key, value in answer.items() if key not in common}
        return missing_entries(yaml.safe_load(module.RETURN), own)

    return compare


@pytest.fixture
def as_nobody():
    """Return a context in which another user runs this process, who may enter one folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user and be root again")

    @contextlib.contextmanager
    def become(folder):
        for one in (folder, *folder.parents):
            if str(one).startswith(tempfile.gettempdir() + "/"):  # pytest closes its own to others
                one.chmod(one.stat().st_mode | 0o011)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


@pytest.fixture
def hanging_folder(tmp_path):
    """Return the path of a folder of NOBODY in which the kernel holds every process for ever."""
    path = tmp_path / "hanging"
    path.mkdir()
    for folder in path.parents:
        if str(folder).startswith(tempfile.gettempdir() + "/"):  # pytest closes its own to others
            folder.chmod(folder.stat().st_mode | 0o011)
    try:
        with hang(str(path), NOBODY) as mounted:
            yield mounted
    except OSError as error:
        pytest.skip(f"no FUSE file system can be mounted here: {error}")
