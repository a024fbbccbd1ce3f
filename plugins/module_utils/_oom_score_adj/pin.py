# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read targets from a module's options, and define what becomes of them.

A pin is the value of /proc/PID/oom_score_adj, from -1000 (never chosen) to 1000
(chosen first), one for each process (fs/proc/base.c:__set_oom_adj). A pin ends
with its process; the drop-in of a unit gives it to the next one.

Pure: options and facts in, values out.
"""

import re
from typing import Any, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn

# The options that select processes; a target has exactly one of them.
SELECTORS = ["unit", "process", "pattern", "pid", "pidfile", "cgroup", "container", "machine", "user_unit"]
# Those that the next process of the same name fits, too.
NAMING = {"process", "pattern", "pidfile"}
# Those whose value is a claim that a user may make. The option users is for these.
CLAIMING = {"process", "pattern", "pidfile", "container"}


# The names of all instances of a template, such as C(postgresql@*).
_ALL_INSTANCES = re.compile(r"([^*@/]+@)\*(?:\.service)?\Z")


class Pin(NamedTuple):
    """One target as the user wrote it."""

    # One of SELECTORS; or drop_in, with a path, of which only the file is removed; or record, for
    # all recorded pins but those of main processes of the units among the targets.
    selector: str
    value: str
    score: Optional[int]  # None with state=absent
    state: str = "present"
    persistent: bool = False
    oom_policy: Optional[str] = None
    children: str = "report"
    missing: str = "fail"
    force: bool = False
    users: Tuple[str, ...] = ()  # login names whose processes may be selected too
    for_all_users: bool = False  # the drop-in of a user_unit is for the managers of all users
    managed_oom_preference: Optional[str] = None  # what systemd-oomd does with the unit: none, avoid, omit

    @property
    def is_unit(self) -> bool:
        """Return whether it is a service, of the host or of a user: a drop-in can hold its pin."""
        return self.selector in ("unit", "user_unit")

    @property
    def template(self) -> str:
        """Return C(NAME@) of a target for all instances of a template; an empty text for others."""
        match = _ALL_INSTANCES.match(self.value) if self.selector == "unit" else None
        return match.group(1) if match else ""

    @property
    def owner(self) -> str:
        """Return the login name of the user whose service this is, of a user_unit."""
        return self.value.partition("/")[0]

    @property
    def unit_name(self) -> str:
        """Return the name of the service."""
        return self.value.partition("/")[2] if self.selector == "user_unit" else self.value

    @property
    def target(self) -> str:
        """Return the selector and its value as messages and results show them."""
        return f"{self.selector}={self.value}"


class Change(NamedTuple):
    """One process and its score before and after; both are equal if nothing changes."""

    process: Process
    before: int
    after: int

    @property
    def rise(self) -> int:
        """Return by how much the score rises.

        The lowest is written first: the kernel may deny it, and nothing else has changed then.
        """
        return self.after - self.before


class Survival(NamedTuple):
    """Describe what the pin of a user's service outlasts."""

    restart: bool  # of the service, while the user's manager runs
    logout: bool  # of the user: the service goes on, because the user lingers
    login: bool  # the manager and the service start again
    reboot: bool


class SelectedContainer(NamedTuple):
    """A selected container."""

    id: str
    name: Optional[str]  # None if no engine answers


class PassedOver(NamedTuple):
    """A process that fits a target, but is not selected because a user could have put it there."""

    process: Process
    uid: Optional[int]  # None if it was not read
    why: str


class Outcome(NamedTuple):
    """What happened to one target, or would happen in check mode."""

    pin: Pin
    unit: Optional[str]
    services: Set[str]  # units whose main process is selected: init started it
    changes: List[Change]  # of selected processes, and with children=pin of their descendants
    inherited: List[Change]  # of processes that have the score from a selected one
    vanished: int  # processes that matched, but ended before the write
    drop_in: Optional[DropIn] = None
    effective_after_restart: Optional[int] = None
    oom_policy: Optional[str] = None  # of the unit, once systemd has read its files
    preference: Optional[str] = None  # of systemd-oomd for the unit, likewise; None before systemd 248
    winner: Optional[str] = None  # the file that overrides the score of our drop-in
    running: bool = False  # whether the unit is active
    loaded_score: Optional[int] = None  # what systemd shows for the unit, once it has read its files
    survival: Optional[Survival] = None  # of a user's service
    restart_required: bool = False
    reload: bool = False  # whether systemd has to read the unit again
    passed_over: Tuple[PassedOver, ...] = ()
    # Names of selected programs that no user chose, or that no guard has a rule for.
    programs: FrozenSet[str] = frozenset()
    # The services that selected processes run in, None for none, and the number of processes.
    units: Tuple[Tuple[Optional[str], int], ...] = ()
    container: Optional[SelectedContainer] = None  # that the target selects

    @property
    def found(self) -> bool:
        """Return whether the unit exists or any process matched."""
        return bool(self.changes) or self.effective_after_restart is not None

    def all_changes(self) -> List[Change]:
        """Return the changes of selected processes, then those of processes that inherited."""
        return self.changes + self.inherited

    @property
    def changed(self) -> bool:
        """Return whether any score differs or systemd has to read the unit again."""
        return self.reload or any(change.before != change.after for change in self.all_changes())


class NotBinding(NamedTuple):
    """A pin that a running killer does not go by."""

    target: str
    unit: Optional[str]
    killer: str
    reason: str


# --- from options to pins ---------------------------------------------------------


def parse_targets(options: Mapping[str, Any]) -> List[Pin]:
    """Return the target of the top-level options, or those of C(targets).

    Raises InputError for top-level options that no entry of C(targets) would see.
    """
    if options["targets"] is None:
        return [parse_target(options)]
    given = _find_given(options, ["state", "children", "missing"])
    if given:
        raise InputError(f"{given}={options[given]} next to targets has no effect; set it in each target")
    users = options["users"] or ()
    return [parse_target(target, options["force"], users) for target in options["targets"]]


def _find_given(options: Mapping[str, Any], names: Iterable[str]) -> Optional[str]:
    """Return the first of these options that does not have its default; None if all have it."""
    return next((name for name in names if options[name] != Pin._field_defaults[name]), None)


def check_all_pins(options: Mapping[str, Any]) -> bool:
    """Return whether C(all_pins) is set; raise InputError for options that contradict it."""
    if not options["all_pins"]:
        return False
    if options["state"] != "absent":
        raise InputError(f"all_pins=true next to state={options['state']} only takes pins back: set state=absent")
    without = [*SELECTORS, "targets", "score", "persistent", "oom_policy", "managed_oom_preference", "users"]
    given = next((name for name in without if options[name] is not None), None)
    given = given or _find_given(options, ["children", "missing"])
    if given:
        raise InputError(f"all_pins=true next to {given} takes back every pin of this host: leave out {given}")
    return True


def parse_target(options: Mapping[str, Any], force: bool = False, users: Iterable[str] = ()) -> Pin:
    """Return one target; C(force) and C(users) apply in addition to the target's own options.

    Raises InputError if no selector is set.
    """
    selector = next((name for name in SELECTORS if options[name] is not None), None)
    if selector is None:
        raise InputError(f"target selects nothing: set one of {', '.join(SELECTORS)}")
    persistent = options["persistent"]
    given = options[selector]
    is_of_user = selector == "user_unit"
    return Pin(
        selector=selector,
        value=_join_user_unit(given) if is_of_user else str(given),
        score=options["score"],
        state=options["state"],
        persistent=selector in ("unit", "user_unit") if persistent is None else persistent,
        oom_policy=options["oom_policy"],
        children=options["children"],
        missing=options["missing"],
        force=force or options["force"],
        users=tuple(dict.fromkeys([*users, *(options["users"] or ())])),
        for_all_users=is_of_user and given.get("scope") == "all_users",
        managed_oom_preference=options["managed_oom_preference"],
    )


def _join_user_unit(given: Mapping[str, Any]) -> str:
    """Return user and unit as one text; raise InputError for one that no user or service has."""
    user, unit = str(given.get("user") or ""), str(given.get("unit") or "")
    if not user:
        raise InputError("user_unit: user is missing: set it to a login name, one of getent passwd")
    if "/" in user:
        raise InputError(f"user_unit: user={user[:32]!r} is not a login name: set it to one of getent passwd")
    if not unit:
        raise InputError(f"user_unit of user {user}: unit is missing: set it to one of systemctl --user list-units")
    return f"{user}/{unit}"
