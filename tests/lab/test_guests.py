# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests of the molecule scenarios when things go wrong: what stays behind, and what one is told."""

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
from conftest import processes_of, wait_for

GUESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../molecule/shared/guests.py")
PLATFORM = {"name": "guest", "suite": "bookworm"}


@pytest.fixture
def folder(tmp_path):
    """A run's folder; whatever a test does, nothing of it may run afterwards."""
    yield tmp_path / "run"
    assert processes_of(tmp_path) == []


def start(folder, run=None, platform=None, **environment):
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


def down(folder):
    subprocess.run([sys.executable, GUESTS, "down", str(folder)], check=True, timeout=60)
    assert not (folder / "guests").exists()


def boots(folder):
    return (folder / "guests" / "guest" / "qmp.sock").exists()


@pytest.fixture
def run():
    """What a test run is to its guests: a process that lives as long as it."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


# --- ended before their time -----------------------------------------------------------


def test_a_create_that_is_told_to_end_ends_its_guests(folder):
    creating = start(folder)
    wait_for(lambda: boots(folder))
    creating.terminate()
    creating.communicate(timeout=60)
    assert creating.returncode == 128 + signal.SIGTERM
    assert not (folder / "guests").exists()


def test_guests_of_a_create_that_was_killed_are_ended_by_the_next_destroy(folder):
    creating = start(folder)
    wait_for(lambda: boots(folder))
    creating.kill()
    creating.communicate()
    assert processes_of(folder)
    down(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_guests_end_with_the_run_however_it_ends(folder, run, number):
    creating = start(folder, run)
    wait_for(lambda: boots(folder))
    run.send_signal(number)
    run.wait()
    wait_for(lambda: processes_of(folder) == [])
    assert creating.wait(timeout=60) != 0
    down(folder)


def test_guests_end_with_the_run_when_create_is_long_over(folder, run):
    creating = start(folder, run)
    said = creating.communicate(timeout=600)
    assert creating.returncode == 0, said
    port = json.loads((folder / "instance_config.yml").read_text())[0]["port"]
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    run.kill()
    run.wait()
    wait_for(lambda: processes_of(folder) == [])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    down(folder)


def test_a_guest_ends_with_its_guard(folder):
    console = os.path.join(os.environ["OOMGUARD_CACHE"], "consoles", "run.guest.log")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(console)  # of another run
    creating = start(folder, platform={"cmdline": f"of={folder}"})  # of a kind that no state is kept of
    wait_for(lambda: boots(folder) and os.path.exists(console) and os.path.getsize(console))
    guard = next(pid for pid, command in processes_of(folder) if b"guard.py\0" in command)
    os.kill(guard, signal.SIGKILL)
    _said, complaint = creating.communicate(timeout=60)
    assert creating.returncode == 1
    assert "the guest guest ended while it booted: " in complaint and f" Last lines of {console}:" in complaint


def test_a_destroy_without_guests_is_none(folder):
    down(folder)


SLOW_DESTROY = """
import shutil, sys, time
sys.path.insert(0, sys.argv[1])
import guests
remove = shutil.rmtree
shutil.rmtree = lambda folder: (open(folder + "/removing", "w"), time.sleep(3), remove(folder))
guests.down(sys.argv[2])
"""


def test_of_two_that_destroy_neither_ends_the_other(folder):
    (folder / "guests" / "guest").mkdir(parents=True)
    slow = subprocess.Popen([sys.executable, "-c", SLOW_DESTROY, os.path.dirname(GUESTS), str(folder)])
    wait_for((folder / "guests" / "guest" / "removing").exists)
    down(folder)
    assert slow.wait(timeout=60) == 0


# --- kept states -----------------------------------------------------------------------


def seen_in(folder, command):
    """What a command in the guest says."""
    guest = json.loads((folder / "instance_config.yml").read_text())[0]
    options = [word for option in guests.SSH_OPTIONS for word in ("-o", option)]
    login = ["ssh", *options, "-i", guest["identity_file"], "-p", str(guest["port"]), "root@" + guest["address"]]
    return subprocess.run([*login, command], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


@pytest.fixture
def no_states(tmp_path):
    """A cache that has the images, but no state."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for kind in ("images", "accelerators"):
        (cache / kind).symlink_to(os.path.join(os.environ["OOMGUARD_CACHE"], kind))
    return cache


def test_a_guest_goes_on_where_one_of_its_kind_had_booted(folder, no_states):
    boots_seen = []
    for _time in range(2):
        creating = start(folder, OOMGUARD_CACHE=str(no_states))
        said = creating.communicate(timeout=600)
        assert creating.returncode == 0, said
        # What one writes the next does not find.
        boots_seen.append(seen_in(folder, "mkdir /written && sync && cat /proc/sys/kernel/random/boot_id"))
        assert abs(int(seen_in(folder, "date +%s")) - time.time()) < 10  # a login takes seconds
        down(folder)
    assert boots_seen[0] == boots_seen[1]

    (state,) = (path for path in (no_states / "states").iterdir() if path.is_dir())
    os.truncate(state / "memory", 1 << 20)
    creating = start(folder, OOMGUARD_CACHE=str(no_states))
    _said, complaint = creating.communicate(timeout=60)
    assert creating.returncode == 1
    assert f" from {state}, without which it boots: " in complaint


def test_a_guest_stands_still_while_its_state_is_kept(folder, tmp_path):
    """Of one that goes on meanwhile QEMU 7.2 kept a timer tree with a cycle in it, in which a processor then went round for ever."""

    def ticks():
        with open(os.path.join(os.environ["OOMGUARD_CACHE"], "consoles", folder.name + ".guest.log"), "rb") as console:
            return console.read().count(b"tick")

    def read_slowly():
        time.sleep(2)
        seen.append(ticks())
        time.sleep(2)
        seen.append(ticks())
        memory.read_bytes()

    assert start(folder).wait(timeout=600) == 0
    seen_in(folder, "(while :; do echo tick > /dev/ttyS0; sleep 0.02; done) > /dev/null 2>&1 &")
    wait_for(ticks)
    memory, seen = tmp_path / "memory", []
    os.mkfifo(memory)
    reader = threading.Thread(target=read_slowly)
    reader.start()
    monitor.save(str(folder / "guests" / "guest"), str(memory), lambda: seen.append(ticks()))
    reader.join()
    wait_for(lambda: ticks() > seen[0])  # it goes on
    down(folder)
    assert seen[0] == seen[1] == seen[2]


# --- what one is told ------------------------------------------------------------------


def test_a_guest_that_never_boots_shows_its_console(folder):
    creating = start(folder, platform={"cmdline": "rdinit=/nonexistent"}, LAB_BOOT_SECONDS="30")
    _said, complaint = creating.communicate(timeout=120)
    assert creating.returncode == 1
    assert "the guest guest did not let us in within 30 s. Last lines of" in complaint
    assert "Kernel panic" in complaint
    assert "Traceback" not in complaint
    assert not (folder / "guests").exists()


def test_qemu_that_does_not_start_says_why(folder):
    creating = start(folder, platform={"memory": "much"})
    _said, complaint = creating.communicate(timeout=120)
    assert creating.returncode == 1
    assert "QEMU did not start guest:" in complaint and "much" in complaint


def test_an_image_that_cannot_be_built_shows_the_last_words(folder, tmp_path):
    creating = start(folder, platform={"suite": "nosuch"}, OOMGUARD_CACHE=str(tmp_path / "cache"))
    _said, complaint = creating.communicate(timeout=300)
    assert creating.returncode == 1
    assert "the image of nosuch cannot be built in" in complaint
    assert "mmdebstrap failed with" in complaint and "nosuch Release" in complaint
    assert "Traceback" not in complaint
    assert [name for name in os.listdir(tmp_path / "cache" / "images") if not name.endswith(".lock")] == []


def test_a_missing_program_is_named_with_its_package(folder):
    creating = start(folder, PATH="/nonexistent")
    _said, complaint = creating.communicate(timeout=60)
    assert creating.returncode == 1
    assert (
        complaint
        == "qemu-system-x86_64 is missing: install the Debian package qemu-system-x86, or run make as root, which installs it\n"
    )


def test_a_full_disk_is_told_before_anything_is_built(folder, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small], check=True)
    try:
        creating = start(folder, OOMGUARD_CACHE=str(small))
        _said, complaint = creating.communicate(timeout=60)
        left = os.listdir(small / "images")
    finally:
        subprocess.run(["umount", small], check=True)
    assert creating.returncode == 1
    assert (
        f"the image of bookworm cannot be built in {small}/images: that takes 6144 MiB, and 20 are free: make room"
        in complaint
    )
    assert [name for name in left if not name.endswith(".lock")] == []
