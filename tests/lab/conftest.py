# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the lab share: the guests' image, a search for processes, a bounded wait."""

import os
import pathlib
import time

import images
import pytest


@pytest.fixture(scope="session", autouse=True)
def image():
    """Build the image of every guest here before a test starts to wait for one."""
    return images.make_machine("bookworm")


def find_processes(folder):
    """Return (pid, command line) of every process that names the folder.

    It may do so in its command line or its environment. QEMU is among them.
    """
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = pathlib.Path("/proc", pid, "cmdline").read_bytes()
            environment = pathlib.Path("/proc", pid, "environ").read_bytes()
        except OSError:
            continue
        if int(pid) != os.getpid() and command and os.fsencode(str(folder)) in command + environment:
            found.append((int(pid), command))
    return found


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not become true within {seconds} s"
        time.sleep(0.05)
