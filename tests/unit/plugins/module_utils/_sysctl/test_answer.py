# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of a module: escaped text, and a sentence when memory runs out."""

import json
import os
import resource

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import answer as answer_of_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import apply
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import MODE, RATIO
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import CHANGED, CHANGING, NOTHING_CHANGED
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import run_sysctls

WANTED = dict(mode="never", ratio=90, admin_reserve_kbytes=131072)


@pytest.fixture
def run_overcommit(sysctl_tree, run_module, monkeypatch):
    """Run the module on the tree, without a proof."""
    sysctl_tree.write("/proc/meminfo", "MemTotal: 500000 kB\nSwapTotal: 1000 kB\nCommitted_AS: 200000 kB\n")
    monkeypatch.setattr(answer_of_sysctls, "Host", lambda: sysctl_tree.host)
    monkeypatch.setattr(apply, "prove_new_process", lambda _user: None)
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
    warnings = []

    def run(**options):
        del warnings[:]
        return dict(run_module("overcommit", **options), warnings=warnings)

    return run


def test_answer_is_escaped(sysctl_tree, run_overcommit):
    """A file's name, its text and its values may be another user's."""
    name = "/etc/sysctl.d/99-\x1b[2J\n.conf"
    sysctl_tree.write(name, f"{MODE} = \x1b]0;x\x07\u2028{'y' * 500}\n")
    answer = run_overcommit(mode="never", ratio=90, admin_reserve_kbytes=131072)
    assert answer["boot_value_from"][MODE] == "/etc/sysctl.d/99-\\x1b[2J\\x0a.conf line 1"
    assert answer["warnings"] == [
        f"{MODE} will not be 2 after the next boot: /etc/sysctl.d/99-\\x1b[2J\\x0a.conf line 1 sets it to"
        f" \\x1b]0;x\\x07\\u2028{'y' * 53}..., which the kernel refuses, so it stays 0;"
        " change /etc/sysctl.d/99-\\x1b[2J\\x0a.conf line 1, or set file to a name that sorts later"
    ]


def test_check_fails_with_the_same_sentence_as_the_run(sysctl_tree, run_overcommit):
    sysctl_tree.write("/.dockerenv", "")
    run = run_overcommit(**WANTED)
    check = run_overcommit(check_mode=True, **WANTED)
    assert run["failed"] and check["failed"]
    assert run["msg"].startswith("this is a container (/.dockerenv)")
    assert check["msg"] == f"would fail: {run['msg']}"


def test_failure_is_escaped(sysctl_tree, run_overcommit):
    sysctl_tree.write("/proc/sys/vm/overcommit_ratio", "\x1b[2J\r\n")
    assert run_overcommit(**WANTED)["msg"].isprintable()


@pytest.mark.parametrize(
    "where, end",
    [
        ("plan_sysctls", NOTHING_CHANGED),
        ("read_and_plan", NOTHING_CHANGED),
    ],
)
def test_no_memory_to_plan(sysctl_tree, run_overcommit, monkeypatch, where, end):
    def fail(*_words):
        raise MemoryError

    monkeypatch.setattr(f"{run_sysctls.__module__}.{where}", fail)
    assert run_overcommit(**WANTED)["msg"] == (f"this module ran out of memory; {end}; free memory, then run it again")
    assert sysctl_tree.get(MODE) == {MODE: 0}


def test_no_memory_to_change(sysctl_tree, run_overcommit, monkeypatch):
    def fail(*_words):
        raise MemoryError

    monkeypatch.setattr(apply, "_find_differences", fail)
    assert (
        "this module ran out of memory; this could not be restored: this module ran" in run_overcommit(**WANTED)["msg"]
    )
    monkeypatch.setattr(apply, "_describe", fail)
    assert CHANGING in run_overcommit(**WANTED)["msg"]
    assert sysctl_tree.get(MODE) == {MODE: 0}


def test_no_memory_to_report(sysctl_tree, run_overcommit, monkeypatch):
    def fail(*_words):
        raise MemoryError

    monkeypatch.setattr("ansible_collections.oomguard.linux.plugins.module_utils._sysctl.answer.sysctl_results", fail)
    assert CHANGED in run_overcommit(**WANTED)["msg"]
    assert sysctl_tree.get(MODE) == {MODE: 2}


def test_no_memory_for_the_helper(sysctl_tree, run_overcommit, monkeypatch):
    def fail():
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(os, "fork", fail)
    answer = run_overcommit(**WANTED)
    assert answer["msg"].startswith("nothing was changed: the rollback helper cannot be started")
    assert "Cannot allocate memory" in answer["msg"]


@pytest.mark.parametrize("spare_kb", [512, 1024, 2048, 3072, 4096, 8192])
def test_a_sentence_wherever_the_address_space_ends(sysctl_tree, run_overcommit, spare_kb):
    """Real lack of memory, in a child: the answer is JSON, and it says what the host is like."""
    before = sysctl_tree.get(MODE, RATIO)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 9
        try:
            with open("/proc/self/statm") as stream:
                size = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (size + spare_kb * 1024,) * 2)
            answer = run_overcommit(**WANTED)
            os.write(write, json.dumps([answer.get("failed", False), answer.get("msg", "")]).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with open(read, "rb") as stream:
        text = stream.read()
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 0
    failed, msg = json.loads(text.decode())
    assert not failed or "memory" in msg
    assert sysctl_tree.get(MODE, RATIO) == (before if failed else {MODE: 2, RATIO: 90})


def test_error_of_a_reader_is_the_message(run_overcommit, monkeypatch):
    def fail(*_words):
        raise OomError("no\x1b")

    monkeypatch.setattr(answer_of_sysctls, "run_sysctls", fail)
    assert run_overcommit(**WANTED)["msg"] == "no\\x1b"
