# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU guests for molecule's default driver: up, down, and a guard for each.

A guest has a folder of its own in the run's folder. Its guard, the parent of
QEMU, holds a lock in there, so that the kernel itself tells who must be ended:
no pid is ever remembered. A guest ends with its guard, and the guard ends with
the run that LAB_RUN names, if it names one.
"""

import argparse
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import images
from images import LabError

BOOT_SECONDS = 600  # the newest kernel took 150 under emulation, with a busy neighbour more
ADDRESS = "127.0.0.1"

# qemu64 without cx16: with it Linux 6.12 crashes under the emulation of QEMU 7.2.
ACCELERATORS = {"kvm": ["-accel", "kvm", "-cpu", "host"], "tcg": ["-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16"]}

SSH_OPTIONS = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "ConnectTimeout=10", "LogLevel=ERROR")


class Guest:
    """One guest: its platform as molecule.yml has it, and its folder."""

    def __init__(self, run_folder, platform):
        self.name = platform["name"]
        self.platform = platform
        self.folder = os.path.join(run_folder, "guests", self.name)
        # Not in the folder, which goes away with the guest: this is what tells afterwards why something failed.
        self.console = os.path.join(images.cache(), "consoles", "{0}.{1}.log".format(os.path.basename(run_folder), self.name))

    def boot(self, accelerator):
        """Start the guard, which starts QEMU; returns once the guest's port is known."""
        os.makedirs(os.path.dirname(self.console), exist_ok=True)
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "qemu.log"), "wb") as log:
            subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "guard", self.folder, "--", *self._command(accelerator)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError, ValueError, IndexError):
                self.port = _forwarded_port(self.folder)
                return
            if time.monotonic() > deadline:
                with open(os.path.join(self.folder, "qemu.log"), errors="replace") as log:
                    raise LabError("QEMU did not start {0}: {1}".format(self.name, log.read().strip() or "it says nothing"))
            time.sleep(0.1)

    def _command(self, accelerator):
        image = self.platform["image"]
        kernel_arguments = "root=/dev/vda rw console=ttyS0 " + self.platform.get("cmdline", "")
        return [
            images.program("qemu-system-x86_64", "qemu-system-x86"),
            *ACCELERATORS[accelerator],
            "-name", self.name,
            "-m", str(self.platform.get("memory", 512)),
            "-smp", str(self.platform.get("cpus", 2)),
            "-display", "none",
            "-serial", "file:" + self.console,
            "-kernel", os.path.join(image, "vmlinuz"),
            "-initrd", os.path.join(image, "initrd"),
            "-append", kernel_arguments.strip(),
            # What is written goes to a file without a name, in the guest's folder (TMPDIR): the image stays as it is.
            "-drive", "file={0},format=raw,if=virtio,snapshot=on,werror=report".format(os.path.join(image, "root.img")),
            "-nic", "user,model=virtio,hostfwd=tcp:{0}:0-:22".format(ADDRESS),
            "-qmp", "unix:qmp.sock,server=on,wait=off",
        ]

    def wait(self, deadline):
        """Until root can log in, which is later than the port answers."""
        while True:
            if not _guard_of(self.folder):
                raise LabError("the guest {0} ended while it booted.{1}".format(self.name, self.last_words()))
            if self._ssh("true"):
                return
            if time.monotonic() > deadline:
                raise LabError("the guest {0} did not let us in within {1} s.{2}".format(self.name, _boot_seconds(), self.last_words()))
            time.sleep(1)

    def _ssh(self, command):
        options = [word for option in SSH_OPTIONS for word in ("-o", option)]
        login = [images.program("ssh", "openssh-client"), *options, "-i", self.key, "-p", str(self.port), "root@" + ADDRESS, command]
        with contextlib.suppress(subprocess.TimeoutExpired):
            return subprocess.run(login, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode == 0
        return False

    @property
    def key(self):
        return os.path.join(self.platform["image"], "key")

    def last_words(self):
        try:
            with open(self.console, errors="replace") as console:
                lines = [line.rstrip() for line in console if line.strip()]
        except OSError:
            lines = []
        return " Last lines of {0}:\n{1}".format(self.console, "\n".join(lines[-15:]) or "(nothing)")

    def instance_config(self):
        """What molecule and its inventory need to reach the guest."""
        return {"instance": self.name, "address": ADDRESS, "port": self.port, "user": "root", "identity_file": self.key}


# --- up ----------------------------------------------------------------------------


def up(run_folder, instance_config, platforms):
    """Build what is not cached, boot all guests at once, wait for each. All of them or none."""
    _end_with_run()
    down(run_folder)
    guests = [Guest(run_folder, platform) for platform in platforms]
    try:
        for platform in platforms:
            platform["image"] = images.machine(platform["suite"], platform.get("packages", ()))
        accelerator = "kvm" if _kvm_starts_a_guest(platforms[0]["image"]) else "tcg"
        for guest in guests:
            guest.boot(accelerator)
        with open(instance_config, "w") as stream:
            json.dump([guest.instance_config() for guest in guests], stream, indent=2)  # JSON is YAML
        deadline = time.monotonic() + _boot_seconds()
        for guest in guests:
            guest.wait(deadline)
    except BaseException:
        down(run_folder)
        raise


def _boot_seconds():
    return int(os.environ.get("LAB_BOOT_SECONDS") or BOOT_SECONDS)


def _kvm_starts_a_guest(image):
    """Tried, as the device may be there and a guest hang all the same."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = [
        images.program("qemu-system-x86_64", "qemu-system-x86"), *ACCELERATORS["kvm"], "-m", "256", "-nodefaults", "-display", "none",
        "-no-reboot", "-serial", "stdio", "-kernel", os.path.join(image, "vmlinuz"), "-append", "console=ttyS0 panic=-1",
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
        tried = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, preexec_fn=images.end_with_parent
        )
        return b"Linux version" in tried.stdout
    return False


def _forwarded_port(folder):
    """The free port that the kernel gave to QEMU (it asked for port 0)."""
    with socket.socket(socket.AF_UNIX) as monitor:
        here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            monitor.connect("/proc/self/fd/{0}/qmp.sock".format(here))  # a socket's path has 108 bytes at most
        finally:
            os.close(here)
        stream = monitor.makefile("rw")
        stream.readline()  # greeting
        for command in ({"execute": "qmp_capabilities"}, {"execute": "human-monitor-command", "arguments": {"command-line": "info usernet"}}):
            stream.write(json.dumps(command))
            stream.flush()
            answer = json.loads(stream.readline())
    forward = next(line for line in answer["return"].splitlines() if "HOST_FORWARD" in line)
    return int(forward.split()[3])


def _end_with_run():
    """Be ended as by a signal when the run ends that we belong to."""
    run = _run_of_ours()
    if run is not None:
        threading.Thread(target=lambda: (_wait_for_one([run]), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()


def _run_of_ours():
    """A file descriptor that becomes readable when the run ends (pidfd_open(2)), or None."""
    pid = os.environ.get("LAB_RUN")
    if not pid:
        return None
    try:
        return os.pidfd_open(int(pid))
    except ProcessLookupError:
        sys.exit("the run {0} that this belongs to has ended".format(pid))


def _wait_for_one(descriptors, seconds=None):
    return bool(select.select(descriptors, [], [], seconds)[0])


# --- down --------------------------------------------------------------------------


def down(run_folder):
    """End all guests of a run and remove their folders. None is no error."""
    guests = os.path.join(run_folder, "guests")
    for name in sorted(os.listdir(guests)) if os.path.isdir(guests) else ():
        folder = os.path.join(guests, name)
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            guard = _guard_of(folder)
            if guard:
                with contextlib.suppress(ProcessLookupError):
                    end = os.pidfd_open(guard)
                    if guard == _guard_of(folder):  # still the one that we have a descriptor of
                        signal.pidfd_send_signal(end, number)
                        _wait_for_one([end], seconds)
                    os.close(end)
        if _guard_of(folder):
            raise LabError("the guest in {0} does not end: look at its guard, pid {1}".format(folder, _guard_of(folder)))
        shutil.rmtree(folder)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(guests)


# --- the guard ------------------------------------------------------------------------

_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


def _guard_of(folder):
    """Pid of the process that holds the guest's lock, as the kernel tells it (F_GETLK of fcntl(2)), or None."""
    try:
        with open(os.path.join(folder, "lock"), "r+b") as lock:
            answer = fcntl.fcntl(lock, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except FileNotFoundError:
        return None
    kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else pid


def guard(folder, command):
    """Run QEMU until it, this process or the run ends."""
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        run = _run_of_ours()
        with subprocess.Popen(command, cwd=folder, env=dict(os.environ, TMPDIR=folder), preexec_fn=images.end_with_parent) as qemu:
            try:
                _wait_for_one([one for one in (os.pidfd_open(qemu.pid), run) if one is not None])
            finally:
                qemu.kill()


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))  # so that the way out is the usual one
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down"):
        one = commands.add_parser(name)
        one.add_argument("run_folder", type=os.path.abspath)
        if name == "up":
            one.add_argument("instance_config")
            one.add_argument("platforms", type=json.loads)
    one = commands.add_parser("guard")
    one.add_argument("folder")
    one.add_argument("qemu", nargs="+")
    options = parser.parse_args()
    try:
        if options.command == "up":
            up(options.run_folder, options.instance_config, options.platforms)
        elif options.command == "down":
            down(options.run_folder)
        else:
            guard(options.folder, options.qemu)
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
