# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a killed run of molecule: after the next destroy no guest, port or file is left."""

import contextlib
import json
import os
import signal
import socket
import subprocess

import pytest
from conftest import find_processes, wait_for

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(CHECKOUT, "molecule", "shared")

MOLECULE = {
    "platforms": [{"name": "guest", "suite": "bookworm"}],
    "scenario": {"test_sequence": ["destroy", "create", "converge", "destroy"]},
}
CONVERGE = [
    {
        "name": "Work",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": "Take long", "ansible.builtin.command": "sleep 600"}],
    }
]


class Run:
    """A make vm-killed, which runs an ordinary scenario for as long as a test needs it."""

    def __init__(self, folder):
        self.scenarios = folder
        scenario = folder / "killed"
        scenario.mkdir()
        (folder / "shared").symlink_to(SHARED)
        (scenario / "molecule.yml").write_text(json.dumps(MOLECULE))
        (scenario / "converge.yml").write_text(json.dumps(CONVERGE))
        self.log = folder / "log"
        # Without the variables of the make that runs this test: the inner make must not take its
        # options or ask it for jobs.
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
        }
        with open(self.log, "wb") as log:
            self.make = subprocess.Popen(
                ["make", "vm-killed", f"SCENARIOS={folder}/*/molecule.yml", "CACHE=" + os.environ["OOMGUARD_CACHE"]],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
            )

    def find_molecule(self):
        return next(
            (
                pid
                for pid, arguments in self._list_processes()
                if arguments[1:3] and arguments[1].endswith("/molecule") and arguments[2] == "test"
            ),
            None,
        )

    def find_guest(self):
        return next(
            (
                pid
                for pid, arguments in self._list_processes()
                if os.path.basename(arguments[0]).startswith("qemu-system")
            ),
            None,
        )

    def _list_processes(self):
        return [(pid, os.fsdecode(command).split("\0")) for pid, command in find_processes(self.scenarios)]

    def has_logged(self, text):
        return text in self.log.read_text(errors="replace")


def read_environment(pid):
    with open(f"/proc/{pid}/environ") as stream:
        return dict(entry.split("=", 1) for entry in stream.read().split("\0") if entry)


def find_ports(pid):
    """Return the TCP ports that a process listens on: none if it does not exist, or no longer."""
    folder, opened, sockets = f"/proc/{pid}/fd", [], set()
    with contextlib.suppress(FileNotFoundError):
        opened = os.listdir(folder)
    for fd in opened:
        with contextlib.suppress(FileNotFoundError):  # closed in the meantime
            sockets.add(os.readlink(os.path.join(folder, fd)))
    with open("/proc/net/tcp") as stream:
        rows = [line.split() for line in stream.readlines()[1:]]
    listening = "0A"
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == listening and f"socket:[{row[9]}]" in sockets]


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    yield run
    if run.find_molecule():  # it outlives make
        os.kill(run.find_molecule(), signal.SIGKILL)
    run.make.wait()
    wait_for(lambda: find_processes(tmp_path) == [])  # what molecule started ends soon after it


def list_changed_files():
    """Return git's list of the checkout's changed and new files, without those that make builds."""
    return subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=CHECKOUT, check=True, stdout=subprocess.PIPE
    ).stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["create", "converge"])
def test_destroy_after_killed_run_leaves_nothing(run, moment, number):
    before = list_changed_files()
    wait_for(
        lambda: find_ports(run.find_guest()) and (moment == "create" or run.has_logged("TASK [Take long]")),
        seconds=300,
    )
    (port,) = find_ports(run.find_guest())
    environment = read_environment(run.find_molecule())
    folder = read_environment(run.find_guest())["MOLECULE_EPHEMERAL_DIRECTORY"]

    os.kill(run.find_molecule(), number)
    run.make.wait(timeout=60)
    del environment["LAB_RUN"]  # a command that a person types belongs to no run
    subprocess.run(
        ["molecule", "destroy", "--scenario-name", "killed"], cwd=CHECKOUT, env=environment, check=True, timeout=120
    )

    assert run.find_guest() is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    assert not os.path.exists(os.path.join(folder, "guests"))
    assert list_changed_files() == before
