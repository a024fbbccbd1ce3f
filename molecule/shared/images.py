# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian root file systems for guests and containers, built from packages."""

import os
import shutil
import subprocess

import guard
import kept
import lab
from lab import LabError

HERE = os.path.dirname(os.path.abspath(__file__))

ROOM = 6 << 30  # bytes that a build takes at its height
DISK = "4G"  # what a guest sees; the file is sparse

MACHINE = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "udev",
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "openssh-server",
    "python3",
    "procps",
    "iproute2",
)
CONTAINER = ("python3", "procps")


def machine(suite, packages=()):
    """Folder with the disk, kernel and key of a guest of this Debian suite."""
    hooks = ["customize.sh", "initramfs.sh"]
    return _entry("machine", suite, sorted({*MACHINE, *packages}), hooks, _build_machine)


def container(suite, packages=()):
    """Folder with a root file system, root.tar, as docker import takes it."""
    return _entry("container", suite, sorted({*CONTAINER, *packages}), [], _build_container)


def _entry(kind, suite, packages, hooks, build):
    made_by = [open(os.path.join(HERE, name)).read() for name in [os.path.basename(__file__), *hooks]]
    entry = kept.place("images", f"{kind}-{suite}", packages, made_by)

    def fill(folder):
        kept.refuse_full_disk(folder, ROOM)
        build(folder, suite, packages)

    try:
        kept.make(entry, fill)
    except (OSError, LabError) as error:
        raise LabError(f"the image of {suite} cannot be built in {os.path.dirname(entry)}: {error}") from error
    return entry


def _build_machine(folder, suite, packages):
    if os.geteuid() != 0:
        raise LabError("that takes root, as the files in it belong to others: run make as root")
    guard.run(
        folder, lab.program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f", "key"
    )
    _bootstrap(
        folder,
        suite,
        packages,
        "root",
        "--essential-hook=" + os.path.join(HERE, "initramfs.sh"),
        "--customize-hook=" + os.path.join(HERE, "customize.sh"),
    )
    guard.run(folder, lab.program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-d", "root", "root.img", DISK)
    shutil.rmtree(os.path.join(folder, "root"))


def _build_container(folder, suite, packages):
    _bootstrap(folder, suite, packages, "root.tar")


def _bootstrap(folder, suite, packages, target, *hooks):
    guard.run(
        folder,
        lab.program("mmdebstrap", "mmdebstrap"),
        "--variant=minbase",
        "--include=" + ",".join(packages),
        '--aptopt=Acquire::Check-Valid-Until "false"',  # the snapshot of a suite may be older than it says
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        *hooks,
        suite,
        target,
        _mirror(),
    )


def _mirror():
    """The archive that this machine itself uses; any other may be out of reach."""
    listed = subprocess.run(
        [
            lab.program("apt-get", "apt"),
            "indextargets",
            "--format",
            "$(SITE) $(COMPONENT)",
            "Origin: Debian",
            "Label: Debian",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    sites = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith(" main")]
    if not sites:
        raise LabError(
            "no Debian archive is among the sources of apt: list one in /etc/apt/sources.list.d and run apt-get update"
        )
    return sites[0]
