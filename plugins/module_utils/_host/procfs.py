# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read processes from /proc, and write their scores.

Strategy: a scan reads one file of every process below one open root directory,
which is the cheapest way to read thousands. Whatever needs certainty about one
process goes through ProcessDir, which can never reach another process with the
same pid. A process that ends during a scan is left out.

Kernel text is bytes. Only a line feed ends a line, process names are escaped when
they are read, and every read has a size limit.
The root folder is a parameter, so that tests can pass a tree of ordinary files.
Sources: proc(5), fs/proc/base.c, fs/proc/array.c.
"""

import contextlib
import os
import time
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Union

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import (
    Process,
    Thread,
    parse_process,
    parse_thread,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.task_memory import has_other_threads
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import lines_of, text_of

# The errors of a process that ended: ENOENT when its directory is looked up,
# ESRCH when a file below an already open directory is used.
GONE = (FileNotFoundError, ProcessLookupError)

CAP_SYS_RESOURCE = 24
UNSET_UID = 0xFFFFFFFF


MAX_FILE_BYTES = 16 << 20  # mountinfo and cgroup.procs of the largest hosts have some MiB
# A process may claim all of its memory as its arguments (PR_SET_MM_MAP). One argument of a new
# process has at most 128 KiB (MAX_ARG_STRLEN of include/uapi/linux/binfmts.h).
MAX_ARGUMENTS_BYTES = 128 << 10
_MAX_THREADS = 64  # of a process whose first thread ended, that are looked at
_CHUNK_BYTES = 4096
_LONG_CHUNK_BYTES = 1 << 16
_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC
CLOCK_BOOTTIME = 7  # of clock_gettime(2), which start times count; Python has the name since 3.7
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def _join_arguments(cmdline: bytes) -> str:
    return text_of(cmdline.rstrip(b"\0").replace(b"\0", b" "))


def _read_program_name(link: str, root: int) -> Optional[str]:
    """Return the base name that an exe link points to; None if it is missing or denied."""
    try:
        target = text_of(os.readlink(link.encode(), dir_fd=root))
    except (*GONE, PermissionError):
        return None
    if target.endswith(" (deleted)"):  # its package was upgraded: the old file still runs
        target = target[: -len(" (deleted)")]
    return target.rpartition("/")[2]


def read_bytes(path: Union[str, bytes], root: Optional[int] = None, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a file of the kernel, or as much of it as the limit in bytes allows.

    Only an empty chunk is the end: the kernel never splits a record, so a chunk of a file with
    many records is nearly always short (fs/seq_file.c:seq_read_iter).
    Raises OSError if it cannot be read.
    """
    fd = os.open(path, _READ_FLAGS, dir_fd=root)
    try:
        return _read_rest(fd, b"", limit)
    finally:
        os.close(fd)


def _read_record(path: str, root: int, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a file of /proc/PID that is one record, as read_bytes() does.

    A short chunk is all of it. Ending there saves one call for each of thousands.
    """
    fd = os.open(path, _READ_FLAGS, dir_fd=root)
    try:
        chunk = os.read(fd, _CHUNK_BYTES)
        return chunk if len(chunk) < _CHUNK_BYTES else _read_rest(fd, chunk, limit)
    finally:
        os.close(fd)


def _read_rest(fd: int, begun: bytes, limit: int) -> bytes:
    """Return what was read already, and the rest up to the limit."""
    chunks, size = [begun], len(begun)
    while size < limit:
        chunk = os.read(fd, min(_LONG_CHUNK_BYTES, limit - size))
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


@contextlib.contextmanager
def _open_directory(path: str, root: Optional[int] = None) -> Iterator[int]:
    fd = os.open(path, _READ_FLAGS | os.O_DIRECTORY, dir_fd=root)
    try:
        yield fd
    finally:
        os.close(fd)


def find_start(process: Process) -> float:
    """Return when a process began, in seconds since the epoch by the clock of now."""
    return time.time() - time.clock_gettime(CLOCK_BOOTTIME) + process.start_time / _TICKS


class ProcessDir:
    """One open /proc/PID directory; use it in a with statement.

    The kernel ties the open directory to one process. When that process ends, every
    access fails with ESRCH, even after its pid was given to another process. A check
    and a write through the same directory therefore cannot reach the wrong process.

    The constructor and all methods except executable() raise one of GONE if the process ended.
    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, _READ_FLAGS | os.O_DIRECTORY)

    def __enter__(self) -> "ProcessDir":
        return self

    def __exit__(self, *_unused: object) -> None:
        os.close(self._fd)

    def _read(self, name: str) -> bytes:
        return _read_record(name, self._fd)

    def status(self) -> List[str]:
        """Return the lines of /proc/PID/status."""
        return lines_of(self._read("status"))

    def login_uid(self) -> Optional[int]:
        """Return the uid of the login that it descends from, which survives su and sudo.

        None if it descends from no login, or the kernel keeps no record (CONFIG_AUDIT).
        Source: kernel/auditsc.c, kernel/audit.c:audit_set_loginuid.
        """
        try:
            uid = int(self._read("loginuid"))
        except (OSError, ValueError):
            return None
        return None if uid == UNSET_UID else uid

    def executable_file(self) -> Optional[Tuple[bytes, os.stat_result]]:
        """Return the path that /proc/PID/exe shows, and the facts of the file itself.

        None if it has no program, or access is denied. Raises one of GONE if it ended.
        """
        try:
            return os.readlink(b"exe", dir_fd=self._fd), os.stat(b"exe", dir_fd=self._fd)
        except (FileNotFoundError, PermissionError):  # a zombie; without CAP_SYS_PTRACE
            return None

    def process(self) -> Process:
        """Return the fields of Process, from /proc/PID/stat."""
        return parse_process(self._read("stat"), _PAGE_KB)

    def executable(self) -> Optional[str]:
        """Return the base name of its program, from /proc/PID/exe.

        Returns None for a kernel thread or a zombie, if access is denied, and if the process ended.
        """
        return _read_program_name("exe", self._fd)

    def command_line(self) -> str:
        """Return its arguments joined by blanks, up to MAX_ARGUMENTS_BYTES.

        The text is empty for kernel threads and zombies.
        """
        return _join_arguments(_read_record("cmdline", self._fd, MAX_ARGUMENTS_BYTES))

    def arguments(self) -> List[str]:
        """Return its arguments, up to MAX_ARGUMENTS_BYTES; none for kernel threads and zombies."""
        content = _read_record("cmdline", self._fd, MAX_ARGUMENTS_BYTES)
        return [text_of(word) for word in content.split(b"\0")[:-1]]

    def read_program(self, limit: int) -> bytes:
        """Return the first bytes of its program; none if access is denied, or it has no program."""
        try:
            return read_bytes("exe", self._fd, limit)
        except (FileNotFoundError, PermissionError):
            return b""

    def cgroups(self) -> List[str]:
        """Return the paths of its cgroups, one for each hierarchy, from /proc/PID/cgroup."""
        return [line.split(":", 2)[2] for line in lines_of(self._read("cgroup"))]

    def score(self) -> int:
        """Return its oom_score_adj, -1000 to 1000."""
        return int(self._read("oom_score_adj"))

    def threads(self) -> List[Thread]:
        """Return its threads, except those that end during the scan."""
        threads = []
        with _open_directory("task", self._fd) as task:
            for name in os.listdir(task):
                try:
                    threads.append(parse_thread(_read_record(name + "/stat", task)))
                except GONE:
                    continue
        return threads

    def memory_kb(self) -> int:
        """Return the memory that the killer counts: resident, swap and page tables, in KiB.

        Sources: /proc/PID/status for the numbers, mm/oom_kill.c:oom_badness for the rule.
        """
        total = 0
        for line in lines_of(self._read("status")):
            if line.startswith(("VmRSS:", "VmSwap:", "VmPTE:")):
                total += int(line.split()[1])
        return total

    def may_set_score(self) -> bool:
        """Return whether the caller may open its oom_score_adj for writing; writes nothing."""
        return os.access("oom_score_adj", os.W_OK, dir_fd=self._fd, effective_ids=True)

    def set_score(self, score: int) -> None:
        """Write its oom_score_adj, -1000 to 1000.

        Raises PermissionError if a lower score needs CAP_SYS_RESOURCE, and OSError (EINVAL) for a
        score out of range. Source: fs/proc/base.c:__set_oom_adj.
        """
        # Plain decimal: the kernel would read a leading zero as octal.
        fd = os.open("oom_score_adj", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            os.write(fd, b"%d" % score)
        finally:
            os.close(fd)


class Procfs:
    """A mounted process file system, /proc unless a test passes another root.

    Methods that read many processes leave out those that end during the scan. They also leave out
    those that the mount option hidepid denies to us, and add their pids to the attribute hidden.
    """

    def __init__(self, root: str = "/proc") -> None:
        self.root = root
        self.hidden: Set[int] = set()

    def pids(self) -> List[int]:
        """Return the pids of all processes, kernel threads too."""
        return [int(name) for name in os.listdir(self.root) if name.isdigit()]

    def open(self, pid: int) -> ProcessDir:
        """Return the open directory of a process; raise one of GONE if there is no such process."""
        return ProcessDir(os.path.join(self.root, str(pid)))

    def processes(self) -> List[Process]:
        """Return every process except kernel threads."""
        processes = []
        for _pid, stat in self._read_all("stat"):
            process = parse_process(stat, _PAGE_KB)
            if not process.kernel_thread:
                processes.append(process)
        return processes

    def scores(self, pids: Optional[Iterable[int]] = None) -> Dict[int, int]:
        """Return oom_score_adj by pid, for these processes or for all, kernel threads too."""
        return {pid: int(text) for pid, text in self._read_all("oom_score_adj", pids)}

    def command_lines(self, pids: Optional[Iterable[int]] = None) -> Dict[int, str]:
        """Return the arguments, joined by blanks, by pid, for these processes or for all."""
        return {pid: _join_arguments(raw) for pid, raw in self._read_all("cmdline", pids, MAX_ARGUMENTS_BYTES)}

    def executables(self, pids: Optional[Iterable[int]] = None) -> Dict[int, str]:
        """Return the base name of the program by pid, for these processes or for all.

        Processes for which ProcessDir.executable() returns None are left out.
        """
        names = {}
        with _open_directory(self.root) as root:
            for pid in self.pids() if pids is None else pids:
                name = _read_program_name(f"{pid}/exe", root)
                if name is not None:
                    names[pid] = name
        return names

    def _read_all(
        self, name: str, pids: Optional[Iterable[int]] = None, limit: int = MAX_FILE_BYTES
    ) -> Iterator[Tuple[int, bytes]]:
        """Yield pid and content of this file of every process that we may read."""
        # Opening each PID directory first would be one more system call for each process.
        with _open_directory(self.root) as root:
            for pid in self.pids() if pids is None else pids:
                try:
                    yield pid, _read_record(f"{pid}/{name}", root, limit)
                except GONE:
                    continue
                except PermissionError:  # mounted with hidepid, and we are not root
                    self.hidden.add(pid)

    def tasks(
        self, processes: Optional[Mapping[int, Process]] = None, scores: Optional[Mapping[int, int]] = None
    ) -> Iterator[Tuple[Process, bytes, int, bytes]]:
        """Yield every process except kernel threads, its status and oom_score_adj, and its cgroups.

        The status is that of another thread if the first one ended and the process did not. What
        C(processes) and C(scores) have by pid is not read again.
        """
        processes, scores = processes or {}, scores or {}
        with _open_directory(self.root) as root:
            for pid in processes or self.pids():
                try:
                    process = processes.get(pid) or parse_process(_read_record(f"{pid}/stat", root), _PAGE_KB)
                    if process.kernel_thread:
                        continue
                    status = _read_record(f"{pid}/status", root)
                    if b"\nVmRSS:" not in status and has_other_threads(status):
                        status = self._read_living_thread(pid, root) or status
                    score = scores[pid] if pid in scores else int(_read_record(f"{pid}/oom_score_adj", root))
                    yield process, status, score, _read_record(f"{pid}/cgroup", root)
                except GONE:
                    continue
                except PermissionError:  # mounted with hidepid, and we are not root
                    self.hidden.add(pid)

    @staticmethod
    def _read_living_thread(pid: int, root: int) -> Optional[bytes]:
        """Return the status of the first thread that has memory; None without one."""
        with _open_directory(f"{pid}/task", root) as task:
            for name in sorted(os.listdir(task), key=int)[:_MAX_THREADS]:
                with contextlib.suppress(*GONE):
                    status = _read_record(name + "/status", task)
                    if b"\nVmRSS:" in status:
                        return status
        return None

    def shown_scores(self, pids: Iterable[int]) -> Dict[int, int]:
        """Return oom_score by pid: the kernel's own ranking of these processes, in coarse steps."""
        return {pid: int(text) for pid, text in self._read_all("oom_score", pids)}

    def owner(self, pid: int) -> Optional[int]:
        """Return the effective user id of a process; None if it ended.

        That is the owner of /proc/PID (fs/proc/base.c:task_dump_owner).
        """
        try:
            return os.stat(os.path.join(self.root, str(pid))).st_uid
        except GONE:
            return None

    def ancestors(self, pid: int) -> List[int]:
        """Return this pid, its parent's pid, and so on up to pid 1.

        If a process ended, the list stops at its pid.
        """
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
        """Return the text of a file below the root, such as vmstat or sys/vm/panic_on_oom.

        Raises NotFoundError if it does not exist, AccessError if it cannot be read.
        """
        return text_of(self._read_file(name))

    def read_lines(self, name: str) -> List[str]:
        """Return the lines of a file below the root; raises as read() does."""
        return lines_of(self._read_file(name))

    def _read_file(self, name: str) -> bytes:
        path = os.path.join(self.root, name)
        try:
            return read_bytes(path)
        except FileNotFoundError:
            raise NotFoundError(
                f"{path} does not exist: this kernel does not offer it, or not all of /proc is mounted; mount all of it"
            ) from None
        except OSError as error:
            from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

            raise AccessError(f"{path} cannot be read: {explain_os_error(error)}") from error

    def oom_kills(self) -> Optional[int]:
        """Return how many processes the killer killed since boot; None before kernel 4.13.

        Source: oom_kill in /proc/vmstat. Raises as read() does.
        """
        for line in self.read_lines("vmstat"):
            words = line.split()
            if words[:1] == ["oom_kill"]:
                return int(words[1])
        return None

    def memory_kb(self, *keys: str) -> int:
        """Return the sum of these lines of /proc/meminfo, such as MemAvailable, in KiB.

        All are read at the same moment. Raises UnsupportedError for a line that this kernel
        does not have, otherwise as read() does.
        """
        meminfo = Meminfo(self.read("meminfo"))
        return sum(meminfo[key] for key in keys)

    def has_cap_sys_resource(self) -> bool:
        """Return whether this process may lower scores: CAP_SYS_RESOURCE is effective.

        Sources: capabilities(7), oom_score_adj in proc(5). Raises as read() does.
        """
        for line in self.read_lines("self/status"):
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
        return False
