# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out which file and line sets a sysctl at boot.

Pure: the text of files and of the kernel's command line goes in, values come out.
Names are written with dots, as C(vm.panic_on_oom).
Sources: sysctl.d(5), systemd:src/sysctl/sysctl.c, procps:src/sysctl.c,
fs/proc/proc_sysctl.c:process_sysctl_arg, kernel/panic.c, and for the file of one kernel
suse-module-tools:kernel-sysctl.service, boot-sysctl.service and 50-kernel-uname_r.conf.
"""

import fnmatch
import posixpath
import re
from types import MappingProxyType
from typing import Container, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name

COMMAND_LINE = "/proc/cmdline"
COMMAND_LINE_SINCE = (5, 8)  # the first kernel that reads sysctl.NAME=VALUE there

# Of files with the same name, the one in the first folder counts (sysctl.d(5)).
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
VOLATILE = "/run/sysctl.d"  # empty after a boot, unless something fills it again
SYSCTL_CONF = "/etc/sysctl.conf"  # procps reads it last, systemd only through a link in a folder

# mm/util.c:overcommit_ratio_handler, overcommit_kbytes_handler: a write to one zeroes the other.
EXCLUSIVE = {"vm.overcommit_ratio": "vm.overcommit_kbytes", "vm.overcommit_kbytes": "vm.overcommit_ratio"}

# What the kernel accepts (kernel/sysctl.c, mm/util.c, mm/oom_kill.c). It refuses any other value
# and keeps the old one.
_INT, _UNSIGNED_LONG = (-(1 << 31), (1 << 31) - 1), (0, (1 << 64) - 1)
RANGES = {
    "vm.overcommit_memory": (0, 2),
    "vm.panic_on_oom": (0, 2),
    "vm.overcommit_kbytes": _UNSIGNED_LONG,
    "vm.admin_reserve_kbytes": _UNSIGNED_LONG,
    "vm.user_reserve_kbytes": _UNSIGNED_LONG,
}
_LONGEST_NUMBER = 20  # kernel/sysctl.c:proc_get_long refuses more characters (TMPBUFLEN)
_SPACES = " \t\n\v\f\r"  # only these end a word; names may hold what str.split() takes for a blank
_NUMBER = re.compile(r"(-?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))\Z")  # lib/kstrtox.c: base 0

_LONGEST_WORD = 60  # of a file, in a message

# What every kernel starts with. The other sysctls start with a value that depends on the kernel's
# configuration or on the host's memory.
DEFAULTS = MappingProxyType(
    {
        "vm.overcommit_memory": 0,
        "vm.overcommit_ratio": 50,
        "vm.overcommit_kbytes": 0,
        "vm.panic_on_oom": 0,
        "vm.oom_kill_allocating_task": 0,
        "vm.oom_dump_tasks": 1,
    }
)


class Assignment(NamedTuple):
    """One line that sets a sysctl, or every sysctl that matches a pattern."""

    key: str
    value: Optional[str]  # None: the line sets nothing and excludes the key from all patterns
    path: str
    line: int

    def __str__(self) -> str:
        return self.path if self.path == COMMAND_LINE else f"{printable_name(self.path)} line {self.line}"


class BootValue(NamedTuple):
    """The value of a sysctl at boot, and the assignment that decides it."""

    value: Optional[int]  # None: depends on the kernel's configuration, or on the host's memory
    source: Optional[Assignment]  # None: nothing sets it. The kernel may refuse it; it may be an exclusion

    def __str__(self) -> str:
        start = "its own default" if self.value is None else str(self.value)
        if self.source is None:
            return f"nothing sets it, so the kernel starts with {start}"
        if self.source.value is None:
            return f"{self.source} excludes it, so the kernel starts with {start}"
        word = _cut(_first_word(self.source.value) or "an empty value")
        if parse_value(self.source.key, self.source.value) is None:
            return f"{self.source} sets it to {word}, which the kernel refuses, so it stays {start}"
        return f"{self.source} sets {_cut(self.source.key)} to {word}"


class BootSources(NamedTuple):
    """Everything that sets sysctls when one host boots."""

    files: Dict[str, str]  # text by path: the *.conf files of FOLDERS, SYSCTL_CONF, and the kernel's own
    command_line: str
    kernel_release: str  # as uname -r prints it
    systemd: bool  # systemd-sysctl reads the files; without systemd, sysctl --system of procps does
    unreadable: Mapping[str, str] = {}  # why a file could not be read, by path; its text is empty

    def with_file(self, path: str, text: Optional[str]) -> "BootSources":
        """Return the sources with this text in a file. None changes nothing."""
        return self if text is None else self._replace(files={**self.files, path: text})

    def without_files(self, paths: Container[str]) -> "BootSources":
        """Return the sources without these files."""
        return self._replace(files={path: text for path, text in self.files.items() if path not in paths})


# --- one line ---------------------------------------------------------------------


def normalize_key(name: str) -> str:
    """Return the name of a sysctl with dots between its parts.

    The first separator decides: after a slash a dot is part of a name, after a dot a slash is.
    """
    name = name.strip(_SPACES)
    first = re.search(r"[./]", name)
    if first and first.group() == "/":
        name = name.translate(str.maketrans("/.", "./"))
    return ".".join(part for part in name.split(".") if part)


def parse_value(key: str, text: Optional[str]) -> Optional[int]:
    """Return the number that the kernel reads in a text, or None if the kernel refuses it."""
    word = _first_word(text or "")
    match = _NUMBER.match(word)
    if match is None or len(word) > _LONGEST_NUMBER:
        return None
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    value = -value if sign else value
    low, high = RANGES.get(key, _INT)
    return value if low <= value <= high else None


def _first_word(text: str) -> str:
    """Return the text up to its first blank, without leading blanks."""
    return re.split(f"[{_SPACES}]", text.strip(_SPACES), maxsplit=1)[0]


def _cut(word: str) -> str:
    """Return a word of a file as one line of a bounded length."""
    return printable_name(word[:_LONGEST_WORD]) + ("..." if len(word) > _LONGEST_WORD else "")


def parse_assignments(text: str, path: str) -> Iterator[Assignment]:
    """Yield the assignments of a file in the format of sysctl.d(5), in order."""
    for line, content in enumerate(text.split("\n"), 1):
        content = content.strip(_SPACES)
        if not content or content[0] in "#;":
            continue
        name, equals, value = content.partition("=")
        # A minus makes errors harmless. Without a value it excludes the key from patterns.
        minus = name.startswith("-")
        if equals or minus:
            yield Assignment(
                normalize_key(name[1:] if minus else name), value.strip(_SPACES) if equals else None, path, line
            )


def parse_command_line(text: str, sysctls: bool = True) -> List[Assignment]:
    """Return the assignments of the kernel's command line, in the order in which they are applied.

    C(sysctls) is false for a kernel before 5.8, which does not read C(sysctl.NAME=VALUE).
    """
    early, late = [], []
    for word in re.split(f"[{_SPACES}]+", text):
        name, equals, value = word.partition("=")
        if name == "panic" and equals:
            early.append(Assignment("kernel.panic", value, COMMAND_LINE, 1))
        elif word == "oops=panic":
            early.append(Assignment("kernel.panic_on_oops", "1", COMMAND_LINE, 1))
        elif sysctls and re.match(r"sysctl[./]", name) and equals:
            late.append(Assignment(name[len("sysctl.") :].replace("/", "."), value, COMMAND_LINE, 1))
    return early + late


# --- the next boot ----------------------------------------------------------------


def values_at_boot(
    keys: Iterable[str],
    sources: BootSources,
    volatile: bool = False,
    procps: bool = False,
    start: Mapping[str, int] = DEFAULTS,
) -> Dict[str, BootValue]:
    """Return what the next boot sets, by sysctl.

    C(volatile) includes the present files in /run. C(procps) reads the files as
    C(sysctl --system) does, even on a host with systemd. C(start) has the values of
    sysctls that nothing sets.
    """
    procps = procps or not sources.systemd
    order = list_boot_files(sources, volatile, procps)
    assignments = {path: list(parse_assignments(sources.files[path], path)) for path in order}
    early = [path for path in order if path in name_kernel_files(sources.kernel_release)]
    kernel = tuple(int(part) for part in re.findall(r"\d+", sources.kernel_release)[:2])
    return resolve_assignments(
        keys,
        [
            *parse_command_line(sources.command_line, kernel >= COMMAND_LINE_SINCE),
            *(assignment for path in early for assignment in assignments[path]),
        ],
        (assignment for path in order if path not in early for assignment in assignments[path]),
        procps,
        start,
    )


def name_kernel_files(release: str) -> List[str]:
    """Return where SUSE's kernels have sysctls of their own. The first one that exists is read."""
    return [f"/usr/lib/modules/{release}/sysctl.conf", f"/boot/sysctl.conf-{release}"]


def list_boot_files(sources: BootSources, volatile: bool = False, procps: bool = False) -> List[str]:
    """Return the files that the next boot reads, in this order.

    C(volatile) and C(procps) are those of values_at_boot().
    """
    early = [path for path in name_kernel_files(sources.kernel_release) if path in sources.files]
    in_folders = [path for path in sources.files if posixpath.dirname(path) in FOLDERS]
    if not volatile:
        in_folders = [path for path in in_folders if posixpath.dirname(path) != VOLATILE]
    order = [path for path in order_files(in_folders) if procps or not posixpath.basename(path).startswith(".")]
    return [*early[:1], *order, *(path for path in [SYSCTL_CONF] if procps and path in sources.files)]


def order_files(paths: Iterable[str]) -> List[str]:
    """Return the files that count in the order of their names, whatever their folders."""
    chosen: Dict[str, str] = {}
    for path in sorted(paths, key=lambda path: FOLDERS.index(posixpath.dirname(path))):
        chosen.setdefault(posixpath.basename(path), path)
    return [chosen[name] for name in sorted(chosen)]


def resolve_assignments(
    keys: Iterable[str],
    kernel: Iterable[Assignment],
    files: Iterable[Assignment],
    procps: bool = False,
    start: Mapping[str, int] = DEFAULTS,
) -> Dict[str, BootValue]:
    """Return the values after the kernel's assignments and then those of all files, each in order.

    An assignment to a name beats any pattern, wherever the pattern stands.
    """
    values = {key: BootValue(start.get(key), None) for key in keys}
    for assignment in kernel:
        _assign(values, assignment.key, assignment)
    last = _last_assignments(files, procps)
    for assignment in last.values():
        if not set("*?[") & set(assignment.key):
            _assign(values, assignment.key, assignment)
            continue
        # A pattern is expanded in sorted order: of a pair, the second is written last.
        for key in sorted({*values, *EXCLUSIVE}):
            if key not in last and _matches(key, assignment.key):
                _assign(values, key, assignment)
    return {key: values[key] for key in keys}


def _last_assignments(assignments: Iterable[Assignment], procps: bool) -> Dict[str, Assignment]:
    """Return the last assignment to each name or pattern, in the order in which they are written.

    An exclusion also cancels earlier assignments to that name, but not with procps.
    """
    last: Dict[str, Assignment] = {}
    for assignment in assignments:
        if procps and assignment.value is None and assignment.key in last:
            continue
        if assignment.key in last and last[assignment.key].value != assignment.value:
            # Only a new value moves to the end. That matters for two that zero each other.
            del last[assignment.key]
        last[assignment.key] = assignment
    return last


def _matches(key: str, pattern: str) -> bool:
    """Match like glob(7) does for paths: no wildcard crosses a separator."""
    # Of stars in a row one is enough, and many would take a pattern's matcher very long.
    parts, patterns = key.split("."), re.sub(r"\*+", "*", pattern).split(".")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _assign(values: Dict[str, BootValue], key: str, assignment: Assignment) -> None:
    value = parse_value(key, assignment.value)
    if value is None:
        if key in values:
            values[key] = values[key]._replace(source=assignment)
        return
    if key in values:
        values[key] = BootValue(value, assignment)
    other = EXCLUSIVE.get(key)
    if other in values:
        values[other] = BootValue(0, assignment)
