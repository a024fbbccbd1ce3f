# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where oom_verify would fail, its check fails with the same sentence. Nothing is killed here.

Each test runs the playbook on this machine with ansible-playbook, as a check and for real.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COLLECTION = Path(__file__).resolve().parents[2]
# The variable runs these tests with another ansible-core.
ANSIBLE_PLAYBOOK = os.environ.get("OOMGUARD_ANSIBLE_PLAYBOOK") or str(
    Path(sys.executable).with_name("ansible-playbook")
)
# Everything that Ansible and the role start on a host, without a C compiler.
TOOLS = ("sh", "uname", "cat", "readlink", "env", "id", "chmod", "rm", "mkdir", "ls", "sleep", "echo", "mv", "stat")


def verify(folder, *arguments, prefix=(), **environment):
    """Run the playbook and return its output in one line, and its exit code."""
    link = folder / "ansible_collections" / "oomguard" / "linux"
    if not link.exists():
        link.parent.mkdir(parents=True)
        link.symlink_to(COLLECTION)
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    usual.update(ANSIBLE_COLLECTIONS_PATH=str(folder), ANSIBLE_HOME=str(folder / "home"), ANSIBLE_NOCOLOR="1")
    command = [*prefix, ANSIBLE_PLAYBOOK, "--inventory", "localhost,", "oomguard.linux.verify"]
    for variable in (
        "ansible_connection=local",
        "ansible_become=false",
        f"ansible_python_interpreter={sys.executable}",
        f"oom_verify_evidence_dir={folder}/evidence",
        "oom_verify_manager=cgroupfs",
        *arguments,
    ):
        command += [variable] if variable.startswith("--") else ["--extra-vars", variable]
    finished = subprocess.run(
        command,
        cwd=folder,
        env={**usual, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return finished.stdout, finished.returncode


def sentences(output):
    """Return the messages of failed tasks, without the playbook's last word, which repeats one."""
    messages = re.findall(r'^fatal: .*?"msg": "(.*?)"[,}]', output, re.MULTILINE)
    return [message for message in messages if not re.match("(failed|would_fail): ", message)]


CASES = {
    "no consent": (["oom_verify_scope=host"], "set oom_verify_allow_disruption=true to allow that"),
    "no program": (["oom_verify_hog_path=/nonexistent"], "hog=/nonexistent is not a file"),
    "a sysctl that is not set": (
        ["oom_verify_scope=overcommit", "oom_verify_allow_disruption=true", "oom_verify_hog_path=/bin/true"],
        "vm.overcommit_memory is [01]: the kernel would kill a process instead of refusing memory",
    ),
}


@pytest.mark.parametrize("arguments, words", CASES.values(), ids=list(CASES))
def test_check_fails_as_the_run_does(tmp_path, arguments, words):
    checked, checked_code = verify(tmp_path, "--check", *arguments)
    ran, code = verify(tmp_path, *arguments)
    [would_fail], [fails] = sentences(checked), sentences(ran)
    assert (checked_code != 0, code != 0) == (True, True)
    assert re.search(words, fails), fails
    assert would_fail == f"would fail: {fails}"
    assert not (tmp_path / "evidence").exists()


CONTAINER = {
    "cgroup": "would fail: this container has a pid namespace of its own, and the kernel log names victims by the pids"
    " of the host: run the trial on the host itself, or start the container with --pid=host",
    "panic": "would fail: localhost: it is a container, which cannot panic and reboot:"
    " run the trial on the host itself",
}


@pytest.mark.parametrize("scope", list(CONTAINER))
def test_check_in_a_container(tmp_path, scope):
    container = ["unshare", "--pid", "--fork", "--mount-proc"]
    arguments = [f"oom_verify_scope={scope}", "oom_verify_allow_disruption=true"]
    output, code = verify(tmp_path, "--check", *arguments, prefix=container)
    assert code != 0
    assert sentences(output) == [CONTAINER[scope]]


def test_check_without_a_compiler_anywhere(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))
    checked, _code = verify(tmp_path, "--check", PATH=str(tools))
    ran, _code = verify(tmp_path, PATH=str(tools))
    [would_fail], [fails] = sentences(checked), sentences(ran)
    assert would_fail == f"would fail: {fails}"
    assert re.match(r"localhost could not compile oom_hog.c \(.*cc: .*not found", fails)
    assert fails.endswith(
        ", and the controller could not, either (it has no C compiler): install a C compiler on one of them, or set"
        " oom_verify_hog_path to a built oom_hog"
    )


def test_check_that_passes_leaves_nothing(tmp_path):
    output, code = verify(tmp_path, "--check", "--diff")
    assert code == 0, output
    assert sentences(output) == []
    assert "+++" not in output and "oom_hog: allocate memory" not in output  # no diff of the C source
    assert not (tmp_path / "evidence").exists()
