# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killers found in a tree of processes, with what a systemctl shows."""

import os
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import TrustedFile
from ansible_collections.oomguard.linux.plugins.module_utils._killers import discovery
from ansible_collections.oomguard.linux.plugins.module_utils._killers.discovery import KillerFinder, RegexMatcher
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import EarlyoomArguments
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import KNOWN
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import MonitoredGroup

SLICES = """Id=-.slice
ControlGroup=/
ManagedOOMSwap=kill
ManagedOOMMemoryPressure=auto

Id=x.service
ControlGroup=/system.slice/x.service
ManagedOOMSwap=auto
ManagedOOMMemoryPressure=auto
"""


def unit(name, pid, load="loaded"):
    state = "active" if pid else "inactive"
    return Unit(name, [name], load, state, "simple", pid, "/system.slice/" + name, "", [], False, 0, "stop", "none")


class KillerHost:
    """Processes, units, and a systemctl."""

    def __init__(self, proc):
        self.proc = proc
        proc.write("meminfo", "SwapTotal: 1000 kB\n")
        self.units = {}
        self.names = {}
        self.answers = {"-.slice": SLICES, "Version": "Version=252.39\n"}

    def add(self, pid, name, words, unit_name=None, foreign=False):
        self.proc.process(pid, name, cmdline="\0".join([*words.split(), ""]).encode())
        self.names[pid] = name
        if unit_name:
            self.units[unit_name] = unit(unit_name, pid)

    def start(self, *command):
        is_listing = command[-3:] == ("*.slice", "*.service", "*.scope")
        return lambda: SLICES if is_listing else "Version=252.39\n"

    def find(self):
        systemd = Systemd(str(self.proc.root.parent), self.start)
        return KillerFinder(self.proc.procfs, systemd, self.names, self.units).find()


@pytest.fixture
def host(proc):
    return KillerHost(proc)


def test_a_host_without_killers(host):
    host.add(5, "sh", "sh")
    host.units["earlyoom.service"] = unit("earlyoom.service", 0, "not-found")
    assert host.find() == []


def test_systemd_oomd(host, tmp_path):
    host.proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    os.chown(str(tmp_path), 1000, -1)
    host.add(5, "systemd-oomd", "/usr/lib/systemd/systemd-oomd", "systemd-oomd.service")
    [killer] = host.find()
    assert (killer.name, killer.active, killer.reads_scores, killer.version) == ("systemd-oomd", True, False, "252.39")
    assert killer.configuration.monitored == [
        MonitoredGroup("-.slice", "/", ["swap"], 1000, ignores_users=True, kills_all=[])
    ]
    assert killer.candidates == ["/"]


def test_systemd_oomd_on_a_host_without_swap(host):
    host.proc.write("meminfo", "SwapTotal: 0 kB\n")
    host.add(5, "systemd-oomd", "systemd-oomd", "systemd-oomd.service")
    assert host.find()[0].configuration.monitored == []


def test_systemd_oomd_that_only_says_what_it_would_kill(host):
    host.add(5, "systemd-oomd", "/usr/lib/systemd/systemd-oomd --dry-run", "systemd-oomd.service")
    [killer] = host.find()
    assert (killer.configuration.monitored, killer.candidates) == ([], [])


def test_rules_of_systemd_oomd(host, roots, monkeypatch):
    """The first file of a name counts; one that others may write says nothing."""
    monkeypatch.setattr(discovery, "RULE_FOLDERS", (str(roots / "etc"), str(roots / "usr")))
    for folder, name, action in (("usr", "a", "kill-all"), ("etc", "a", "kill-by-swap"), ("usr", "b", "kill-all")):
        (roots / folder).mkdir(exist_ok=True)
        write(roots / folder / f"{name}.oomrule", f"[Rule]\nAction={action}\n")
    write(roots / "etc/open.oomrule", "[Rule]\nAction=kill-all\n", 0o666)
    assert [discovery._RuleReader().find_action(name) for name in ("a", "b", "open", "gone")] == [
        "kill-by-swap",
        "kill-all",
        None,
        "",
    ]


def test_a_killer_that_is_installed_only(host):
    host.units["earlyoom.service"] = unit("earlyoom.service", 0)
    [killer] = host.find()
    assert (killer.name, killer.active, killer.reads_scores, killer.configuration) == ("earlyoom", False, True, None)


def test_earlyoom(host, tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF\0earlyoom 1.8.2\n\0")
    host.add(5, "earlyoom", "/usr/bin/earlyoom -r 60 --sort-by-rss --avoid ^ssh$", "earlyoom.service")
    os.symlink(str(program), str(host.proc.root / "5/exe"))
    [killer] = host.find()
    assert killer.configuration == EarlyoomArguments(sort_by_rss=True, avoid="^ssh$")
    assert (killer.reads_scores, killer.version, killer.problem) == (False, "1.8.2", None)


def test_earlyoom_with_arguments_that_are_not_known(host):
    host.add(5, "earlyoom", "earlyoom --what", "earlyoom.service")
    [killer] = host.find()
    assert (killer.configuration, killer.problem) == (None, "--what is no option of earlyoom")
    assert killer.reads_scores is None  # it may have --sort-by-rss, too


def test_earlyoom_before_1_7_with_i(host, tmp_path):
    host.add(5, "earlyoom", "/usr/bin/earlyoom -i", "earlyoom.service")
    os.symlink(str(tmp_path / "program"), str(host.proc.root / "5/exe"))
    for version, ignores in ((b"1.6.1", True), (b"1.7", False)):
        (tmp_path / "program").write_bytes(b"earlyoom v" + version + b"\n")
        assert host.find()[0].configuration.ignores_raised_scores is ignores


def write(path, text, mode=0o644):
    path.write_text(text)
    path.chmod(mode)
    os.utime(str(path), (0, 0))  # before everything that reads it
    return path


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Let files below the test's folder count as root's, unless others may write them."""

    def read(path, limit):
        if os.stat(path).st_mode & 0o002:
            raise OomError(f"{path} could have been written by others than root")
        with open(path, "rb") as stream:
            return TrustedFile(stream.read(limit), os.stat(path).st_mtime, frozenset(), frozenset())

    monkeypatch.setattr(discovery, "read_roots_file", read)
    return tmp_path


NOHANG = "ignore_positive_oom_score_adj = True\n"


def test_nohang(host, roots):
    file = write(roots / "nohang.conf", NOHANG)
    host.add(5, "nohang", f"python3 /usr/sbin/nohang --monitor --config {file}", "nohang.service")
    [killer] = host.find()
    assert (killer.reads_scores, killer.configuration.ignores_raised_scores) == (True, True)


@pytest.mark.parametrize(
    "text, mode, problem",
    [
        (NOHANG, 0o666, "could have been written by others than root"),
        ("x", 0o644, "which is not True or False"),
        ("#" * (1 << 20) + "#", 0o644, "is longer than 1 MiB"),
    ],
)
def test_a_configuration_that_does_not_count(host, roots, text, mode, problem):
    file = write(roots / "nohang.conf", text, mode)
    host.add(5, "nohang", f"nohang -c {file}", "nohang-desktop.service")
    [killer] = host.find()
    assert killer.configuration is None and problem in killer.problem


def test_a_configuration_that_was_changed_since_the_start(host, roots):
    """Expect nothing of it, because what runs may still do as the old one said."""
    file = write(roots / "nohang.conf", "ignore_positive_oom_score_adj = False\n")
    host.add(5, "nohang", f"nohang -c {file}", "nohang.service")
    assert host.find()[0].problem is None
    os.utime(str(file))
    [killer] = host.find()
    assert (killer.configuration, killer.problem) == (None, f"{file} was changed since it started; restart it")
    file.write_text("ignore_positive_oom_score_adj = maybe\n")
    assert host.find()[0].problem.startswith(f"{file} has ignore_positive_oom_score_adj=maybe")


def test_a_configuration_that_is_gone(host, roots):
    host.add(5, "nohang", f"nohang -c {roots}/nothing", "nohang.service")
    assert "No such file" in host.find()[0].problem


def test_meta_oomd(host, roots, monkeypatch):
    file = write(
        roots / "oomd.json", '{"rulesets": [{"actions": [{"name": "kill_by_swap", "args": {"cgroup": "a"}}]}]}'
    )
    host.add(5, "oomd", f"oomd -C {file}", "oomd.service")
    assert (host.find()[0].candidates, host.find()[0].problem) == (["a"], None)
    host.add(5, "oomd", f"oomd -C {file} -w /d", "oomd.service")
    assert (host.find()[0].candidates, host.find()[0].problem) == (["a"], "the rules below /d are not read")
    monkeypatch.setattr(discovery, "DEFAULT_FILES", ("/nothing", str(file)))
    host.add(5, "oomd", "oomd", "oomd.service")
    assert host.find()[0].candidates == ["a"]


def test_a_killer_that_ended_meanwhile(host):
    host.units["earlyoom.service"] = unit("earlyoom.service", 77)
    assert host.find()[0].problem is not None


def test_processes_without_a_unit(host, monkeypatch):
    """A name is a claim: only what no user could have started counts."""
    foreign = {7: "it runs as uid 1000", 8: None}

    class Judge:
        def __init__(self, _procfs):
            pass

        def why_foreign(self, directory):
            return foreign[directory.process().pid]

    monkeypatch.setattr(discovery, "Identity", Judge)
    host.add(7, "earlyoom", "earlyoom")
    host.add(8, "kubelet", "kubelet")
    host.names[9] = "kubelet"  # it has ended
    assert [(one.name, one.unit, one.active) for one in host.find()] == [("kubelet", None, True)]
    foreign[7] = None
    assert [one.name for one in host.find()] == ["earlyoom", "kubelet"]
    del host.names[8]
    assert [one.name for one in host.find()] == ["earlyoom"]


def test_a_program_called_machined_is_no_killer(host, monkeypatch):
    """Any service of root may have that name. Talos, whose killer has it, runs no module."""
    monkeypatch.setattr(discovery.Identity, "why_foreign", lambda *_: None)
    host.add(7, "machined", "machined")
    assert host.find() == []


def test_killer_behind_many_processes_of_a_user_with_its_name(host, monkeypatch):
    """They were started earlier, and so have lower numbers."""

    class Judge:
        def __init__(self, _procfs):
            pass

        def why_foreign(self, directory):
            return None if directory.process().pid == 700 else "it runs as uid 1000"

    monkeypatch.setattr(discovery, "Identity", Judge)
    for pid in range(100, 400):
        host.add(pid, "earlyoom", "earlyoom --ignore .*")
    host.add(700, "earlyoom", "earlyoom --sort-by-rss")
    assert [one.configuration.sort_by_rss for one in host.find()] == [True]


def test_process_that_was_judged_is_the_one_that_is_read(host, monkeypatch):
    """Its number may be that of a user's process a moment later."""

    class Judge:
        def __init__(self, _procfs):
            pass

        def why_foreign(self, _directory):
            os.rename(str(host.proc.root / "5"), str(host.proc.root / "5-ended"))
            host.add(5, "earlyoom", "earlyoom --ignore .*")

    monkeypatch.setattr(discovery, "Identity", Judge)
    host.add(5, "earlyoom", "earlyoom --sort-by-rss")
    assert host.find()[0].configuration == EarlyoomArguments(sort_by_rss=True)


def test_every_reader_is_of_a_known_killer():
    assert set(discovery._READERS) <= {known.name for known in KNOWN}


def test_expressions():
    matches = RegexMatcher()
    assert matches("^a", "ab") is True
    assert matches("^b", "ab") is False
    assert matches("(", "ab") is None
    assert matches("a{1,99999999999999999999}", "ab") is None


def test_an_expression_that_takes_hours_ends(monkeypatch):
    """It is tried once, however many services there are."""
    monkeypatch.setattr(discovery, "MATCH_SECONDS", 0.1)
    matches, begun = RegexMatcher(), time.monotonic()
    assert [matches("(((a+)+)+)+$", "a" * 40 + "b") for _service in range(100)] == [None] * 100
    assert time.monotonic() - begun < 5
