# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU guests for molecule's default driver: up and down."""

import contextlib
import os
import subprocess
import time

import guard
import images
import kept
import lab
import monitor
import states
from lab import LabError

BOOT_SECONDS = 600  # the newest kernel took 150 under emulation, with a busy neighbour more
ADDRESS = "127.0.0.1"

# qemu64 without cx16: with it Linux 6.12 crashes under the emulation of QEMU 7.2.
ACCELERATORS = {"kvm": ["-accel", "kvm", "-cpu", "host"], "tcg": ["-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16"]}

# How root first logs in. A boot is over when nothing is left to start, even if something failed; a guest that goes on from a kept state asks
# its hardware clock how late it is.
BOOTED = "systemctl is-system-running --wait; true"
GOES_ON = "date --set=@$(cat /sys/class/rtc/rtc0/since_epoch)"

SSH_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "ConnectTimeout=10",
    "LogLevel=ERROR",
)


class Guest:
    """One guest: its platform as molecule.yml has it, its image, and its folder."""

    def __init__(self, run_folder, platform, image):
        self.name = platform["name"]
        self.platform = platform
        self.image = image
        self.memory = platform.get("memory", 512)  # MiB
        self.folder = os.path.join(run_folder, "guests", self.name)
        self.disk = os.path.join(self.folder, "disk")
        # Not in the folder, which goes away with the guest: this is what tells afterwards why something failed.
        self.console = os.path.join(lab.cache(), "consoles", f"{os.path.basename(run_folder)}.{self.name}.log")

    def _nodes(self):
        """Memory in so many NUMA nodes, where the platform asks for them."""
        nodes = self.platform.get("nodes", 0)
        size = self.memory // nodes if nodes else 0
        return [
            word
            for node in range(nodes)
            for word in (
                "-object",
                f"memory-backend-ram,id=node{node},size={size}M",
                "-numa",
                f"node,memdev=node{node}",
            )
        ]

    def start(self, accelerator):
        """Start QEMU, from where a guest like this once had booted if that was kept; returns once the guest's port is known."""
        os.makedirs(os.path.dirname(self.console), exist_ok=True)
        machine = self._machine(accelerator)
        self.state = (
            states.State(self.image, machine) if accelerator == "tcg" else None
        )  # with KVM a boot takes seconds
        self.resumed = self.state is not None and self.state.is_kept
        self._make_disk()
        running = guard.start(
            self.folder,
            [
                *machine,
                "-name",
                self.name,
                "-serial",
                "file:" + self.console,
                "-drive",
                f"file={self.disk},format=qcow2,if=virtio,werror=report",
                "-qmp",
                f"unix:{monitor.SOCKET},server=on,wait=off",
                *(self.state.resume if self.resumed else ()),
            ],
        )
        while running.poll() is None:
            self.port = monitor.forwarded_port(self.folder)
            if self.port:
                return
            time.sleep(0.1)
        raise LabError(f"QEMU did not start {self.name}{self._origin()}: {guard.words(self.folder)}")

    def _origin(self):
        """What else may be at fault."""
        return f" from {self.state.folder}, without which it boots" if self.resumed else ""

    def _make_disk(self):
        """A disk over that of the image or of the kept state, which stay as they are."""
        os.makedirs(self.folder)
        below = (
            ("-F", "qcow2", "-b", self.state.disk)
            if self.resumed
            else ("-F", "raw", "-b", os.path.join(self.image, "root.img"))
        )
        guard.run(self.folder, lab.program("qemu-img", "qemu-utils"), "create", "-q", "-f", "qcow2", *below, self.disk)

    def _machine(self, accelerator):
        """All that makes it another machine: a state is that of exactly one."""
        # Emulated on a machine with much else to do, ticks come so late that the kernel takes its timer for broken, and panics.
        timer = "no_timer_check " if accelerator == "tcg" else ""
        kernel_arguments = "root=/dev/vda rw console=ttyS0 " + timer + self.platform.get("cmdline", "")
        return [
            lab.program("qemu-system-x86_64", "qemu-system-x86"),
            *ACCELERATORS[accelerator],
            "-m",
            str(self.memory),
            *self._nodes(),
            "-smp",
            str(self.platform.get("cpus", 2)),
            "-display",
            "none",
            "-kernel",
            os.path.join(self.image, "vmlinuz"),
            "-initrd",
            os.path.join(self.image, "initrd"),
            "-append",
            kernel_arguments.strip(),
            "-nic",
            f"user,model=virtio,hostfwd=tcp:{ADDRESS}:0-:22",
            "-global",
            "migration.store-global-state=off",  # that it stood still when its state was kept is no part of it
        ]

    def wait(self, deadline):
        """Until root can log in, which is later than the port answers."""
        while True:
            if not guard.holder(self.folder):
                said = guard.words(self.folder)
                raise LabError(
                    f"the guest {self.name} ended while it booted{self._origin()}: {said}.{self.last_words()}"
                )
            if self._ssh(GOES_ON if self.resumed else BOOTED):
                return
            if time.monotonic() > deadline:
                raise LabError(
                    f"the guest {self.name} did not let us in within {_boot_seconds()} s.{self.last_words()}"
                )
            time.sleep(1)

    def keep(self):
        """Keep the state of a guest that has just booted, for the next time."""
        if self.state is not None and not self.resumed:
            self.state.keep(self.folder, self.disk)

    def _ssh(self, command):
        options = [word for option in SSH_OPTIONS for word in ("-o", option)]
        login = [
            lab.program("ssh", "openssh-client"),
            *options,
            "-i",
            self.key,
            "-p",
            str(self.port),
            "root@" + ADDRESS,
            command,
        ]
        with contextlib.suppress(subprocess.TimeoutExpired):
            return (
                subprocess.run(login, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode
                == 0
            )
        return False

    @property
    def key(self):
        return os.path.join(self.image, "key")

    def last_words(self):
        try:
            with open(self.console, errors="replace") as console:
                lines = [line.rstrip() for line in console if line.strip()]
        except OSError:
            lines = []
        return " Last lines of {}:\n{}".format(self.console, "\n".join(lines[-15:]) or "(nothing)")

    def instance_config(self):
        """What molecule and its inventory need to reach the guest."""
        return {"instance": self.name, "address": ADDRESS, "port": self.port, "user": "root", "identity_file": self.key}


def up(run_folder, platforms):
    """Build what is not cached, start all guests at once, wait for each."""
    guard.end_with_run()
    guests = [
        Guest(run_folder, platform, images.machine(platform["suite"], platform.get("packages", ())))
        for platform in platforms
    ]
    accelerator = _accelerator(guests[0].image)
    for guest in guests:
        guest.start(accelerator)
    deadline = time.monotonic() + _boot_seconds()
    for guest in guests:
        guest.wait(deadline)
    for guest in guests:
        guest.keep()
    return [guest.instance_config() for guest in guests]


def down(run_folder):
    """End all guests of a run and remove their folders. None is no error."""
    guard.end_all(os.path.join(run_folder, "guests"))


def _boot_seconds():
    return int(os.environ.get("LAB_BOOT_SECONDS") or BOOT_SECONDS)


def _accelerator(image):
    """KVM where it starts a guest. That is tried once in every boot of this machine, as trying takes seconds where it does not."""
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        entry = kept.place("accelerators", "kvm", boot_id.read())

    def fill(folder):
        with open(os.path.join(folder, "name"), "w") as name:
            name.write("kvm" if _kvm_starts_a_guest(image) else "tcg")

    kept.make(entry, fill)
    with open(os.path.join(entry, "name")) as name:
        return name.read()


def _kvm_starts_a_guest(image):
    """Tried, as the device may be there and a guest hang all the same."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = [
        lab.program("qemu-system-x86_64", "qemu-system-x86"),
        *ACCELERATORS["kvm"],
        "-m",
        "256",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
        "-serial",
        "stdio",
        "-kernel",
        os.path.join(image, "vmlinuz"),
        "-append",
        "console=ttyS0 panic=-1",
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
        tried = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            preexec_fn=guard.end_with_parent,
        )
        return b"Linux version" in tried.stdout
    return False


if __name__ == "__main__":
    lab.main(__doc__, up, down)
