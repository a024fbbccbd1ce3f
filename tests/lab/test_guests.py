# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test guests when things go wrong: what is left behind, and the messages."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import guests
import monitor
import pytest
from conftest import find_processes, wait_for

GUESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../molecule/shared/guests.py")
PLATFORM = {"name": "guest", "suite": "bookworm"}


@pytest.fixture
def folder(tmp_path):
    """Return a run's folder. After the test no process of it may be left."""
    yield tmp_path / "run"
    assert find_processes(tmp_path) == []


def start_create(folder, run=None, platform=None, **environment):
    """Start guests.py up for one guest, as molecule create does, and return its Popen."""
    command = [
        sys.executable,
        GUESTS,
        "up",
        str(folder),
        str(folder / "instance_config.yml"),
        json.dumps([dict(PLATFORM, **platform or {})]),
    ]
    environment = dict(os.environ, LAB_RUN=str(run.pid) if run else "", **environment)
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def destroy(folder):
    subprocess.run([sys.executable, GUESTS, "down", str(folder)], check=True, timeout=60)
    assert not (folder / "guests").exists()


def has_qemu_started(folder):
    return (folder / "guests" / "guest" / "qmp.sock").exists()


@pytest.fixture
def run():
    """Return a process that stands for a run, whose guests end with it."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


# --- guests that end early -------------------------------------------------------------


def test_terminated_create_ends_its_guests(folder):
    creating = start_create(folder)
    wait_for(lambda: has_qemu_started(folder))
    creating.terminate()
    creating.communicate(timeout=60)
    assert creating.returncode == 128 + signal.SIGTERM
    assert not (folder / "guests").exists()


def test_destroy_ends_guests_of_killed_create(folder):
    creating = start_create(folder)
    wait_for(lambda: has_qemu_started(folder))
    creating.kill()
    creating.communicate()
    assert find_processes(folder)
    destroy(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_guests_end_with_the_run_during_create(folder, run, number):
    creating = start_create(folder, run)
    wait_for(lambda: has_qemu_started(folder))
    run.send_signal(number)
    run.wait()
    wait_for(lambda: find_processes(folder) == [])
    assert creating.wait(timeout=60) != 0
    destroy(folder)


def test_guests_end_with_the_run_after_create(folder, run):
    creating = start_create(folder, run)
    output = creating.communicate(timeout=600)
    assert creating.returncode == 0, output
    port = json.loads((folder / "instance_config.yml").read_text())[0]["port"]
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    run.kill()
    run.wait()
    wait_for(lambda: find_processes(folder) == [])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    destroy(folder)


def test_guest_ends_with_its_guard(folder):
    console = os.path.join(os.environ["OOMGUARD_CACHE"], "consoles", "run.guest.log")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(console)  # left by another run
    creating = start_create(folder, platform={"cmdline": f"of={folder}"})  # no state of such a guest is saved
    wait_for(lambda: has_qemu_started(folder) and os.path.exists(console) and os.path.getsize(console))
    guard = next(pid for pid, command in find_processes(folder) if b"guard.py\0" in command)
    os.kill(guard, signal.SIGKILL)
    _output, message = creating.communicate(timeout=60)
    assert creating.returncode == 1
    assert "the guest guest ended while it booted: " in message and f" Last lines of {console}:" in message


def test_destroy_without_guests_succeeds(folder):
    destroy(folder)


SLOW_DESTROY = """
import shutil, sys, time
sys.path.insert(0, sys.argv[1])
import guests
remove = shutil.rmtree
shutil.rmtree = lambda folder: (open(folder + "/removing", "w"), time.sleep(3), remove(folder))
guests.down(sys.argv[2])
"""


def test_parallel_destroys_do_not_end_each_other(folder):
    (folder / "guests" / "guest").mkdir(parents=True)
    slow = subprocess.Popen([sys.executable, "-c", SLOW_DESTROY, os.path.dirname(GUESTS), str(folder)])
    wait_for((folder / "guests" / "guest" / "removing").exists)
    destroy(folder)
    assert slow.wait(timeout=60) == 0


# --- saved states ----------------------------------------------------------------------


def run_in_guest(folder, command):
    """Return the output of a command that root runs in the guest."""
    guest = json.loads((folder / "instance_config.yml").read_text())[0]
    options = [word for option in guests.SSH_OPTIONS for word in ("-o", option)]
    login = ["ssh", *options, "-i", guest["identity_file"], "-p", str(guest["port"]), "root@" + guest["address"]]
    return subprocess.run([*login, command], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


@pytest.fixture
def no_states(tmp_path):
    """Return a cache that has the images, but no states."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for kind in ("images", "accelerators"):
        (cache / kind).symlink_to(os.path.join(os.environ["OOMGUARD_CACHE"], kind))
    return cache


def test_guest_resumes_from_the_state_of_its_kind(folder, no_states):
    boot_ids = []
    for _time in range(2):
        creating = start_create(folder, OOMGUARD_CACHE=str(no_states))
        output = creating.communicate(timeout=600)
        assert creating.returncode == 0, output
        # mkdir fails if one guest finds what another has written.
        boot_ids.append(run_in_guest(folder, "mkdir /written && sync && cat /proc/sys/kernel/random/boot_id"))
        assert abs(int(run_in_guest(folder, "date +%s")) - time.time()) < 10  # a login takes seconds
        destroy(folder)
    assert boot_ids[0] == boot_ids[1]

    (state,) = (path for path in (no_states / "states").iterdir() if path.is_dir())
    os.truncate(state / "memory", 1 << 20)
    creating = start_create(folder, OOMGUARD_CACHE=str(no_states))
    _output, message = creating.communicate(timeout=60)
    assert creating.returncode == 1
    assert f" from the saved state {state} (remove it to let the guest boot): " in message


def test_guest_is_stopped_while_its_state_is_saved(folder, tmp_path):
    """From a guest that kept running, QEMU 7.2 saved a timer tree with a cycle in it.

    After the guest had resumed, one of its processors followed that cycle for ever.
    """

    def count_ticks():
        with open(os.path.join(os.environ["OOMGUARD_CACHE"], "consoles", folder.name + ".guest.log"), "rb") as console:
            return console.read().count(b"tick")

    def read_slowly():
        time.sleep(2)
        counts.append(count_ticks())
        time.sleep(2)
        counts.append(count_ticks())
        memory.read_bytes()

    assert start_create(folder).wait(timeout=600) == 0
    run_in_guest(folder, "(while :; do echo tick > /dev/ttyS0; sleep 0.02; done) > /dev/null 2>&1 &")
    wait_for(count_ticks)
    memory, counts = tmp_path / "memory", []
    os.mkfifo(memory)
    reader = threading.Thread(target=read_slowly)
    reader.start()
    monitor.save_state(str(folder / "guests" / "guest"), str(memory), lambda: counts.append(count_ticks()))
    reader.join()
    wait_for(lambda: count_ticks() > counts[0])  # it runs again
    destroy(folder)
    assert counts[0] == counts[1] == counts[2]


# --- messages --------------------------------------------------------------------------


def test_show_console_of_guest_that_never_boots(folder):
    creating = start_create(folder, platform={"cmdline": "rdinit=/nonexistent"}, LAB_BOOT_SECONDS="30")
    _output, message = creating.communicate(timeout=120)
    assert creating.returncode == 1
    assert "root could not log in to the guest guest within 30 s (LAB_BOOT_SECONDS). Last lines of" in message
    assert "Kernel panic" in message
    assert "Traceback" not in message
    assert not (folder / "guests").exists()


def test_show_why_qemu_does_not_start(folder):
    creating = start_create(folder, platform={"memory": "much"})
    _output, message = creating.communicate(timeout=120)
    assert creating.returncode == 1
    assert "QEMU did not start the guest guest:" in message and "much" in message


def test_show_why_image_cannot_be_built(folder, tmp_path):
    creating = start_create(folder, platform={"suite": "nosuch"}, OOMGUARD_CACHE=str(tmp_path / "cache"))
    _output, message = creating.communicate(timeout=300)
    assert creating.returncode == 1
    assert "the image of nosuch cannot be built in" in message
    assert "mmdebstrap failed with" in message and "nosuch Release" in message
    assert "Traceback" not in message
    assert [name for name in os.listdir(tmp_path / "cache" / "images") if not name.endswith(".lock")] == []


def test_name_package_of_missing_program(folder):
    creating = start_create(folder, PATH="/nonexistent")
    _output, message = creating.communicate(timeout=60)
    assert creating.returncode == 1
    assert message == (
        "qemu-system-x86_64 is missing: install the Debian package qemu-system-x86, "
        "or run make as root, which installs it\n"
    )


def test_report_full_disk_before_build(folder, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small], check=True)
    try:
        creating = start_create(folder, OOMGUARD_CACHE=str(small))
        _output, message = creating.communicate(timeout=60)
        left = os.listdir(small / "images")
    finally:
        subprocess.run(["umount", small], check=True)
    assert creating.returncode == 1
    assert (
        f"the image of bookworm cannot be built in {small}/images: "
        "it takes 6144 MiB, and 20 MiB are free: make room, or set CACHE= to another folder"
    ) in message
    assert [name for name in left if not name.endswith(".lock")] == []
