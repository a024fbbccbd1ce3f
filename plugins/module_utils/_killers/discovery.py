# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the killers that run on a host, and read what they were told.

A killer is found by its unit, or by a process with a program that belongs to root. A name is a
claim that a user may make, so any other process does not count. Nor does a configuration that
anybody but root could have written.
"""

import os
import re
from typing import Callable, Dict, List, Mapping, Optional, Set, TypeVar

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import read_cgroup_owner
from ansible_collections.oomguard.linux.plugins.module_utils._host.identity import Identity
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import GONE, ProcessDir, Procfs, find_start
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import text_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.time_limit import TooSlowError, time_limit
from ansible_collections.oomguard.linux.plugins.module_utils._host.trusted_files import TrustedFile, read_roots_file
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import (
    ignores_raised_scores,
    parse_arguments_of_earlyoom,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import KNOWN, KnownKiller
from ansible_collections.oomguard.linux.plugins.module_utils._killers.meta_oomd import (
    DEFAULT_FILES,
    find_drop_ins_of_oomd,
    find_file_of_oomd,
    parse_rules,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import find_file, parse_settings
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import (
    PROPERTIES,
    RULE_FOLDERS,
    WATCHES_FOR_USERS,
    MonitoredGroup,
    OomdSettings,
    kills_nothing,
    parse_action,
    read_monitored,
)

_Parsed = TypeVar("_Parsed")

MATCH_SECONDS = 0.5
_MAX_CONFIGURATION = 1 << 20
_START_SECONDS = 1  # that a killer may take to read its configuration
_MAX_PROGRAM = 4 << 20
_MAX_RULES = 100
_RULE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\Z")
_LEADING_NUMBER = re.compile(r"[0-9]{1,6}")
_UNKNOWN_VERSION = 10**6  # as if it were the newest
_VERSION = re.compile(rb"earlyoom v?([0-9][0-9A-Za-z.~+-]{0,30})\n")


class RegexMatcher:
    """Matches expressions of root's configuration, each in a limited time."""

    def __init__(self) -> None:
        self._too_slow: Set[str] = set()

    def __call__(self, pattern: str, text: str) -> Optional[bool]:
        """Return whether an expression matches a text; None if it is none, or takes too long.

        One that was too slow is not tried again.
        """
        if pattern in self._too_slow:
            return None
        try:
            with time_limit(MATCH_SECONDS):
                return re.search(pattern, text) is not None
        except TooSlowError:
            self._too_slow.add(pattern)
            return None
        except (re.error, OverflowError, RecursionError, MemoryError):
            return None


class KillerFinder:
    """Finds the killers of one host."""

    def __init__(self, procfs: Procfs, systemd: Systemd, names: Mapping[int, str], units: Mapping[str, Unit]) -> None:
        self._procfs = procfs
        self._systemd = systemd
        self._names = names  # of the program of each process, by pid
        self._units = units  # those of KILLER_UNITS, by name; none of a host without systemd
        self._identity: Optional[Identity] = None
        self._oomd_kills = False  # whether systemd-oomd runs, and does not only say what it would kill

    def find(self) -> List[UserKiller]:
        """Return the killers that are installed as units, or run."""
        found: List[UserKiller] = []
        for known in KNOWN:
            loaded = [self._units[name] for name in known.units if name in self._units]
            loaded = [unit for unit in loaded if unit.load_state == "loaded"]
            running = [unit for unit in loaded if unit.running]
            for unit in running or loaded[:1]:
                killer = UserKiller(known.name, unit.id, unit.running, known.reads_scores, None, None, known.candidates)
                found.append(self._read_unit(killer, unit) if unit.running else killer)
            killer = UserKiller(known.name, None, True, known.reads_scores, None, None, known.candidates)
            found += [] if running else self._find_process(known, killer)
        return found

    def _find_process(self, known: KnownKiller, killer: UserKiller) -> List[UserKiller]:
        """Return a killer that no unit starts, as it was read; nothing without one.

        All processes of that name are judged: a user may start any number.
        """
        for pid in sorted(pid for pid, name in self._names.items() if name == known.program):
            self._identity = self._identity or Identity(self._procfs)
            try:
                with self._procfs.open(pid) as directory:
                    if self._identity.why_foreign(directory) is None:
                        return [self._read(killer, directory)]  # what was judged is what is read
            except GONE:
                continue
        return []

    def _read_unit(self, killer: UserKiller, unit: Unit) -> UserKiller:
        try:
            with self._procfs.open(unit.main_pid) as directory:
                return self._read(killer, directory)
        except OSError as error:
            return _make_unread(killer, error)

    def _read(self, killer: UserKiller, directory: ProcessDir) -> UserKiller:
        """Return a running killer with its version and configuration."""
        reader = _READERS.get(killer.name)
        if reader is None:
            return killer
        try:
            return reader(self, killer, directory)
        except (OomError, OSError) as error:
            return _make_unread(killer, error)

    def _read_systemd_oomd(self, killer: UserKiller, directory: ProcessDir) -> UserKiller:
        self._oomd_kills = not kills_nothing(directory.arguments()[1:])
        settings = OomdSettings(self.find_monitored(self._systemd))
        paths = [one.path for one in settings.monitored]
        return killer._replace(version=self._systemd.version(), configuration=settings, candidates=paths)

    def find_monitored(self, manager: Systemd) -> List[MonitoredGroup]:
        """Return what systemd-oomd watches for a service manager, that of the host or of a user.

        That is nothing before find() has found that it runs. Raises OomError if systemctl fails.
        """
        if not self._oomd_kills:
            return []
        number = _LEADING_NUMBER.match(self._systemd.version())
        version = int(number.group()) if number else _UNKNOWN_VERSION
        if manager.is_of_user and version < WATCHES_FOR_USERS:
            return []
        units = manager.show_loaded(("*.slice", "*.service", "*.scope"), PROPERTIES)
        has_swap = self._procfs.memory_kb("SwapTotal") > 0
        find_action = _RuleReader().find_action
        return read_monitored(units, lambda path: read_cgroup_owner(self._procfs, path), find_action, has_swap, version)

    def _read_earlyoom(self, killer: UserKiller, directory: ProcessDir) -> UserKiller:
        arguments = parse_arguments_of_earlyoom(directory.arguments()[1:])
        version = _read_version(directory)
        arguments = arguments._replace(ignores_raised_scores=ignores_raised_scores(arguments, version))
        reads_scores = arguments.kernel_oom or not arguments.sort_by_rss
        return killer._replace(version=version, configuration=arguments, reads_scores=reads_scores)

    def _read_nohang(self, killer: UserKiller, directory: ProcessDir) -> UserKiller:
        file = find_file(directory.arguments())
        return killer._replace(configuration=_read_configuration(file, directory, parse_settings))

    def _read_oomd(self, killer: UserKiller, directory: ProcessDir) -> UserKiller:
        file = find_file_of_oomd(directory.arguments())
        file = file or next((one for one in DEFAULT_FILES if os.path.exists(one)), DEFAULT_FILES[0])
        rules = _read_configuration(file, directory, parse_rules)
        folder = find_drop_ins_of_oomd(directory.arguments())
        problem = None if folder is None else f"the rules below {folder} are not read"
        return killer._replace(configuration=rules, candidates=[one.pattern for one in rules.killed], problem=problem)


_READERS: Dict[str, Callable[[KillerFinder, UserKiller, ProcessDir], UserKiller]] = {
    "systemd-oomd": KillerFinder._read_systemd_oomd,
    "earlyoom": KillerFinder._read_earlyoom,
    "nohang": KillerFinder._read_nohang,
    "oomd": KillerFinder._read_oomd,
}


def _make_unread(killer: UserKiller, error: Exception) -> UserKiller:
    """Return a killer whose configuration cannot be read: it may be told not to go by scores."""
    return killer._replace(problem=str(error), reads_scores=None if killer.reads_scores else False)


def _read_file(path: str) -> TrustedFile:
    """Return a file of root; raise UntrustedError if others could have written it."""
    file = read_roots_file(path, _MAX_CONFIGURATION + 1)
    if len(file.content) > _MAX_CONFIGURATION:
        raise UntrustedError(f"{path} is longer than {_MAX_CONFIGURATION >> 20} MiB")
    return file


def _read_configuration(path: str, directory: ProcessDir, parse: Callable[[str, str], _Parsed]) -> _Parsed:
    """Return the configuration that a process has read at its start.

    Raises OomError too if the file was changed since.
    """
    file = _read_file(path)
    parsed = parse(path, text_of(file.content))
    if file.modified > find_start(directory.process()) + _START_SECONDS:
        raise OomError(f"{path} was changed since it started; restart it")
    return parsed


class _RuleReader:
    """Reads the rules of systemd-oomd, each once. A user may name any number, with any names."""

    def __init__(self) -> None:
        self._actions: Dict[str, Optional[str]] = {}

    def find_action(self, rule: str) -> Optional[str]:
        """Return what a rule does: an empty text for nothing, None if that is not known."""
        if not _RULE_NAME.match(rule):
            return ""
        if rule not in self._actions and len(self._actions) < _MAX_RULES:
            self._actions[rule] = _read_action(rule)
        return self._actions.get(rule)


def _read_action(rule: str) -> Optional[str]:
    for folder in RULE_FOLDERS:
        try:
            return parse_action(text_of(_read_file(f"{folder}/{rule}.oomrule").content))
        except FileNotFoundError:
            continue
        except (OomError, OSError):
            return None
    return ""


def _read_version(directory: ProcessDir) -> Optional[str]:
    """Return the version that stands in a program of root; None if there is none."""
    content = directory.read_program(_MAX_PROGRAM)
    match = _VERSION.search(content)
    return match.group(1).decode() if match else None
