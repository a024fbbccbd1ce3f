# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of arm64 guests, on a machine that cannot run programs for arm64.

Packages are extracted here, and their scripts run in the guest's first boot,
under QEMU: second_stage.sh. A small initramfs replaces that of initramfs-tools,
which would need programs for arm64 too.

The text of this file is part of each such image's hash.
"""

import hashlib
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tarfile

import cache
import guard
import images
import lab

# The only kernel of Debian whose pages are not 4 KiB. It runs on processors that have a 16 KiB
# granule; Cortex-A72 has none.
KERNEL = "linux-image-arm64-16k"
QEMU = ("qemu-system-aarch64", "qemu-system-arm")  # the program, and its Debian package
MACHINE = ("-machine", "virt", "-accel", "tcg,thread=multi", "-cpu", "neoverse-n1")
CONSOLE = "ttyAMA0"

STAGE_SECONDS = 5400  # of the first boot; it took 600 on a busy machine
STAGE_DONE = "The second stage is done."
STAGE_FILES = ("second_stage.sh", "customize.sh")

PACKAGES = (
    *(name for name in images.MACHINE_PACKAGES if name not in ("linux-image-cloud-amd64", "initramfs-tools")),
    *images.INIT_PACKAGES["systemd"],
    KERNEL,
    "busybox-static",  # all programs of the initramfs
)
# depmod under emulation reads each module: only those of such a guest stay.
BOOT_MODULES = ("crc32c_generic", "ext4", "virtio_blk")
OTHER_MODULES = (
    *("virtio_net", "autofs4", "binfmt_misc", "configfs", "fuse", "loop", "dm_mod"),
    *("zram", "ramoops", "qemu_fw_cfg"),
)

INITRAMFS_INIT = """#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
until [ -b /dev/vda ]; do sleep 0.1; done
init=/sbin/init
for word in $(cat /proc/cmdline); do
    case $word in init=*) init=${word#init=} ;; esac
done
mount -t ext4 /dev/vda /root
umount /proc
mount -o move /dev /root/dev
exec switch_root /root $init
"""


def make_machine(suite, packages=()):
    """Return the folder of an arm64 guest's image of this suite; build it if it is not cached.

    The folder has root.img, vmlinuz, initrd and key, the ssh key of root.
    """
    wanted = sorted({*PACKAGES, *packages})
    here = pathlib.Path(images.HERE)
    sources = [(here / name).read_text() for name in (os.path.basename(__file__), *STAGE_FILES)]
    entry = cache.locate_entry("images", f"machine-arm64-{suite}", wanted, sources)

    def fill(folder):
        cache.check_free_space(folder, images.BUILD_BYTES)
        _build(pathlib.Path(folder), suite, wanted)

    try:
        cache.make_entry(entry, fill)
    except (OSError, lab.LabError) as error:
        raise lab.LabError(f"the arm64 image of {suite} cannot be built: {error}") from error
    return entry


def _build(folder, suite, packages):
    if os.geteuid() != 0:
        raise lab.LabError("it takes root, because the image's files belong to several users: run make as root")
    lab.find_program(*QEMU)
    ssh_keygen = lab.find_program("ssh-keygen", "openssh-client")
    guard.run(folder, ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f", "key")
    root = folder / "root"
    _extract(folder, suite, packages)
    _register(root)
    (version,) = os.listdir(root / "usr/lib/modules")
    modules = _keep_modules(root / "usr/lib/modules" / version)
    _write_initramfs(root / "boot" / f"initrd.img-{version}", root / "usr/bin/busybox", modules)
    shutil.copy(root / "boot" / f"vmlinuz-{version}", folder / "vmlinuz")
    shutil.copy(root / "boot" / f"initrd.img-{version}", folder / "initrd")
    stage = root / "second_stage"
    stage.mkdir()
    for name in STAGE_FILES:
        shutil.copy(pathlib.Path(images.HERE, name), stage)
    (stage / "second_stage.sh").chmod(0o755)  # the kernel starts it
    shutil.copy(folder / "key.pub", stage)
    mke2fs = lab.find_program("mke2fs", "e2fsprogs")
    guard.run(folder, mke2fs, "-q", "-t", "ext4", "-d", "root", "root.img", images.DISK_SIZE)
    shutil.rmtree(root)
    _run_second_stage(folder)


def _extract(folder, suite, packages):
    """Extract the packages and what they depend on, and keep their archives."""
    guard.run(
        folder,
        lab.find_program("mmdebstrap", "mmdebstrap"),
        "--variant=extract",
        "--architectures=arm64",
        "--include=?essential",
        "--include=" + ",".join(packages),
        '--aptopt=Acquire::Check-Valid-Until "false"',
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/lib/udev/hwdb.d/*",  # under emulation, its compilation takes minutes
        "--skip=cleanup/apt",
        "--skip=essential/unlink",
        suite,
        "root",
        images._find_mirror(),
    )


def _register(root):
    """Write the database of dpkg as if it had unpacked the packages, and remove their archives."""
    database = root / "var/lib/dpkg"
    (database / "info").mkdir(parents=True, exist_ok=True)
    (database / "info/format").write_text("1\n")
    (database / "available").touch()
    archives = root / "var/cache/apt/archives"
    stanzas = [_register_package(database / "info", archive) for archive in sorted(archives.glob("*.deb"))]
    (database / "status").write_text("\n".join(stanzas))
    shutil.rmtree(archives)
    # The script that would do it before base-passwd is unpacked cannot run here.
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)


def _register_package(info, archive):
    """Write a package's files of the database, and return its stanza of the status."""
    control = info / "control.new"
    guard.run(info, "dpkg-deb", "--control", archive, control)
    fields = (control / "control").read_text()
    name = re.search(r"^Package: (\S+)", fields, re.MULTILINE)[1]
    if re.search(r"^Multi-Arch: same$", fields, re.MULTILINE):
        name += ":arm64"
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as reader:
        with tarfile.open(fileobj=reader.stdout, mode="r|") as members:
            paths = ["/" + member.name[2:] if member.name != "." else "/." for member in members]
        reader.stdout.read()
    (info / f"{name}.list").write_text("".join(path.rstrip("/") + "\n" for path in paths))
    conffiles = []
    for path in sorted(control.iterdir()):
        if path.name == "conffiles":
            conffiles = [line for line in path.read_text().splitlines() if line.startswith("/")]
        if path.name != "control":
            shutil.move(path, info / f"{name}.{path.name}")
    shutil.rmtree(control)
    root = info.parents[3]
    hashes = [f" {path} {hashlib.md5((root / path[1:]).read_bytes()).hexdigest()}\n" for path in conffiles]
    return "Status: install ok unpacked\n" + fields + ("Conffiles:\n" + "".join(hashes) if hashes else "")


def _keep_modules(folder):
    """Remove all but the modules of such a guest; return the boot's, in order, as (name, bytes)."""
    found = {path.name.split(".")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}
    kept = {}

    def keep(name):
        if name in found and name not in kept:  # else it is built into the kernel
            content = found[name].read_bytes()
            content = lzma.decompress(content) if found[name].suffix == ".xz" else content
            depends = re.search(rb"\0depends=([^\0]*)\0", content)
            for other in depends[1].decode().split(",") if depends else ():
                keep(other.replace("-", "_"))
            kept[name] = content

    for name in BOOT_MODULES:
        keep(name)
    of_boot = list(kept.items())
    for name in OTHER_MODULES:
        keep(name)
    for name, path in found.items():
        if name not in kept:
            path.unlink()
    return of_boot


def _write_initramfs(path, busybox, modules):
    """Write an archive that loads the modules, mounts the disk and starts its init.

    Its format is "newc" of cpio(5), without compression.
    """
    order = " ".join(name for name, _content in modules)
    entries = [
        *((name, stat.S_IFDIR | 0o755, b"") for name in ("bin", "dev", "proc", "root", "modules")),
        ("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()),
        *(
            (f"bin/{name}", stat.S_IFLNK | 0o777, b"busybox")
            for name in ("sh", "cat", "insmod", "mount", "umount", "sleep", "switch_root")
        ),
        ("init", stat.S_IFREG | 0o755, INITRAMFS_INIT.encode()),
        ("modules/order", stat.S_IFREG | 0o644, order.encode()),
        *((f"modules/{name}.ko", stat.S_IFREG | 0o644, content) for name, content in modules),
        ("TRAILER!!!", 0, b""),
    ]
    with open(path, "wb") as archive:
        for number, (name, mode, content) in enumerate(entries, 1):
            numbers = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
            archive.write(b"070701" + b"".join(b"%08X" % value for value in numbers) + name.encode() + b"\0")
            archive.write(bytes(-archive.tell() % 4) + content)
            archive.write(bytes(-archive.tell() % 4))


def _run_second_stage(folder):
    """Boot the guest once: it configures its packages, and powers off."""
    console = folder / "console"
    guard.run(
        folder,
        "timeout",
        str(STAGE_SECONDS),
        lab.find_program(*QEMU),
        *MACHINE,
        *("-m", "1024", "-smp", "2", "-display", "none", "-nic", "none", "-no-reboot"),
        *("-kernel", "vmlinuz", "-initrd", "initrd"),
        *("-append", f"root=/dev/vda rw console={CONSOLE} panic=-1 init=/second_stage/second_stage.sh"),
        *("-drive", "file=root.img,format=raw,if=virtio,cache=unsafe"),
        *("-serial", f"file:{console}"),
    )
    lines = console.read_text(errors="replace").splitlines()
    if STAGE_DONE not in lines:
        raise lab.LabError("its packages were not configured. Last lines of its console:\n" + "\n".join(lines[-15:]))
    console.unlink()
