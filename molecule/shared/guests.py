# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU guests for molecule's default driver: up and down."""

import contextlib
import json
import os
import socket
import subprocess
import time

import guard
import images
import lab
from lab import LabError

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
        self.memory = platform.get("memory", 512)  # MiB
        self.folder = os.path.join(run_folder, "guests", self.name)
        # Not in the folder, which goes away with the guest: this is what tells afterwards why something failed.
        self.console = os.path.join(lab.cache(), "consoles", "{0}.{1}.log".format(os.path.basename(run_folder), self.name))

    def _nodes(self):
        """Memory in so many NUMA nodes, where the platform asks for them."""
        nodes = self.platform.get("nodes", 0)
        size = self.memory // nodes if nodes else 0
        return [
            word
            for node in range(nodes)
            for word in ("-object", "memory-backend-ram,id=node{0},size={1}M".format(node, size), "-numa", "node,memdev=node{0}".format(node))
        ]

    def boot(self, accelerator):
        """Start QEMU; returns once the guest's port is known."""
        os.makedirs(os.path.dirname(self.console), exist_ok=True)
        running = guard.start(self.folder, self._command(accelerator))
        while running.poll() is None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                self.port = _forwarded_port(self.folder)
                return
            time.sleep(0.1)
        raise LabError("QEMU did not start {0}: {1}".format(self.name, guard.words(self.folder)))

    def _command(self, accelerator):
        image = self.platform["image"]
        kernel_arguments = "root=/dev/vda rw console=ttyS0 " + self.platform.get("cmdline", "")
        return [
            lab.program("qemu-system-x86_64", "qemu-system-x86"),
            *ACCELERATORS[accelerator],
            "-name", self.name,
            "-m", str(self.memory),
            *self._nodes(),
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
            if not guard.holder(self.folder):
                raise LabError("the guest {0} ended while it booted.{1}".format(self.name, self.last_words()))
            if self._ssh("true"):
                return
            if time.monotonic() > deadline:
                raise LabError("the guest {0} did not let us in within {1} s.{2}".format(self.name, _boot_seconds(), self.last_words()))
            time.sleep(1)

    def _ssh(self, command):
        options = [word for option in SSH_OPTIONS for word in ("-o", option)]
        login = [lab.program("ssh", "openssh-client"), *options, "-i", self.key, "-p", str(self.port), "root@" + ADDRESS, command]
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


def up(run_folder, platforms):
    """Build what is not cached, boot all guests at once, wait for each."""
    guard.end_with_run()
    guests = [Guest(run_folder, platform) for platform in platforms]
    for platform in platforms:
        platform["image"] = images.machine(platform["suite"], platform.get("packages", ()))
    accelerator = "kvm" if _kvm_starts_a_guest(platforms[0]["image"]) else "tcg"
    for guest in guests:
        guest.boot(accelerator)
    deadline = time.monotonic() + _boot_seconds()
    for guest in guests:
        guest.wait(deadline)
    return [guest.instance_config() for guest in guests]


def down(run_folder):
    """End all guests of a run and remove their folders. None is no error."""
    guard.end_all(os.path.join(run_folder, "guests"))


def _boot_seconds():
    return int(os.environ.get("LAB_BOOT_SECONDS") or BOOT_SECONDS)


def _kvm_starts_a_guest(image):
    """Tried, as the device may be there and a guest hang all the same."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = [
        lab.program("qemu-system-x86_64", "qemu-system-x86"), *ACCELERATORS["kvm"], "-m", "256", "-nodefaults", "-display", "none",
        "-no-reboot", "-serial", "stdio", "-kernel", os.path.join(image, "vmlinuz"), "-append", "console=ttyS0 panic=-1",
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
        tried = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, preexec_fn=guard.end_with_parent
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


if __name__ == "__main__":
    lab.main(__doc__, up, down)
