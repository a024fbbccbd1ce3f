# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared by the tests of the lab: what runs, and how long to wait for it."""

import os
import time

import images
import pytest


@pytest.fixture(scope="session", autouse=True)
def image():
    """Of every guest here. It is built before anything is waited for."""
    return images.machine("bookworm")


def processes_of(folder):
    """Pid and command line of every process whose command line or environment names this folder, QEMU's too."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline", "rb").read()
            environment = open(f"/proc/{pid}/environ", "rb").read()
        except OSError:
            continue
        if int(pid) != os.getpid() and command and os.fsencode(str(folder)) in command + environment:
            found.append((int(pid), command))
    return found


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"this did not come about within {seconds} s"
        time.sleep(0.05)
