# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian root file systems for guests and containers, built from packages and kept in a cache.

The cache lies outside the checkout and is keyed by everything that goes in, so
that an entry is either right or another one. An entry appears complete, by a
rename, or not at all.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess

import guard
import lab
from lab import LabError

HERE = os.path.dirname(os.path.abspath(__file__))

ROOM = 6 << 30  # bytes that a build takes at its height
DISK = "4G"  # what a guest sees; the file is sparse

MACHINE = (
    "systemd", "systemd-sysv", "dbus", "libpam-systemd", "udev", "linux-image-cloud-amd64", "initramfs-tools",
    "openssh-server", "python3", "procps", "iproute2",
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
    recipe = hashlib.sha256(repr((kind, suite, packages, DISK)).encode())
    for name in [os.path.basename(__file__), *hooks]:
        with open(os.path.join(HERE, name), "rb") as stream:
            recipe.update(stream.read())
    images = os.path.join(lab.cache(), "images")
    entry = os.path.join(images, "{0}-{1}-{2}".format(kind, suite, recipe.hexdigest()[:12]))
    if os.path.isdir(entry):
        return entry
    os.makedirs(images, exist_ok=True)
    with _locked(entry + ".lock"):
        if not os.path.isdir(entry):  # nobody else built it while we waited
            unfinished = entry + ".unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)  # of a build that was killed
            try:
                _refuse_full_disk(images)
                os.mkdir(unfinished)
                build(unfinished, suite, packages)
                os.rename(unfinished, entry)
            except (OSError, LabError) as error:
                raise LabError("the image of {0} cannot be built in {1}: {2}".format(suite, images, error)) from error
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return entry


def _refuse_full_disk(folder):
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise LabError("that takes {0} MiB, and {1} are free: make room, or name another folder with CACHE=".format(ROOM >> 20, free >> 20))


@contextlib.contextmanager
def _locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_machine(folder, suite, packages):
    if os.geteuid() != 0:
        raise LabError("that takes root, as the files in it belong to others: run make as root")
    _run(folder, lab.program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f", "key")
    _bootstrap(folder, suite, packages, "root", "--essential-hook=" + os.path.join(HERE, "initramfs.sh"),
               "--customize-hook=" + os.path.join(HERE, "customize.sh"))
    _run(folder, lab.program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-d", "root", "root.img", DISK)
    shutil.rmtree(os.path.join(folder, "root"))


def _build_container(folder, suite, packages):
    _bootstrap(folder, suite, packages, "root.tar")


def _bootstrap(folder, suite, packages, target, *hooks):
    _run(
        folder, lab.program("mmdebstrap", "mmdebstrap"), "--variant=minbase", "--include=" + ",".join(packages),
        "--aptopt=Acquire::Check-Valid-Until \"false\"",  # the snapshot of a suite may be older than it says
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        *hooks, suite, target, _mirror(),
    )


def _mirror():
    """The archive that this machine itself uses; any other may be out of reach."""
    listed = subprocess.run(
        [lab.program("apt-get", "apt"), "indextargets", "--format", "$(SITE) $(COMPONENT)", "Origin: Debian", "Label: Debian"],
        check=False, capture_output=True, text=True,
    )
    sites = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith(" main")]
    if not sites:
        raise LabError("no Debian archive is among the sources of apt: list one in /etc/apt/sources.list.d and run apt-get update")
    return sites[0]


def _run(folder, *command):
    """A step of a build in its folder; when it fails its last words are the message."""
    done = subprocess.run(
        command, check=False, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=dict(os.environ, TMPDIR=folder, LC_ALL="C"), preexec_fn=guard.end_with_parent,
    )
    if done.returncode != 0:
        words = "\n".join(done.stdout.splitlines()[-15:])
        raise LabError("{0} failed with {1}:\n{2}".format(os.path.basename(command[0]), done.returncode, words))
