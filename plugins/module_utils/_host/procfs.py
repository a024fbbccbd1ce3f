# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""The process file system, read and written through one door.

The root folder is handed in, so that tests give a tree of ordinary files.
Sources: proc(5), fs/proc/base.c, fs/proc/array.c.
"""

import contextlib
import os
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo

# How a process that ended shows itself: ENOENT when its directory is looked
# up, ESRCH when a file below an already open directory is used.
GONE = (FileNotFoundError, ProcessLookupError)

SCORE_MIN, SCORE_MAX = -1000, 1000  # OOM_SCORE_ADJ_MIN, _MAX of include/uapi/linux/oom.h

CAP_SYS_RESOURCE = 24
PF_KTHREAD = 0x00200000


class Process(NamedTuple):
    """What identifies a process and what else /proc/PID/stat says at no extra cost."""

    pid: int
    name: str  # comm, at most 15 bytes
    start_time: int  # clock ticks after boot; with the pid it names one process for ever
    parent: int
    kernel_thread: bool
    resident_kb: int

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


class Thread(NamedTuple):
    """What /proc/PID/task/TID/stat says of how a thread spends its time."""

    tid: int
    state: str  # R running or ready, S asleep, D asleep and deaf to signals, T or t stopped, Z and X ended
    cpu_ticks: int


_CHUNK = 4096
_READ = os.O_RDONLY | os.O_CLOEXEC
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def _process(stat: bytes) -> Process:
    """What /proc/PID/stat says."""
    # The name may hold blanks and brackets: it ends at the last ")".
    head, _bracket, tail = stat.rpartition(b")")
    pid, _blank, name = head.partition(b" (")
    fields = tail.split(None, 22)
    flags = int(fields[6])
    # In the order of the fields above: names would cost more than all the rest, thousands of times.
    return Process(
        int(pid),
        name.decode("utf-8", "backslashreplace"),
        int(fields[19]),
        int(fields[1]),
        bool(flags & PF_KTHREAD),
        int(fields[21]) * _PAGE_KB,
    )


def _thread(stat: bytes) -> Thread:
    head, _bracket, tail = stat.rpartition(b")")
    fields = tail.split(None, 14)
    return Thread(int(head.partition(b" ")[0]), fields[0].decode(), int(fields[11]) + int(fields[12]))


def _command_line(arguments: bytes) -> str:
    return arguments.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace")


def _executable(link: str, root: int) -> Optional[str]:
    try:
        target = os.readlink(link, dir_fd=root)
    except GONE:
        return None
    except PermissionError:
        return None
    if target.endswith(" (deleted)"):  # an upgraded package: the old file still runs
        target = target[: -len(" (deleted)")]
    return target.rpartition("/")[2]


def _content(path: str, root: int) -> bytes:
    fd = os.open(path, _READ, dir_fd=root)
    try:
        content = chunk = os.read(fd, _CHUNK)
        while len(chunk) == _CHUNK:  # nearly all fits into one, and one call less for thousands of files counts
            chunk = os.read(fd, _CHUNK)
            content += chunk
        return content
    finally:
        os.close(fd)


@contextlib.contextmanager
def _directory(path: str, root: Optional[int] = None) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    try:
        yield fd
    finally:
        os.close(fd)


class ProcessDir:
    """One open /proc/PID directory.

    The kernel ties the open directory to one process: when that process ends,
    every access fails with ESRCH, even after the pid was given to another.
    Look-up and write through the same directory therefore cannot hit a stranger.
    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> "ProcessDir":
        return self

    def __exit__(self, *_unused: object) -> None:
        os.close(self._fd)

    def _read(self, name: str) -> bytes:
        return _content(name, self._fd)

    def process(self) -> Process:
        return _process(self._read("stat"))

    def executable(self) -> Optional[str]:
        """Base name of the program; None where there is none or it may not be read."""
        return _executable("exe", self._fd)

    def command_line(self) -> str:
        """Arguments joined by blanks; empty for kernel threads and zombies."""
        return _command_line(self._read("cmdline"))

    def cgroups(self) -> List[str]:
        """Paths of the cgroups that the process is in, one for each hierarchy."""
        lines = self._read("cgroup").decode("utf-8", "backslashreplace").splitlines()
        return [line.split(":", 2)[2] for line in lines]

    def score(self) -> int:
        return int(self._read("oom_score_adj"))

    def threads(self) -> List[Thread]:
        """Every thread of it."""
        found = []
        with _directory("task", self._fd) as task:
            for name in os.listdir(task):
                try:
                    found.append(_thread(_content(name + "/stat", task)))
                except GONE:
                    continue
        return found

    def memory_kb(self) -> int:
        """What the killer counts: resident memory, swap and page tables, in KiB (mm/oom_kill.c:oom_badness)."""
        counted = 0
        for line in self._read("status").decode("utf-8", "replace").splitlines():
            if line.startswith(("VmRSS:", "VmSwap:", "VmPTE:")):
                counted += int(line.split()[1])
        return counted

    def set_score(self, score: int) -> None:
        # Plain decimal: the kernel would read a leading zero as octal.
        fd = os.open("oom_score_adj", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            os.write(fd, b"%d" % score)
        finally:
            os.close(fd)


class Procfs:
    """A mounted process file system."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root
        self.hidden: Set[int] = set()  # processes of others that we were not allowed to look at

    def pids(self) -> List[int]:
        return [int(name) for name in os.listdir(self.root) if name.isdigit()]

    def open(self, pid: int) -> ProcessDir:
        """Raises one of GONE when there is no such process."""
        return ProcessDir(os.path.join(self.root, str(pid)))

    def processes(self) -> List[Process]:
        """Every process but kernel threads; those that end meanwhile are left out."""
        found = []
        for _pid, stat in self._read_all("stat"):
            process = _process(stat)
            if not process.kernel_thread:
                found.append(process)
        return found

    def scores(self, pids: Optional[Iterable[int]] = None) -> Dict[int, int]:
        """Score by pid, of these processes or of every one, kernel threads too; those that are gone are left out."""
        return {pid: int(text) for pid, text in self._read_all("oom_score_adj", pids)}

    def command_lines(self, pids: Optional[Iterable[int]] = None) -> Dict[int, str]:
        """As C(ProcessDir.command_line), by pid, of these processes or of every one."""
        return {pid: _command_line(text) for pid, text in self._read_all("cmdline", pids)}

    def executables(self, pids: Optional[Iterable[int]] = None) -> Dict[int, str]:
        """As C(ProcessDir.executable), by pid, of these processes or of every one, if they have one."""
        found = {}
        with _directory(self.root) as root:
            for pid in self.pids() if pids is None else pids:
                name = _executable(f"{int(pid)}/exe", root)
                if name is not None:
                    found[pid] = name
        return found

    def _read_all(self, name: str, pids: Optional[Iterable[int]] = None) -> Iterator[Tuple[int, bytes]]:
        """This file of every process that we may see. No directory is opened for each: that is the cheapest look at all of them."""
        path = "%d/" + name
        with _directory(self.root) as root:
            for pid in self.pids() if pids is None else pids:
                try:
                    yield pid, _content(path % pid, root)
                except GONE:
                    continue
                except PermissionError:  # mounted with hidepid, and we are not root
                    self.hidden.add(pid)

    def owner(self, pid: int) -> Optional[int]:
        """User id of a process; None when it is gone."""
        try:
            return os.stat(os.path.join(self.root, str(pid))).st_uid
        except GONE:
            return None

    def ancestors(self, pid: int) -> List[int]:
        """The process itself, its parent, and so on up to pid 1."""
        line = []
        while pid > 0:
            line.append(pid)
            try:
                with self.open(pid) as directory:
                    pid = directory.process().parent
            except GONE:
                break
        return line

    def read(self, name: str) -> str:
        """Text of a file below the root, such as C(vmstat) or C(sys/vm/panic_on_oom)."""
        path = os.path.join(self.root, name)
        try:
            with open(path, encoding="utf-8", errors="backslashreplace") as stream:
                return stream.read()
        except FileNotFoundError:
            raise NotFoundError(f"{path} does not exist: this kernel does not offer it, or /proc is not mounted")
        except PermissionError as error:
            raise AccessError(f"{path} cannot be read: {error.strerror}")

    def oom_kills(self) -> Optional[int]:
        """Processes that the killer took since boot; None before kernel 4.13."""
        for line in self.read("vmstat").splitlines():
            words = line.split()
            if words[:1] == ["oom_kill"]:
                return int(words[1])
        return None

    def memory_kb(self, *keys: str) -> int:
        """Sum of these lines of meminfo, such as C(MemAvailable), in KiB, as they are at one moment."""
        found = Meminfo(self.read("meminfo"))
        return sum(found[key] for key in keys)

    def has_cap_sys_resource(self) -> bool:
        """Whether scores may be lowered (capabilities(7), oom_score_adj in proc(5))."""
        for line in self.read("self/status").splitlines():
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
        return False
