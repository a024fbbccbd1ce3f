# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read sysctls, the files that set them at boot, and what else decides whether a change is safe.

What is read may be another user's: a link in /etc/sysctl.d may lead anywhere. So files are bytes,
only regular ones are read, and none beyond a bound.
Sources: proc_sys(5), sysctl.d(5).
"""

import contextlib
import errno
import os
import re
import stat
from typing import Dict, Iterator, List, Optional, Sequence, Set

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    OomError,
    UnsupportedError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import (
    bytes_of,
    printable_name,
    text_of,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    COMMAND_LINE,
    FOLDERS,
    SYSCTL_CONF,
    BootSources,
    name_kernel_files,
    parse_value,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import (
    HEADER_START,
    file_header,
    parse_originals,
    parse_own_values,
    parse_written,
    record_path,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import OwnFile, SysctlReading, SysctlRequest

PROC_SYS = "/proc/sys"

# The largest files of sysctl.d have some 10 KiB.
MAX_FILE_BYTES = 256 << 10

MAX_BYTES_OF_ALL_FILES = 16 << 20
NOT_REGULAR = "it is not a regular file: remove it"
_CHUNK_BYTES = 1 << 16
_NULL_DEVICE = os.makedev(1, 3)  # Documentation/admin-guide/devices.txt

# A login: what forks for it, and what it runs.
SSHD, SHELLS = ("sshd", "sshd-session"), ("bash", "sh")
# What a login takes at least. On Debian 12 one that runs a module raises Committed_AS by 18 MiB.
LOGIN_KB = 20 << 10

_ID = re.compile(r"[0-9]{1,10}\Z")

# What container engines and managers leave inside (systemd:src/basic/virt.c; the last one: any
# Kubernetes pod).
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/run/secrets/kubernetes.io")

# Where the engines listen that start containers for others; /run is root's.
ENGINES = {
    "/run/docker.sock": "Docker",
    "/run/containerd/containerd.sock": "containerd",
    "/run/k3s/containerd/containerd.sock": "containerd",
    "/run/crio/crio.sock": "CRI-O",
}


class Host:
    """One host, read below its root folder."""

    def __init__(self, root: str = "/", release: Optional[str] = None) -> None:
        self._root = root
        self._release = release or os.uname().release

    @property
    def root(self) -> str:
        """The folder that stands for /."""
        return self._root

    def path(self, path: str) -> bytes:
        """Return where this absolute path is below the root folder, in bytes of no locale."""
        return os.path.join(bytes_of(self._root), bytes_of(path.lstrip("/")))

    def text(self, path: str, denied: Optional[str] = None) -> Optional[str]:
        """Return the text of a file, or None if there is no such file.

        bytes_of() gives the same bytes back. Raises AccessError if it cannot be read, is not a
        regular file, or is larger than MAX_FILE_BYTES. If only the permission is missing,
        C(denied) is returned instead, unless it is None.
        """
        try:
            content = _read_regular_file(self.path(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if denied is not None and isinstance(error, PermissionError):
                return denied
            raise AccessError(f"{printable_name(path)} cannot be read: {explain_failure(error)}") from error
        except AccessError as error:
            raise AccessError(f"{printable_name(path)} cannot be read: {error}") from error
        return None if content is None else text_of(content)

    # --- sysctls ------------------------------------------------------------------

    def read(self, request: SysctlRequest) -> SysctlReading:
        """Return what a plan for this request needs.

        Raises InputError if the file to write is not a regular file, UnsupportedError without
        /proc/sys, AccessError if a sysctl or our file cannot be read, and OomError for a live value
        that is not a known one.
        """
        if not os.path.isdir(self.path(PROC_SYS)):
            raise UnsupportedError(
                f"{PROC_SYS} does not exist: /proc is not mounted, or mounted with subset=pid; mount all of it"
            )
        named = not (request.absent and request.every_file)
        if request.persistent and named:
            self._refuse_special_file(request.file)
        text = self.text(request.file) if named else None
        sources, keys = self.boot_sources(), request.policy.keys
        record = self._read_record(request)
        return SysctlReading(
            {key: self.live(key) for key in keys},
            text,
            sources,
            self._find_own_files(request, sources),
            record,
            parse_own_values(record or "", keys),
            parse_written(record or "", keys),
            os.access(self.path("/run"), os.W_OK),
        )

    def live(self, key: str) -> Optional[int]:
        """Return the live value of a sysctl, or None if this kernel does not have it."""
        path = proc_path(key)
        text = self.text(path)
        if text is None:
            return None
        value = parse_value(key, text)
        if value is None:
            raise OomError(
                f"{path} contains {text.strip()!r}, which this collection does not know; set a known value by hand"
            )
        return value

    def boot_sources(self) -> BootSources:
        """Return every text that sets sysctls at boot.

        A file that cannot be read is left out with the reason: it may be another user's, who must
        not stop a run.
        """
        files, unreadable, left = {}, {}, MAX_BYTES_OF_ALL_FILES
        for path in [*self._boot_files(), SYSCTL_CONF]:
            try:
                files[path] = self.text(path) or ""
                left -= len(files[path])
                if left < 0 < len(files[path]):
                    raise AccessError(
                        f"{path} cannot be read: all files have more than {MAX_BYTES_OF_ALL_FILES >> 20} MiB;"
                        " remove those that nothing needs"
                    )
            except AccessError as error:
                files[path], unreadable[path] = "", str(error)
        systemd = os.path.isdir(self.path("/run/systemd/system"))  # sd_booted(3)
        return BootSources(files, self.text(COMMAND_LINE) or "", self._release, systemd, unreadable)

    def _boot_files(self) -> Iterator[str]:
        for path in name_kernel_files(self._release):
            if os.path.exists(self.path(path)):
                yield path
        for folder in self._folders():
            for name in self._list(folder):
                if name.endswith(".conf"):
                    yield folder + "/" + name

    def _folders(self) -> List[str]:
        """Return the folders of boot files, each once: /lib is a link to /usr/lib on most hosts."""
        found: Dict[bytes, str] = {}
        for folder in FOLDERS:
            found.setdefault(os.path.realpath(self.path(folder)), folder)
        return list(found.values())

    def leftovers(self, request: SysctlRequest) -> List[bytes]:
        """Return the hidden files that runs left which were killed together with their helper.

        Those are the ones of this request's file and record, and all others that begin as ours do.
        """
        own = [hidden_name(request.file), hidden_name(record_path(request.policy.manager))]
        others = [
            f"{folder}/{name}"
            for folder in self._folders()
            for name in self._list(folder)
            if name.startswith(".") and name.endswith(".conf.new")
        ]
        found = [path for path in others if self._text_or_nothing(path).startswith(HEADER_START)]
        return [self.path(path) for path in {*own, *found}]

    # --- files that the module wrote ------------------------------------------------

    def _find_own_files(self, request: SysctlRequest, sources: BootSources) -> Dict[str, OwnFile]:
        """Return the files that begin with the header of the module. Links are somebody else's."""
        header, keys, found = file_header(request.policy.manager), request.policy.keys, {}
        for path, text in sources.files.items():
            if text.startswith(header) and not os.path.islink(self.path(path)):
                is_roots = self._trusted_text(path) == text
                originals = parse_originals(text, keys) if is_roots else {}
                found[path] = OwnFile(text, parse_own_values(text, keys), originals, is_roots)
        return found

    def _read_record(self, request: SysctlRequest) -> Optional[str]:
        """Return the record of the module's live values, or None.

        Raises AccessError if it is needed, and only root may read it.
        """
        path = record_path(request.policy.manager)
        try:
            os.lstat(self.path(path))
            return self._trusted_text(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            if request.absent:
                raise AccessError(f"{path} cannot be read: {explain_failure(error)}") from error
            return None

    def _trusted_text(self, path: str) -> Optional[str]:
        """Return the text of a file that only root, or this process's user, could have written.

        None for any other. Raises PermissionError if it cannot be looked at.
        """
        from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import read_trusted

        try:
            return text_of(read_trusted(text_of(self.path(path)), MAX_FILE_BYTES, first_login_id=1).content)
        except PermissionError:
            raise
        except (UntrustedError, OSError):
            return None

    def _refuse_special_file(self, file: str) -> None:
        """Raise InputError for a link or a folder in the place of our file."""
        try:
            mode = os.lstat(self.path(file)).st_mode
        except OSError:  # there is no such file, or the reader reports why it cannot be read
            return
        if not stat.S_ISREG(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a special file"
            raise InputError(f"file={file} is {kind} and is left alone; name another file")

    # --- whether a change is possible and safe ------------------------------------

    def container(self) -> Optional[str]:
        """Return the path that shows that this is a container, or None."""
        found = next((mark for mark in CONTAINER_MARKS if os.path.exists(self.path(mark))), None)
        if found is None and "\0container=" in "\0" + (self.text("/proc/1/environ", denied="") or ""):
            found = "/proc/1/environ"
        return found

    def container_engine(self) -> Optional[str]:
        """Return the engine that starts containers on this host; None without one."""
        return next((name for socket, name in ENGINES.items() if os.path.exists(self.path(socket))), None)

    def read_only(self) -> bool:
        """Whether /proc/sys is read-only. Raises UnsupportedError if there is no /proc/sys."""
        try:
            return bool(os.statvfs(self.path(PROC_SYS)).f_flag & os.ST_RDONLY)
        except OSError as error:
            raise UnsupportedError(f"{PROC_SYS} cannot be examined: {explain_failure(error)}") from error

    def crash_kernel(self) -> bool:
        """Whether a panic starts a crash kernel (kexec), which saves the memory and reboots."""
        return (self.text("/sys/kernel/kexec_crash_loaded") or "0").strip() == "1"

    def meminfo(self) -> str:
        """Return the text of /proc/meminfo. Raises UnsupportedError if there is none."""
        text = self.text("/proc/meminfo")
        if text is None:
            raise UnsupportedError(
                "/proc/meminfo does not exist: /proc is not mounted, or mounted with subset=pid; mount all of it"
            )
        return text

    # Few settings need processes and cgroups. Their readers are imported only then, because a host
    # compiles what a module imports in each run.

    def runs(self, name: str) -> bool:
        """Whether a process of root has this name, or runs a program with this name.

        A process that an ordinary user could have started does not count: a name is only a claim.
        """
        return bool(self._root_processes([name]))

    def _root_processes(self, names: Sequence[str]) -> Set[int]:
        """Return the pids of root's processes with these names, except those of ordinary users.

        Without root, the program of a process cannot be read, and only the other facts count.
        """
        from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, Procfs

        procfs = Procfs(text_of(self.path("/proc")))
        table = ProcessTable(procfs)
        pids = {pid for name in names for pid in table.named(name)}
        if not pids:
            return pids
        from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import Identity, read_ids

        identity = Identity(procfs)
        found = set()
        for pid in pids:
            # A process that ended, or that hidepid hides, does not count.
            with contextlib.suppress(*GONE, PermissionError), procfs.open(pid) as directory:
                real_and_effective = read_ids(directory).uids[:2]
                if real_and_effective == [0, 0] and identity.why_foreign(directory) is None:
                    found.add(pid)
        return found

    def ids_in_use(self) -> Set[int]:
        """Return the ids of every user and group that a process has, or that /etc names.

        A name service is not asked: it may not answer.
        """
        found: Set[int] = set()
        for pid in self._list("/proc"):
            if pid[:1] in "123456789":
                status = self._text_or_nothing(f"/proc/{pid}/status").split("\n")
                ids = [line.split()[1:] for line in status if line.startswith(("Uid:", "Gid:"))]
                found.update(int(number) for numbers in ids for number in numbers)
        for path in ("/etc/passwd", "/etc/group"):
            lines = [line.split(":") for line in self._text_or_nothing(path).split("\n")]
            found.update(int(words[2]) for words in lines if len(words) > 2 and _ID.match(words[2]))
        return found

    def _text_or_nothing(self, path: str) -> str:
        try:
            return self.text(path) or ""
        except AccessError:
            return ""

    def _list(self, folder: str) -> List[str]:
        """Return the sorted names in a folder. Raises AccessError if it cannot be read."""
        try:
            return sorted(map(text_of, os.listdir(self.path(folder))))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise AccessError(f"{folder} cannot be read: {explain_failure(error)}") from error

    def run_kb(self) -> int:
        """Return what a run of this module and the login for it are promised on this host, in KiB.

        That is this process twice, because it forks its helper, and two processes each of sshd and
        of a shell. They are measured from those that root runs now, if LOGIN_KB is not more.
        """
        login = sum(2 * self._smallest_kb(names) for names in (SSHD, SHELLS))
        return 2 * self._promised_kb("self") + max(login, LOGIN_KB)

    def _smallest_kb(self, names: Sequence[str]) -> int:
        """Return what the smallest of root's processes with one of these names is promised."""
        return min((self._promised_kb(str(pid)) for pid in self._root_processes(names)), default=0)

    def _promised_kb(self, pid: str) -> int:
        """Return how much of the limit this process needs, in KiB; 0 if it ended.

        Private writable memory and the stack count (mm/mmap.c:accountable_mapping). Also, a
        process must leave 1/32 of its own size (mm/util.c:__vm_enough_memory).
        """
        status = self._text_or_nothing(f"/proc/{pid}/status").split("\n")
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in status if line.startswith("Vm")}
        return sizes.get("VmData", 0) + sizes.get("VmStk", 0) + sizes.get("VmSize", 0) // 32

    def pinned(self) -> List[str]:
        """Return the processes with a score below 0 that the killer may still choose, as text."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import pinned_processes
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return pinned_processes(Procfs(text_of(self.path("/proc"))))

    def limited_cgroups(self) -> List[str]:
        """Return the paths of the memory cgroups that have a limit."""
        from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import limited_cgroups
        from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs

        return limited_cgroups(Procfs(text_of(self.path("/proc"))))


def explain_failure(error: OSError) -> str:
    """Return what explain_os_error() says. Few runs need it, see Host for what an import costs."""
    from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

    return explain_os_error(error)


def hidden_name(path: str) -> str:
    """Return the name under which file_changes.py prepares a file."""
    folder, name = os.path.split(path)
    return f"{folder}/.{name}.new"


def proc_path(key: str) -> str:
    """Return the file of a sysctl in /proc/sys."""
    return PROC_SYS + "/" + key.replace(".", "/")


def _read_regular_file(path: bytes) -> Optional[bytes]:
    """Return the content of a file, up to MAX_FILE_BYTES; None for a folder.

    A link to /dev/null, which is empty, hides the files of that name in sysctl.d.
    Raises OSError if it cannot be read, and AccessError for other special files and a longer one.
    """
    try:
        # Without O_NONBLOCK the open of a FIFO waits for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise AccessError(NOT_REGULAR) from error
        raise
    try:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            return None
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == _NULL_DEVICE:
            return b""
        if not stat.S_ISREG(found.st_mode):
            raise AccessError(NOT_REGULAR)
        content = b""
        while len(content) <= MAX_FILE_BYTES:
            chunk = os.read(fd, _CHUNK_BYTES)
            if not chunk:
                return content
            content += chunk
        raise AccessError(f"it has more than {MAX_FILE_BYTES >> 10} KiB: remove what nothing needs")
    finally:
        os.close(fd)
