# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Check the program oom_hog before a trial, and explain why it did not start.

Sources: execve(2), statvfs(3), elf(5).
"""

import os
import stat
import struct
from typing import Dict, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text, text_of

# A folder that is neither noexec nor labelled by SELinux as data.
_BETTER_FOLDER = "/usr/local/libexec"

_HEADER_BYTES = 4096
_INTERPRETER_BYTES = 256
_PT_INTERP = 3
_MACHINES = {3: "i386", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}  # e_machine


def check_hog(hog: str) -> str:
    """Return the absolute path of a program; raise InputError unless it can be executed."""
    path = check_path_text("hog", hog)
    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        raise InputError(
            f"hog={hog} cannot be reached, because a folder above it denies access to uid {os.geteuid()}:"
            " add become: true, or put it elsewhere"
        ) from None
    except OSError:
        mode = 0
    if not stat.S_ISREG(mode):
        raise InputError(f"hog={hog} is not a file: set it to the path of oom_hog, built for this host")
    if not os.access(path, os.X_OK):
        noexec = explain_noexec(path) if mode & 0o111 else None
        remedy = "build it for this host and set mode 0755"
        raise InputError(f"hog={hog} is not executable: {noexec or remedy}")
    reason = _explain_file(path) if os.access(path, os.R_OK) else None
    if reason:
        raise InputError(f"hog={hog} cannot be started: {reason}")
    return text_of(os.path.abspath(path))


def explain_noexec(path: bytes) -> Optional[str]:
    """Return a sentence if the file's file system is mounted noexec, else None."""
    if not os.statvfs(path).f_flag & os.ST_NOEXEC:
        return None
    return f"its file system is mounted noexec; put it elsewhere, such as below {_BETTER_FOLDER}"


def read_linkage(hog: str) -> Optional[str]:
    """Return how a program was linked, static or dynamic; None if its file does not show it."""
    try:
        with open(check_path_text("hog", hog), "rb") as stream:
            program = _parse_elf(stream.read(_HEADER_BYTES))
    except OSError:
        return None
    if program is None:
        return None
    return "dynamic" if program.loader_bytes else "static"


def explain_start_failure(path: bytes, selinux: str = "/sys/fs/selinux/enforce") -> str:
    """Return why the kernel does not start this program, as far as its file shows."""
    reason = _explain_file(path)
    if reason is None and _read_flag(selinux):
        return f"SELinux may deny it, see ausearch -m avc; put it elsewhere, such as below {_BETTER_FOLDER}"
    return reason or "its file shows no reason; build it for this host"


def _explain_file(path: bytes) -> Optional[str]:
    """Return why this program cannot be started, as far as its file shows; None if it does not."""
    try:
        noexec = explain_noexec(path)
        with open(path, "rb") as stream:
            header = stream.read(_HEADER_BYTES)
            return noexec or _explain_content(header, stream.fileno())
    except OSError as error:
        return f"it cannot be read ({error.strerror}); set its mode to 0755"


def _explain_content(header: bytes, fd: int) -> Optional[str]:
    if header.startswith(b"#!"):
        words = header[2:].split(b"\n", 1)[0].split()
        if words and os.path.exists(words[0]):
            return None
        return "the interpreter in its first line does not exist; set hog to the program itself"
    program = _parse_elf(header)
    if program is None:
        return "it is neither an ELF program nor a script; build it for this host"
    with open("/proc/self/exe", "rb") as stream:
        host = _parse_elf(stream.read(_HEADER_BYTES))
    if host is not None and program.architecture != host.architecture:
        return f"it was built for {program.name}, this host is {host.name}; build it for this host"
    loader = os.pread(fd, min(program.loader_bytes, _INTERPRETER_BYTES), program.loader_at).rstrip(b"\0")
    if loader and not os.path.exists(loader):
        return f"its loader {text_of(loader)} does not exist here; build it on this host, or with -static"
    return None


class _Elf(NamedTuple):
    architecture: bytes  # class, byte order and machine
    name: str
    loader_at: int  # place of the loader's path in the file
    loader_bytes: int  # 0 for a static program


def _parse_elf(header: bytes) -> Optional[_Elf]:
    """Return what the start of an ELF file says; None if it is none, or was cut."""
    if not header.startswith(b"\x7fELF"):
        return None
    wide, order = header[4:5] == b"\2", ">" if header[5:6] == b"\2" else "<"
    try:
        machine = struct.unpack_from(order + "H", header, 18)[0]
        table = struct.unpack_from(order + ("Q" if wide else "I"), header, 32 if wide else 28)[0]
        size, count = struct.unpack_from(order + "HH", header, 54 if wide else 42)
        loader_at = loader_bytes = 0
        for at in range(table, table + size * min(count, 64), size or 1):
            entry = _parse_segment(header, at, order, wide)
            if entry["kind"] == _PT_INTERP:
                loader_at, loader_bytes = entry["at"], entry["bytes"]
    except struct.error:
        return None
    name = _MACHINES.get(machine, f"ELF machine {machine}")
    return _Elf(header[4:6] + header[18:20], name, loader_at, loader_bytes)


def _parse_segment(header: bytes, at: int, order: str, wide: bool) -> Dict[str, int]:
    if wide:
        kind, _flags, offset, _virtual, _physical, size = struct.unpack_from(order + "IIQQQQ", header, at)
    else:
        kind, offset, _virtual, _physical, size = struct.unpack_from(order + "IIIII", header, at)
    return dict(kind=kind, at=offset, bytes=size)


def _read_flag(path: str) -> bool:
    try:
        with open(path) as stream:
            return stream.read(1) == "1"
    except OSError:
        return False
