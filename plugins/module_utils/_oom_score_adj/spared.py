# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan the drop-in that makes earlyoom spare the programs of pinned units.

earlyoom goes by scores, unless it runs with --sort-by-rss: only then is there something to write.
Nobody's file is edited. The drop-in has the command of the unit with one more --ignore.
"""

import contextlib
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import (
    EarlyoomArguments,
    parse_arguments_of_earlyoom,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.known import AVOID_SCORE, EARLYOOM
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import (
    SparedPrograms,
    is_plain,
    read_spared,
    strip_ours,
    write_spared,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Outcome, Pin


class SparingPlan(NamedTuple):
    """Describe what becomes of the drop-in of earlyoom."""

    outcome: Optional[Outcome]  # None if nothing changes
    by_unit: Dict[str, str]  # the programs that it spares then
    warnings: List[str]


def plan_spared(
    procfs: Procfs, systemd: Systemd, unit: Optional[Unit], outcomes: List[Outcome], protects: bool
) -> SparingPlan:
    """Return what becomes of the drop-in of earlyoom; C(unit) is that of earlyoom, if it is known.

    Pins are added with C(protects), which is other_killers=protect, and removed with state=absent.
    Raises AccessError if a file cannot be read.
    """
    path = systemd.killer_drop_in_path(EARLYOOM)
    before = systemd.read(path)
    spared = read_spared(before)
    if any(outcome.drop_in is not None and outcome.drop_in.path == path for outcome in outcomes):
        return SparingPlan(None, {}, [])  # all pins are taken back
    arguments = _read_arguments(procfs, unit, spared)
    wanted = _choose_programs(outcomes, spared, protects and arguments is not None and arguments.sort_by_rss)
    warnings = [
        f"earlyoom cannot spare {name}: {program!r} is not a plain name for --ignore; start earlyoom without"
        " --sort-by-rss"
        for name, program in wanted.items()
        if not is_plain(program)
    ]
    wanted = {name: program for name, program in wanted.items() if is_plain(program)}
    command, problem = "", ""
    if before is not None and not spared.by_unit:
        problem = f"{path} is not ours" if wanted else ""
    elif not wanted:
        return SparingPlan(_make_outcome(path, before, None), {}, warnings)
    elif arguments or wanted != spared.by_unit:
        command, problem = _find_command(systemd, unit, arguments)
    if problem:
        reason = f"other_killers=protect cannot make earlyoom spare {', '.join(sorted(wanted))}: {problem}"
        return SparingPlan(None, spared.by_unit, [*warnings, f"{reason}; add --ignore to its arguments yourself"])
    if not wanted or unit is None or arguments is None:
        return SparingPlan(None, spared.by_unit, warnings)
    after = write_spared(wanted, command, arguments.ignore)
    return SparingPlan(_make_outcome(path, before, after), wanted, warnings)


def _choose_programs(outcomes: List[Outcome], spared: SparedPrograms, adds: bool) -> Dict[str, str]:
    """Return the programs that earlyoom shall spare, by unit."""
    wanted = dict(spared.by_unit)
    for outcome in outcomes:
        pin, name = outcome.pin, outcome.unit or outcome.pin.value
        if pin.selector != "unit":
            continue
        if pin.score is None or pin.score > AVOID_SCORE:
            wanted.pop(name, None)
        elif adds and pin.persistent and outcome.changes:
            wanted[name] = outcome.changes[0].process.name
    return wanted


def _read_arguments(procfs: Procfs, unit: Optional[Unit], spared: SparedPrograms) -> Optional[EarlyoomArguments]:
    """Return the arguments of a running earlyoom without ours; None if it does not run."""
    if unit is None or not unit.running:
        return None
    with contextlib.suppress(OomError, OSError), procfs.open(unit.main_pid) as directory:
        return parse_arguments_of_earlyoom(strip_ours(directory.arguments()[1:], spared))
    return None


def _find_command(systemd: Systemd, unit: Optional[Unit], arguments: Optional[EarlyoomArguments]) -> Tuple[str, str]:
    """Return the command of earlyoom, and why it cannot be replaced: one of both texts is empty."""
    if unit is None or arguments is None:
        return "", "it does not run as a unit"
    if not (arguments.ignore or "").isprintable():
        return "", "its own --ignore has more than one line"
    commands = systemd.commands_of(unit)
    if len(commands) != 1 or not commands[0].startswith("/"):
        return "", f"{unit.id} has not one plain ExecStart"
    return commands[0], ""


def _make_outcome(path: str, before: Optional[str], after: Optional[str]) -> Optional[Outcome]:
    if before == after:
        return None
    pin = Pin("drop_in", path, None, missing="ignore")
    return Outcome(pin, None, set(), [], [], 0, drop_in=DropIn(path, before, after), reload=True)
