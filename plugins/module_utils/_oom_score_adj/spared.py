# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Plan the drop-in that makes earlyoom spare the programs of pinned units.

earlyoom goes by scores, unless it runs with --sort-by-rss: only then is there something to write.
Nobody's file is edited. The drop-in has the command of the unit with one more --ignore.

Programs are added with other_killers=protect alone. A target without that loses those of its unit,
as its drop-in loses the preference for systemd-oomd. For that the drop-in itself says what to
write, and earlyoom need not run.
"""

import contextlib
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

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

_IGNORE = "--ignore"


class SparingPlan(NamedTuple):
    """Describe what becomes of the drop-in of earlyoom."""

    outcome: Optional[Outcome]  # None if nothing changes
    ignored: Optional[str]  # the --ignore of earlyoom, once the change is made
    warnings: List[str]


def plan_spared(
    procfs: Procfs, systemd: Systemd, unit: Optional[Unit], outcomes: List[Outcome], protects: bool
) -> SparingPlan:
    """Return what becomes of the drop-in of earlyoom; C(unit) is that of earlyoom, if it is known.

    C(protects) is other_killers=protect. Raises AccessError if a file cannot be read.
    """
    path = systemd.killer_drop_in_path(EARLYOOM)
    before = systemd.read(path)
    spared = read_spared(before)
    if any(outcome.drop_in is not None and outcome.drop_in.path == path for outcome in outcomes):
        return SparingPlan(None, None, [])  # all pins are taken back
    words = _read_words(procfs, unit)
    arguments = _parse_words(strip_ours(words, spared))
    adds = arguments is not None and arguments.sort_by_rss
    wanted, warnings = _keep_plain(_choose_programs(outcomes, spared, protects, adds))
    if wanted == spared.by_unit and not (protects and wanted):
        return SparingPlan(None, None, warnings)
    if not wanted:
        return SparingPlan(_make_outcome(path, before, None), spared.ignored, warnings)
    command, ignored, problem = spared.command, spared.ignored, f"somebody has changed {path}"
    if before is not None and not spared.by_unit:
        problem = f"{path} is not ours"
    elif protects and unit is not None and arguments is not None and _shows_own(words, spared):
        ignored = arguments.ignore
        command, problem = _find_command(systemd, unit, ignored)
    if not command:
        reason = f"other_killers=protect cannot make earlyoom spare {', '.join(sorted(wanted))}: {problem}"
        return SparingPlan(None, None, [*warnings, f"{reason}; add --ignore to its arguments yourself"])
    after = write_spared(wanted, command, ignored)
    expression = read_spared(after).expression
    is_told = not words or words[-2:] == [_IGNORE, expression]
    return SparingPlan(_make_outcome(path, before, after, protects and not is_told), expression, warnings)


def _choose_programs(
    outcomes: List[Outcome], spared: SparedPrograms, protects: bool, adds: bool
) -> Dict[str, Sequence[str]]:
    """Return the programs that earlyoom shall spare, by unit; C(adds): it ignores scores."""
    wanted = dict(spared.by_unit)
    for outcome in outcomes:
        pin, name = outcome.pin, outcome.unit or outcome.pin.value
        if pin.selector != "unit" or not pin.persistent:
            continue
        if pin.score is None or pin.score > AVOID_SCORE or not protects:
            wanted.pop(name, None)
        elif adds and outcome.changes:
            wanted[name] = sorted({change.process.name for change in outcome.changes})
    return wanted


def _keep_plain(wanted: Dict[str, Sequence[str]]) -> Tuple[Dict[str, Sequence[str]], List[str]]:
    """Return the programs that can be spared, and warnings for the others."""
    plain = {name: [one for one in programs if is_plain(one)] for name, programs in wanted.items()}
    warnings = [
        f"earlyoom cannot spare {name}: {program!r} is not a plain name for --ignore; start earlyoom without"
        " --sort-by-rss"
        for name, programs in wanted.items()
        for program in programs
        if not is_plain(program)
    ]
    return {name: programs for name, programs in plain.items() if programs}, warnings


def _read_words(procfs: Procfs, unit: Optional[Unit]) -> List[str]:
    """Return the arguments of a running earlyoom, with its name; none if it does not run."""
    if unit is not None and unit.running:
        with contextlib.suppress(OomError, OSError), procfs.open(unit.main_pid) as directory:
            return directory.arguments()
    return []


def _parse_words(words: List[str]) -> Optional[EarlyoomArguments]:
    """Return the arguments of earlyoom; None if they are not understood, or there are none."""
    with contextlib.suppress(OomError):
        return parse_arguments_of_earlyoom(words[1:]) if words else None
    return None


def _shows_own(words: List[str], spared: SparedPrograms) -> bool:
    """Return whether what runs shows the own arguments of earlyoom.

    They cannot be told from ours where a killed run has written the drop-in, and not restarted it.
    """
    return not spared.by_unit or words[-2:] == [_IGNORE, spared.expression]


def _find_command(systemd: Systemd, unit: Unit, ignored: Optional[str]) -> Tuple[str, str]:
    """Return the command of earlyoom, and why it cannot be replaced: one of both texts is empty."""
    if not (ignored or "").isprintable():
        return "", "its own --ignore has more than one line"
    later = systemd.find_later_command(unit)
    if later is not None:
        return "", f"{later} sets ExecStart, and wins"
    commands = systemd.commands_of(unit)
    if len(commands) != 1 or not commands[0].startswith("/"):
        return "", f"{unit.id} has not one plain ExecStart"
    return commands[0], ""


def _make_outcome(
    path: str, before: Optional[str], after: Optional[str], must_restart: bool = False
) -> Optional[Outcome]:
    if before == after and not must_restart:
        return None
    pin = Pin("drop_in", path, None, missing="ignore")
    return Outcome(pin, None, set(), [], [], 0, drop_in=DropIn(path, before, after), reload=True)
