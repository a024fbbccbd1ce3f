# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read sysctls, the files that set them at boot, and what else decides whether a change is safe.

Sources: proc_sys(5), sysctl.d(5).
"""

import os
from typing import Iterator, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    COMMAND_LINE,
    FOLDERS,
    SYSCTL_CONF,
    BootSources,
    parse_value,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import SysctlReading, SysctlRequest

PROC_SYS = "/proc/sys"

# What container engines and managers leave inside (systemd:src/basic/virt.c; the last one: any
# Kubernetes pod).
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/run/secrets/kubernetes.io")


class Host:
    """One host, read below its root folder."""

    def __init__(self, root: str = "/", release: Optional[str] = None) -> None:
        self._root = root
        self._release = release or os.uname().release

    def path(self, path: str) -> str:
        """Return where this absolute path is below the root folder."""
        return os.path.join(self._root, path.lstrip("/"))

    def text(self, path: str, denied: Optional[str] = None) -> Optional[str]:
        """Return the text of a file, or None if there is no such file.

        Raises AccessError if it cannot be read. If only the permission is missing,
        C(denied) is returned instead, unless it is None.
        """
        try:
            with open(self.path(path), encoding="utf-8", errors="backslashreplace") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            if denied is not None and isinstance(error, PermissionError):
                return denied
            raise AccessError(f"{path} cannot be read: {error.strerror}") from error

    # --- sysctls ------------------------------------------------------------------

    def read(self, request: SysctlRequest) -> SysctlReading:
        """Return what a plan for this request needs.

        Raises InputError if the file to write is a link or a folder, AccessError if
        anything cannot be read, and OomError for a live value that is not a known one.
        """
        if request.persistent:
            self._refuse_link_or_folder(request.file)
        text = self.text(request.file)
        return SysctlReading({key: self.live(key) for key in request.policy.keys}, text, self.boot_sources())

    def live(self, key: str) -> Optional[int]:
        """Return the live value of a sysctl, or None if this kernel does not have it."""
        path = proc_path(key)
        text = self.text(path)
        if text is None:
            return None
        value = parse_value(key, text)
        if value is None:
            raise OomError(f"{path} contains {text.strip()!r}, which is not a valid value")
        return value

    def boot_sources(self) -> BootSources:
        """Return every text that sets sysctls at boot."""
        files = {path: self.text(path) or "" for path in [*self._boot_files(), SYSCTL_CONF]}
        systemd = os.path.isdir(self.path("/run/systemd/system"))  # sd_booted(3)
        return BootSources(files, self.text(COMMAND_LINE) or "", self._release, systemd)

    def _boot_files(self) -> Iterator[str]:
        for folder in FOLDERS:
            try:
                names = os.listdir(self.path(folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise AccessError(f"{folder} cannot be read: {error.strerror}") from error
            for name in names:
                if name.endswith(".conf"):
                    yield os.path.join(folder, name)

    def _refuse_link_or_folder(self, file: str) -> None:
        """Raise InputError for what somebody put in the place of our file on purpose."""
        path = self.path(file)
        if os.path.islink(path) or os.path.isdir(path):
            kind = "a symbolic link" if os.path.islink(path) else "a folder"
            raise InputError(f"file={file} is {kind} and is left alone; name another file")

    # --- whether a change is possible and safe ------------------------------------

    def container(self) -> Optional[str]:
        """Return the path that shows that this is a container, or None."""
        found = next((mark for mark in CONTAINER_MARKS if os.path.exists(self.path(mark))), None)
        if found is None and "\0container=" in "\0" + (self.text("/proc/1/environ", denied="") or ""):
            found = "/proc/1/environ"
        return found

    def read_only(self) -> bool:
        """Whether /proc/sys is read-only. Raises UnsupportedError if there is no /proc/sys."""
        try:
            return bool(os.statvfs(self.path(PROC_SYS)).f_flag & os.ST_RDONLY)
        except OSError as error:
            raise UnsupportedError(f"{PROC_SYS} cannot be examined: {error.strerror}") from error

    def crash_kernel(self) -> bool:
        """Whether a panic starts a crash kernel (kexec), which saves the memory and reboots."""
        return (self.text("/sys/kernel/kexec_crash_loaded") or "0").strip() == "1"

    # Few settings need processes and cgroups. Their readers are imported only then, because a host
    # compiles what a module imports in each run.

    def runs(self, name: str) -> bool:
        """Whether a process has this name, or runs a program with this name."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import (
            ProcessTable,
        )
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return bool(ProcessTable(Procfs(self.path("/proc"))).named(name))

    def pinned(self) -> List[str]:
        """Return the processes with a score below 0 that the killer may still choose, as text."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import pinned_processes
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return pinned_processes(Procfs(self.path("/proc")))

    def limited_cgroups(self) -> List[str]:
        """Return the paths of the memory cgroups that have a limit."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import limited_cgroups
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return limited_cgroups(Procfs(self.path("/proc")))


def proc_path(key: str) -> str:
    """Return the file of a sysctl in /proc/sys."""
    return PROC_SYS + "/" + key.replace(".", "/")
