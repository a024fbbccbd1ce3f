# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop QEMU guests for molecule's default driver."""

import contextlib
import os
import subprocess
import time

import arm64
import cache
import guard
import images
import lab
import monitor
import states

BOOT_SECONDS = 600  # the newest kernel took 150 under emulation, and more on a busy machine
ADDRESS = "127.0.0.1"

QEMU = ("qemu-system-x86_64", "qemu-system-x86")  # the program, and its Debian package

# qemu64 without cx16, because with it Linux 6.12 crashes under the emulation of QEMU 7.2.
ACCELERATORS = {"kvm": ["-accel", "kvm", "-cpu", "host"], "tcg": ["-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16"]}

# The commands of root's first login. A boot is over when the init system has nothing left to start,
# even if something failed. A guest that resumes from a saved state sets its time by its hardware
# clock.
WAIT_FOR_BOOT = (
    "if command -v systemctl; then systemctl is-system-running --wait;"
    " else while pgrep -x 'rc|startpar|openrc'; do sleep 1; done; fi; true"
)
SET_TIME = "date --set=@$(cat /sys/class/rtc/rtc0/since_epoch)"

SSH_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "ConnectTimeout=10",
    "LogLevel=ERROR",
)


class Guest:
    """A guest: its platform from molecule.yml, its image, and its folder."""

    def __init__(self, run_folder, platform, image):
        self.name = platform["name"]
        self.platform = platform
        self.image = image
        self.is_arm64 = platform.get("machine") == "arm64"
        self.memory = platform.get("memory", 512)  # MiB
        self.folder = os.path.join(run_folder, "guests", self.name)
        self.disk = os.path.join(self.folder, "disk")
        # Not in the guest's folder, which is removed with it: the console still shows what failed.
        self.console = os.path.join(cache.find_folder(), "consoles", f"{os.path.basename(run_folder)}.{self.name}.log")
        self.state = None
        self.is_resumed = False
        self.port = None

    def _numa_options(self):
        """Return the options that divide the memory among the platform's number of NUMA nodes."""
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
        """Start QEMU and return once the guest's port is known.

        The guest resumes from a saved state of its kind if there is one; else it boots.
        """
        os.makedirs(os.path.dirname(self.console), exist_ok=True)
        command = self._machine_command(accelerator)
        if accelerator == "tcg":  # with KVM a boot takes seconds
            self.state = states.SavedState(self.image, command)
            self.is_resumed = self.state.exists
        self._make_disk()
        qemu_guard = guard.start(
            self.folder,
            [
                *command,
                "-name",
                self.name,
                "-serial",
                "file:" + self.console,
                "-drive",
                f"file={self.disk},format=qcow2,if=virtio,werror=report",
                "-qmp",
                f"unix:{monitor.SOCKET},server=on,wait=off",
                *(self.state.resume_options if self.is_resumed else ()),
            ],
        )
        while qemu_guard.poll() is None:
            self.port = monitor.find_forwarded_port(self.folder)
            if self.port:
                return
            time.sleep(0.1)
        raise lab.LabError(
            f"QEMU did not start the guest {self.name}{self._describe_state()}: {guard.read_log(self.folder)}"
        )

    def _describe_state(self):
        """Return the part of a message about the saved state, which may be at fault."""
        return f" from the saved state {self.state.folder} (remove it to let the guest boot)" if self.is_resumed else ""

    def _make_disk(self):
        """Make a disk on top of the image's or the saved state's disk, which is not written to."""
        os.makedirs(self.folder)
        backing_file = (
            ("-F", "qcow2", "-b", self.state.disk)
            if self.is_resumed
            else ("-F", "raw", "-b", os.path.join(self.image, "root.img"))
        )
        qemu_img = lab.find_program("qemu-img", "qemu-utils")
        guard.run(self.folder, qemu_img, "create", "-q", "-f", "qcow2", *backing_file, self.disk)

    def _accelerate(self, accelerator):
        """Return QEMU's options for the CPU; a platform may name the one to emulate."""
        options = arm64.MACHINE if self.is_arm64 else ACCELERATORS[accelerator]
        return [*options[:-1], self.platform.get("emulated_cpu", options[-1])] if accelerator == "tcg" else options

    def _machine_command(self, accelerator):
        """Return the part of QEMU's command line that a saved state depends on."""
        # Under emulation on a busy machine, ticks come so late that the kernel takes its timer for
        # broken and panics.
        timer = "no_timer_check " if accelerator == "tcg" and not self.is_arm64 else ""
        console = arm64.CONSOLE if self.is_arm64 else "ttyS0"
        # The interface keeps the kernel's name. If udev renames it late, systemd-networkd 252 can
        # lose track of it, and the guest gets no address.
        kernel_arguments = (
            f"root=/dev/vda rw console={console} net.ifnames=0 " + timer + self.platform.get("cmdline", "")
        )
        return [
            lab.find_program(*(arm64.QEMU if self.is_arm64 else QEMU)),
            *self._accelerate(accelerator),
            "-m",
            str(self.memory),
            *self._numa_options(),
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
            "migration.store-global-state=off",  # else a state saved from a stopped guest resumes stopped
        ]

    def wait_for_login(self, deadline):
        """Wait until root can log in, some time after the port answers.

        Raise LabError if QEMU ends, or at the deadline (monotonic seconds).
        """
        while True:
            if not guard.find_guard(self.folder):
                raise lab.LabError(
                    f"the guest {self.name} ended while it booted{self._describe_state()}: "
                    f"{guard.read_log(self.folder)}.{self._console_tail()}"
                )
            if self._run_over_ssh(SET_TIME if self.is_resumed else WAIT_FOR_BOOT):
                return
            if time.monotonic() > deadline:
                raise lab.LabError(
                    f"root could not log in to the guest {self.name} within {_read_boot_limit()} s "
                    f"(LAB_BOOT_SECONDS).{self._console_tail()}"
                )
            time.sleep(1)

    def save_state(self):
        """Save the state of a guest that has just booted, for the next one of its kind."""
        if self.state is not None and not self.is_resumed:
            self.state.save(self.folder, self.disk)

    def _run_over_ssh(self, command):
        """Return whether the command, run by root in the guest, succeeded within 60 seconds."""
        options = [word for option in SSH_OPTIONS for word in ("-o", option)]
        login = [
            lab.find_program("ssh", "openssh-client"),
            *options,
            "-i",
            self.key_file,
            "-p",
            str(self.port),
            "root@" + ADDRESS,
            command,
        ]
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(login, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            return done.returncode == 0
        return False

    @property
    def key_file(self):
        return os.path.join(self.image, "key")

    def _console_tail(self):
        """Return the part of a message with the console's last 15 lines that are not blank."""
        try:
            with open(self.console, errors="replace") as console:
                lines = [line.rstrip() for line in console if line.strip()]
        except OSError:
            lines = []
        tail = "\n".join(lines[-15:]) or "(nothing)"
        return f" Last lines of {self.console}:\n{tail}"

    def make_instance_config(self):
        """Return how molecule and its inventory reach the guest."""
        return {
            "instance": self.name,
            "address": ADDRESS,
            "port": self.port,
            "user": "root",
            "identity_file": self.key_file,
        }


def up(run_folder, platforms):
    """Build the images that are not cached, start all guests at once and wait for each.

    Return molecule's instance config.
    """
    guard.end_with_run()
    guests = [Guest(run_folder, platform, _make_image(platform)) for platform in platforms]
    for guest in guests:
        guest.start("tcg" if guest.is_arm64 else _choose_accelerator(guest.image))
    deadline = time.monotonic() + _read_boot_limit()
    for guest in guests:
        guest.wait_for_login(deadline)
    for guest in guests:
        guest.save_state()
    return [guest.make_instance_config() for guest in guests]


def _make_image(platform):
    """Return the folder of the platform's image; build it if it is not cached."""
    packages = platform.get("packages", ())
    if platform.get("machine") == "arm64":
        return arm64.make_machine(platform["suite"], packages)
    return images.make_machine(platform["suite"], packages, platform.get("init", "systemd"))


def down(run_folder):
    """End all guests of a run, if it has any, and remove their folders."""
    guard.end_all(os.path.join(run_folder, "guests"))


def _read_boot_limit():
    return int(os.environ.get("LAB_BOOT_SECONDS") or BOOT_SECONDS)


def _choose_accelerator(image):
    """Return "kvm" if KVM starts a guest on this machine, else "tcg", which is emulation.

    An attempt that fails takes seconds, so the answer is kept until this machine's next boot.
    """
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        entry = cache.locate_entry("accelerators", "kvm", boot_id.read())

    def fill(folder):
        with open(os.path.join(folder, "name"), "w") as name:
            name.write("kvm" if _can_kvm_boot(image) else "tcg")

    cache.make_entry(entry, fill)
    with open(os.path.join(entry, "name")) as name:
        return name.read()


def _can_kvm_boot(image):
    """Return whether KVM boots this image's kernel.

    Only a boot shows it: a guest may hang although /dev/kvm exists.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = [
        lab.find_program(*QEMU),
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
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            preexec_fn=guard.end_with_parent,
        )
        return b"Linux version" in done.stdout
    return False


if __name__ == "__main__":
    lab.main(__doc__, up, down)
