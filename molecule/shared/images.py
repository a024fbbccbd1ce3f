# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian root file systems for guests and containers, built from packages.

The text of this file is part of each image's hash: any change here makes new images.
"""

import os
import pathlib
import shutil
import subprocess

import cache
import guard
import lab

HERE = os.path.dirname(os.path.abspath(__file__))

BUILD_BYTES = 6 << 30  # the most that a build takes at any moment
DISK_SIZE = "4G"  # as the guest sees it; the file is sparse

MACHINE_PACKAGES = (
    "udev",
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "openssh-server",
    "python3",
    "procps",
    "iproute2",
)
# Some packages have no script for SysV init any more; orphan-sysvinit-scripts has those.
_SYSVINIT_PACKAGES = ("sysvinit-core", "orphan-sysvinit-scripts", "ifupdown")
INIT_PACKAGES = {
    "systemd": ("systemd", "systemd-sysv", "dbus", "libpam-systemd"),
    "sysvinit": (*_SYSVINIT_PACKAGES, "sysv-rc"),
    "openrc": (*_SYSVINIT_PACKAGES, "openrc"),
}
CONTAINER_PACKAGES = ("python3", "procps")


def make_machine(suite, packages=(), init="systemd"):
    """Return the folder of a guest's image of this Debian suite; build it if it is not cached.

    C(init) is a name in INIT_PACKAGES. The folder has root.img, vmlinuz, initrd and key, the ssh
    key of root.
    """
    hooks = ["customize.sh", "initramfs.sh"]
    wanted = sorted({*MACHINE_PACKAGES, *INIT_PACKAGES[init], *packages})
    return _make_image("machine", suite, wanted, hooks, _build_machine)


def make_container(suite, packages=()):
    """Return the folder of a container's image; build it if it is not cached.

    The folder has root.tar, a root file system for docker import.
    """
    return _make_image("container", suite, sorted({*CONTAINER_PACKAGES, *packages}), [], _build_container)


def _make_image(kind, suite, packages, hooks, build):
    sources = [pathlib.Path(HERE, name).read_text() for name in [os.path.basename(__file__), *hooks]]
    entry = cache.locate_entry("images", f"{kind}-{suite}", packages, sources)

    def fill(folder):
        cache.check_free_space(folder, BUILD_BYTES)
        build(folder, suite, packages)

    try:
        cache.make_entry(entry, fill)
    except (OSError, lab.LabError) as error:
        raise lab.LabError(f"the image of {suite} cannot be built in {os.path.dirname(entry)}: {error}") from error
    return entry


def _build_machine(folder, suite, packages):
    if os.geteuid() != 0:
        raise lab.LabError("it takes root, because the image's files belong to several users: run make as root")
    ssh_keygen = lab.find_program("ssh-keygen", "openssh-client")
    guard.run(folder, ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f", "key")
    _bootstrap(
        folder,
        suite,
        packages,
        "root",
        "--essential-hook=" + os.path.join(HERE, "initramfs.sh"),
        "--customize-hook=" + os.path.join(HERE, "customize.sh"),
    )
    mke2fs = lab.find_program("mke2fs", "e2fsprogs")
    guard.run(folder, mke2fs, "-q", "-t", "ext4", "-d", "root", "root.img", DISK_SIZE)
    shutil.rmtree(os.path.join(folder, "root"))


def _build_container(folder, suite, packages):
    _bootstrap(folder, suite, packages, "root.tar")


def _bootstrap(folder, suite, packages, target, *hooks):
    guard.run(
        folder,
        lab.find_program("mmdebstrap", "mmdebstrap"),
        "--variant=minbase",
        "--include=" + ",".join(packages),
        # A snapshot of a suite may be older than its Release file allows.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        *hooks,
        suite,
        target,
        _find_mirror(),
    )


def _find_mirror():
    """Return the URL of the Debian archive that this machine's apt uses.

    Another archive may be out of reach.
    """
    targets = subprocess.run(
        [
            lab.find_program("apt-get", "apt"),
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
    sites = [line.split()[0] for line in targets.stdout.splitlines() if line.endswith(" main")]
    if not sites:
        raise lab.LabError(
            "apt has no Debian archive among its sources: add one in /etc/apt/sources.list.d and run apt-get update"
        )
    return sites[0]
