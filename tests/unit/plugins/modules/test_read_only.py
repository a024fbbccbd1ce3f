# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that report only read: strace shows each system call that could change something.

Ansible itself writes the call to the system log (/dev/log), and the result to the standard output.
"""

import json
import os
import re
import subprocess
import sys

import pytest

# Programs that answer questions about the host.
ASKED = {"systemctl", "journalctl", "dpkg-query"}
_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += ")
_WRITES = re.compile("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
_READING = {"openat", "open", "execve", "readlink", "readlinkat", "getcwd", "access", "faccessat", "faccessat2"}
_READING |= {
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "chdir",
    "fchdir",
    "name_to_handle_at",
    "getxattr",
    "lgetxattr",
}
_READING |= {"listxattr", "llistxattr", "inotify_add_watch", "uselib"}


def changing_calls(trace):
    """Return the calls of a trace that could change a file, in its lines."""
    changing = []
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call and (call.group("name") not in _READING or _WRITES.search(call.group("arguments"))):
            changing.append(line)
    return [line for line in changing if '"/dev/null"' not in line]


def started_programs(trace):
    """Return the names of the programs that the module started."""
    paths = re.findall(r'^\d+ +execve\("([^"]+)".* = 0$', trace, re.MULTILINE)
    return {os.path.basename(path) for path in paths[1:]}


@pytest.mark.parametrize(
    "module, arguments",
    [
        ("oom_info", {}),
        ("oom_info", {"domain": "host", "top": 3}),
        ("oom_events", {}),
        ("oom_events", {"source": "kmsg"}),
    ],
)
def test_nothing_is_written(module, arguments, tmp_path):
    name = "ansible_collections.oomguard.linux.plugins.modules." + module
    command = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "trace",
        "-e",
        "trace=%file,fchmod,fchown,ftruncate,fsetxattr,kill,tgkill",
    ]
    ended = subprocess.run(
        [*command, sys.executable, "-m", name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=os.pathsep.join(sys.path)),
        universal_newlines=True,
        check=False,
    )
    trace = (tmp_path / "trace").read_text(errors="replace")
    assert not json.loads(ended.stdout).get("failed")
    assert changing_calls(trace) == []
    assert started_programs(trace) <= ASKED


@pytest.mark.parametrize(
    "line",
    [
        '7 openat(AT_FDCWD, "/etc/x", O_WRONLY|O_CREAT, 0666) = 3',
        '7 unlink("/etc/x") = 0',
        '7 renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0) = 0',
        "7 kill(1, SIGTERM) = 0",
    ],
)
def test_what_changes_something_is_found(line):
    assert changing_calls(line) == [line]


def test_a_program_that_the_module_started_is_found():
    trace = '7 execve("/usr/bin/python3", ["python3"], 0x1) = 0\n8 execve("/usr/bin/choom", ["choom"], 0x1) = 0\n'
    assert started_programs(trace) == {"choom"}
