# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""What sets a sysctl at boot, and which of them wins.

Pure: the text of files and of the kernel's command line in, assignments out.
Names are written with dots, as C(vm.panic_on_oom).
Sources: sysctl.d(5), systemd:src/sysctl/sysctl.c, procps:src/sysctl.c,
fs/proc/proc_sysctl.c:process_sysctl_arg, kernel/panic.c.
"""

import fnmatch
import os
import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional

COMMAND_LINE = "/proc/cmdline"

# Files of the same name: the first folder wins (sysctl.d(5)).
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")

# mm/util.c:overcommit_ratio_handler, overcommit_kbytes_handler: a write to one makes the other zero.
EXCLUSIVE = {"vm.overcommit_ratio": "vm.overcommit_kbytes", "vm.overcommit_kbytes": "vm.overcommit_ratio"}

# What the kernel takes (kernel/sysctl.c, mm/util.c, mm/oom_kill.c); it refuses the rest, and the value before stays.
RANGES = {"vm.overcommit_memory": (0, 2), "vm.panic_on_oom": (0, 2)}
_NUMBER = re.compile(r"(-?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))\Z")  # lib/kstrtox.c: base 0

# What a kernel starts with where nothing says otherwise; the rest depends on its configuration or on the memory of the host.
DEFAULTS = {
    "vm.overcommit_memory": 0,
    "vm.overcommit_ratio": 50,
    "vm.overcommit_kbytes": 0,
    "vm.panic_on_oom": 0,
    "vm.oom_kill_allocating_task": 0,
    "vm.oom_dump_tasks": 1,
}


class Assignment(NamedTuple):
    """One line that sets a sysctl, or sysctls that match a pattern."""

    key: str
    value: Optional[str]  # None: a line that takes the key out of all patterns, and sets nothing
    path: str
    line: int

    def __str__(self) -> str:
        return self.path if self.path == COMMAND_LINE else f"{self.path} line {self.line}"


class Found(NamedTuple):
    """A value at boot and the assignment that decides on it; None for what the kernel starts with."""

    value: Optional[int]  # None: depends on the kernel's configuration, or on the host's memory
    source: Optional[Assignment]  # it may be one that the kernel refuses, or that takes an earlier one back

    def __str__(self) -> str:
        start = "its own value" if self.value is None else str(self.value)
        if self.source is None:
            return f"nothing sets it, and the kernel starts with {start}"
        if self.source.value is None:
            return f"{self.source} keeps it from being set, and the kernel starts with {start}"
        word = (self.source.value.split() or ["nothing"])[0]
        if number(self.source.key, self.source.value) is None:
            return f"{self.source} sets it to {word}, which the kernel refuses, so that it stays {start}"
        return f"{self.source} sets {self.source.key} to {word}"


def normalize(name: str) -> str:
    """With dots between the parts, whichever way it was written: with slashes a dot is part of a name, and the other way round."""
    name = name.strip()
    first = re.search(r"[./]", name)
    if first and first.group() == "/":
        name = name.translate(str.maketrans("/.", "./"))
    return ".".join(part for part in name.split(".") if part)


def number(key: str, text: Optional[str]) -> Optional[int]:
    """The value that the kernel makes of a text; None where it refuses."""
    match = _NUMBER.match(((text or "").split() or [""])[0])
    if match is None:
        return None
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    value = -value if sign else value
    low, high = RANGES.get(key, (value, value))
    return value if low <= value <= high else None


def assignments(text: str, path: str) -> Iterator[Assignment]:
    """The assignments of a file in the format of sysctl.d(5), in order."""
    for line, content in enumerate(text.split("\n"), 1):
        content = content.strip()
        if not content or content[0] in "#;":
            continue
        name, equals, value = content.partition("=")
        quiet = name.startswith("-")  # errors are no errors; without a value it is an exception from patterns
        if equals or quiet:
            yield Assignment(normalize(name[1:] if quiet else name), value.strip() if equals else None, path, line)


def command_line(text: str, sysctls: bool = True) -> Iterator[Assignment]:
    """The assignments of the kernel's command line, in the order in which they count. Before 5.8 it knew no C(sysctls) there."""
    early, late = [], []
    for word in text.split():
        name, equals, value = word.partition("=")
        if name == "panic" and equals:
            early.append(Assignment("kernel.panic", value, COMMAND_LINE, 1))
        elif word == "oops=panic":
            early.append(Assignment("kernel.panic_on_oops", "1", COMMAND_LINE, 1))
        elif sysctls and re.match(r"sysctl[./]", name) and equals:
            late.append(Assignment(name[len("sysctl.") :].replace("/", "."), value, COMMAND_LINE, 1))
    return iter(early + late)


def in_order(paths: Iterable[str]) -> List[str]:
    """Which of these files count, in the order in which they are read: by name, whatever their folder."""
    chosen: Dict[str, str] = {}
    for path in sorted(paths, key=lambda path: FOLDERS.index(os.path.dirname(path))):
        chosen.setdefault(os.path.basename(path), path)
    return [chosen[name] for name in sorted(chosen)]


def at_boot(
    keys: Iterable[str], first: Iterable[Assignment], then: Iterable[Assignment], procps: bool = False
) -> Dict[str, Found]:
    """What these sysctls will be, from the command line and then from all files in order.

    Of several assignments to one name the last counts. One to a pattern counts
    for the names that have none of their own, wherever it stands. An exception
    from patterns also takes back what the name was assigned before, but not
    for C(procps).
    """
    values = {key: Found(DEFAULTS.get(key), None) for key in keys}
    for assignment in first:
        _set(values, assignment.key, assignment)
    last: Dict[str, Assignment] = {}
    for assignment in then:
        if procps and assignment.value is None and assignment.key in last:
            continue
        if assignment.key in last and last[assignment.key].value != assignment.value:
            del last[assignment.key]  # said again it keeps its place, which matters to those that make another zero
        last[assignment.key] = assignment
    for assignment in last.values():
        if not set("*?[") & set(assignment.key):
            _set(values, assignment.key, assignment)
            continue
        for key in sorted({*values, *EXCLUSIVE}):  # as a folder is read: of a pair the second is written last
            if key not in last and _matches(key, assignment.key):
                _set(values, key, assignment)
    return {key: values[key] for key in keys}


def _matches(key: str, pattern: str) -> bool:
    """As glob(7) matches paths: no wildcard reaches over a separator."""
    parts, patterns = key.split("."), pattern.split(".")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _set(values: Dict[str, Found], key: str, assignment: Assignment) -> None:
    value = number(key, assignment.value)
    if value is None:
        if key in values:
            values[key] = values[key]._replace(source=assignment)
        return
    if key in values:
        values[key] = Found(value, assignment)
    other = EXCLUSIVE.get(key)
    if other in values:
        values[other] = Found(0, assignment)


# --- our own file ---------------------------------------------------------------


def header(manager: str) -> str:
    return f"# Managed by oomguard.linux.{manager}, which keeps nothing else that is written here.\n"


def render(manager: str, values: Dict[str, int]) -> str:
    """A file of ours: values by name, in the order in which they are to be set."""
    return header(manager) + "".join(f"{key} = {value}\n" for key, value in values.items())
