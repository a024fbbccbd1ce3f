# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of molecule that is killed: after the next destroy no guest, no port and no file is left."""

import contextlib
import json
import os
import signal
import socket
import subprocess

import pytest
from conftest import processes_of, wait_for

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
    """One make vm-killed: a scenario of the usual kind that takes as long as we like."""

    def __init__(self, folder):
        self.scenarios = folder
        scenario = folder / "killed"
        scenario.mkdir()
        (folder / "shared").symlink_to(SHARED)
        (scenario / "molecule.yml").write_text(json.dumps(MOLECULE))
        (scenario / "converge.yml").write_text(json.dumps(CONVERGE))
        self.log = folder / "log"
        # Of the make that runs us: it is not to be asked for more jobs, nor told what to do.
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

    def molecule(self):
        return next(
            (
                pid
                for pid, words in self._processes()
                if words[1:3] and words[1].endswith("/molecule") and words[2] == "test"
            ),
            None,
        )

    def guest(self):
        return next(
            (pid for pid, words in self._processes() if os.path.basename(words[0]).startswith("qemu-system")), None
        )

    def _processes(self):
        return [(pid, os.fsdecode(command).split("\0")) for pid, command in processes_of(self.scenarios)]

    def said(self, words):
        return words in self.log.read_text(errors="replace")


def environment_of(pid):
    with open(f"/proc/{pid}/environ") as stream:
        return dict(entry.split("=", 1) for entry in stream.read().split("\0") if entry)


def ports_of(pid):
    """TCP ports that this process listens on; of one that is not there, or no longer, none."""
    folder, opened, sockets = f"/proc/{pid}/fd", [], set()
    with contextlib.suppress(FileNotFoundError):
        opened = os.listdir(folder)
    for fd in opened:
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(os.readlink(os.path.join(folder, fd)))
    with open("/proc/net/tcp") as stream:
        rows = [line.split() for line in stream.readlines()[1:]]
    listening = "0A"
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == listening and f"socket:[{row[9]}]" in sockets]


@pytest.fixture
def run(tmp_path):
    one = Run(tmp_path)
    yield one
    if one.molecule():  # it outlives make
        os.kill(one.molecule(), signal.SIGKILL)
    one.make.wait()
    wait_for(lambda: processes_of(tmp_path) == [])  # what molecule had started ends when it notices


def checkout():
    """Every file of the checkout but those that make builds."""
    return subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=CHECKOUT, check=True, stdout=subprocess.PIPE
    ).stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["create", "converge"])
def test_a_run_that_is_killed_leaves_nothing_after_the_next_destroy(run, moment, number):
    before = checkout()
    wait_for(lambda: ports_of(run.guest()) and (moment == "create" or run.said("TASK [Take long]")), seconds=300)
    (port,) = ports_of(run.guest())
    environment = environment_of(run.molecule())
    folder = environment_of(run.guest())["MOLECULE_EPHEMERAL_DIRECTORY"]

    os.kill(run.molecule(), number)
    run.make.wait(timeout=60)
    del environment["LAB_RUN"]  # what a person types belongs to no run
    subprocess.run(
        ["molecule", "destroy", "--scenario-name", "killed"], cwd=CHECKOUT, env=environment, check=True, timeout=120
    )

    assert run.guest() is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    assert not os.path.exists(os.path.join(folder, "guests"))
    assert checkout() == before
