# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build the module's result: the facts, and one line for a person for each target.

Pure: outcomes in, values out.
"""

from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import strip_suffix
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import Killable, Process
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of, printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import is_killer_drop_in
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import find_keeping
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Change, NotBinding, Outcome

# A user may start any number of processes under a name. The result names this many of them.
MAX_PASSED_OVER = 100
MAX_REPORT_LINES = 12
MAX_MSG_CHARACTERS = 200
_ID_DIGITS = 12  # of a container, as docker ps shows it


class NotLasting(NamedTuple):
    """A pin that the next start of the target undoes, or does not have."""

    target: str
    unit: Optional[str]
    reason: str


def pin_results(
    outcomes: List[Outcome],
    killable: Killable,
    planned: bool = False,
    not_binding: Iterable[NotBinding] = (),
    next_victim: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """Return the module's result, of a plan (check mode) or of what was done.

    C(next_victim) is what the plan would change about it, see foresight.py.
    """
    not_lasting = find_not_lasting(outcomes)
    prediction = next_victim["text"] or "" if next_victim else ""
    return dict(
        changed=any(outcome.changed for outcome in outcomes),
        msg=summarize_pins(outcomes, not_lasting, planned, prediction),
        report=report_pins(outcomes, planned, prediction),
        targets=[_make_target_result(outcome) for outcome in outcomes],
        not_lasting=[dict(one._asdict()) for one in not_lasting],
        not_binding=[dict(one._asdict()) for one in not_binding],
        killable=dict(killable._asdict(), percent=killable.percent),
        next_victim=next_victim,
        diff=dict(before=_format_state(outcomes, "before"), after=_format_state(outcomes, "after")),
    )


def _make_target_result(outcome: Outcome) -> Dict[str, Any]:
    container = outcome.container
    return dict(
        target=outcome.pin.target,
        unit=outcome.unit,
        container_id=container.id if container else None,
        container_name=container.name if container else None,
        found=outcome.found,
        changed=outcome.changed,
        vanished=outcome.vanished,
        processes=[
            dict(_identify(change.process), before=change.before, after=change.after) for change in outcome.changes
        ],
        inherited=[
            dict(_identify(change.process), score=change.before, after=change.after) for change in outcome.inherited
        ],
        skipped_foreign=[
            dict(pid=one.process.pid, name=one.process.name, uid=one.uid, why=one.why)
            for one in outcome.passed_over[:MAX_PASSED_OVER]
        ],
        drop_in=None if outcome.drop_in is None else dict(outcome.drop_in._asdict()),
        effective_after_restart=outcome.effective_after_restart,
        managed_oom_preference=outcome.preference,
        restart_required=outcome.restart_required,
        survives=None if outcome.survival is None else dict(outcome.survival._asdict()),
    )


def _identify(process: Process) -> Dict[str, Any]:
    return dict(pid=process.pid, name=process.name, start_time=process.start_time)


def _format_state(outcomes: List[Outcome], when: str) -> str:
    """Return all scores and drop-ins as text for the diff, before or after."""
    scores = {
        f"{change.process.pid} {change.process.name} oom_score_adj {getattr(change, when)}\n": None
        for outcome in outcomes
        for change in outcome.all_changes()
    }
    files = {
        f"# {outcome.drop_in.path}\n{getattr(outcome.drop_in, when)}": None
        for outcome in outcomes
        if outcome.drop_in is not None and getattr(outcome.drop_in, when) is not None
    }
    return "".join([*scores, *files])


# --- pins that do not last ----------------------------------------------------------


def find_not_lasting(outcomes: List[Outcome]) -> List[NotLasting]:
    """Return the pins that do not last, each reason once for a unit, whatever its aliases."""
    found: Dict[Any, NotLasting] = {}
    for outcome in outcomes:
        for reason in _list_reasons(outcome):
            one = NotLasting(outcome.pin.target, outcome.unit, reason)
            found.setdefault((_name_target(one), reason), one)
    return list(found.values())


def _list_reasons(outcome: Outcome) -> List[str]:
    pin, reasons = outcome.pin, []
    if pin.state == "absent":
        return []
    if outcome.winner is not None:
        reasons.append(f"{outcome.winner.rpartition('/')[2]} wins")
    if outcome.survival is not None and not outcome.survival.restart and outcome.winner is None:
        reasons.append(f"starts with {outcome.effective_after_restart} by its user's manager")
    if not pin.is_unit and outcome.changes:
        units = sorted(unit for unit, _count in outcome.units if unit is not None)
        reasons.append(f"not by its unit {', '.join(units)}" if units else "has no unit")
    keeping = len(find_keeping(outcome))
    if keeping:
        reasons.append(f"inherited by {count_of(keeping, 'child', 'children')}")
    return reasons


# --- for a person -------------------------------------------------------------------


def summarize_pins(outcomes: List[Outcome], not_lasting: List[NotLasting], planned: bool, prediction: str = "") -> str:
    """Return one line: that of a single target, or numbers of pins; then the prediction."""
    if not outcomes:
        return "no pin of this collection is on this host"
    if len(outcomes) == 1:
        line = _describe_outcome(outcomes[0], planned)
    else:
        pins = [outcome for outcome in outcomes if not is_killer_drop_in(outcome.pin.value)]
        changed = sum(outcome.changed for outcome in pins)
        missing = sum(_is_missing(outcome) for outcome in pins)
        unchanged = len(pins) - changed - missing
        line = f"{count_of(changed, 'pin')} {'would change' if planned else 'changed'}, {unchanged} unchanged"
        line += f", {missing} not on this host" if missing else ""
        line += ", arguments of another killer" if len(pins) < len(outcomes) else ""
    named = [one.reason if len(outcomes) == 1 else f"{_name_target(one)} ({one.reason})" for one in not_lasting]
    end = f"; {prediction}" if prediction else ""
    line = _cut(line + (f"; not lasting: {', '.join(named)}" if named else ""), MAX_MSG_CHARACTERS - len(end))
    return _cut(line + end)


def _name_target(one: NotLasting) -> str:
    """Return the name of a unit, whatever its alias in the target; else the target."""
    if not one.target.startswith("unit=") or one.unit is None:
        return printable_name(one.target)
    return strip_suffix(one.unit)


def _cut(line: str, longest: int = MAX_MSG_CHARACTERS) -> str:
    return line if len(line) <= longest else line[: max(0, longest - 3)] + "..."


def report_pins(outcomes: List[Outcome], planned: bool, prediction: str = "") -> List[str]:
    """Return one line for each target, and one for the prediction.

    If there is no room for all targets, one line counts the others.
    """
    outcomes = list(_split_record(outcomes))
    end = [_cut(prediction)] if prediction else []
    room = MAX_REPORT_LINES - len(end)
    lines = [_report_outcome(outcome, planned) for outcome in outcomes]
    if len(lines) <= room:
        return lines + end
    shown = room - 1
    # What changed comes first: it must not be among those that are only counted.
    first = [line for line, outcome in zip(lines, outcomes) if outcome.changed]
    rest = [line for line, outcome in zip(lines, outcomes) if not outcome.changed]
    return [*(first + rest)[:shown], f"... and {len(lines) - shown} more", *end]


def _split_record(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Return the outcomes, with one for each name and score of all recorded processes.

    They were pinned by different targets, so one line for all of them would name one of them.
    """
    for outcome in outcomes:
        alike: Dict[Any, List[Change]] = {}
        for change in outcome.changes if outcome.pin.selector == "record" else ():
            alike.setdefault((change.process.name, change.before, change.after), []).append(change)
        inherited = outcome.inherited
        for changes in alike.values():
            yield outcome._replace(changes=changes, inherited=inherited)
            inherited = []
        if not alike:
            yield outcome


def _report_outcome(outcome: Outcome, planned: bool) -> str:
    line = _describe_outcome(outcome, planned)
    named = "" if not outcome.changes or outcome.unit is None else f" ({_name_unit(outcome)})"
    reasons = _list_reasons(outcome)
    return _cut(line + named + (f"; not lasting: {', '.join(reasons)}" if reasons else ""))


def _is_missing(outcome: Outcome) -> bool:
    return not outcome.found and outcome.drop_in is None


def _describe_outcome(outcome: Outcome, planned: bool) -> str:
    """Return what happened to a target, such as C(dockerd[287]: 0 -> -500, drop-in written)."""
    subject = _name_subject(outcome)
    drop_in = _describe_drop_in(outcome, planned)
    children = sum(change.before != change.after for change in outcome.inherited)
    more = [drop_in] if drop_in else []
    if children:
        more.append(f"{count_of(children, 'child', 'children')} reset")
    if outcome.changes:
        if not outcome.changed:
            return f"{subject}: {_show_scores(outcome.changes, 'after')}, no change"
        return f"{subject}: {', '.join([_show_change(outcome.changes), *more])}"
    if _is_missing(outcome):
        return f"{subject}: not on this host, no change"
    if outcome.pin.selector == "drop_in":
        return f"{subject}: {drop_in}"
    state = "has no main process" if outcome.running else "is not running"
    if outcome.pin.state == "absent":
        return f"{subject} {state}: {', '.join(more) or 'no change'}"
    return f"{subject} {state}: {'pinned from its next start' if outcome.reload else 'no change'}"


def _name_subject(outcome: Outcome) -> str:
    """Return the name of what is selected: processes, a unit, or the target as it was given."""
    container = outcome.container
    if container is None:
        start = ""
    elif container.name is None:
        start = f"{container.id[:_ID_DIGITS]}: "
    else:
        start = f"{container.name} ({container.id[:_ID_DIGITS]}): "
    if outcome.changes:
        first, others = outcome.changes[0].process, len(outcome.changes) - 1
        return f"{start}{first.name}[{first.pid}]" + (f" and {others} more" if others else "")
    if outcome.pin.is_unit or outcome.pin.selector == "drop_in":
        return _name_unit(outcome)
    return printable_name(outcome.pin.target)


def _name_unit(outcome: Outcome) -> str:
    """Return the name of a unit, and whose service it is; without one the value of the target."""
    pin = outcome.pin
    if pin.selector != "user_unit":
        return outcome.unit or pin.value
    return f"{outcome.unit or pin.unit_name} of {'all users' if pin.for_all_users else pin.owner}"


def _show_change(changes: List[Change]) -> str:
    before, after = _show_scores(changes, "before"), _show_scores(changes, "after")
    return after if before == after else f"{before} -> {after}"


def _show_scores(changes: List[Change], when: str) -> str:
    scores = sorted({getattr(change, when) for change in changes})
    return str(scores[0]) if len(scores) == 1 else f"{scores[0]}..{scores[-1]}"


def _describe_drop_in(outcome: Outcome, planned: bool) -> str:
    """Return what happens to the drop-in; an empty text if nothing."""
    drop_in = outcome.drop_in
    if drop_in is None or not outcome.reload:
        return ""
    if drop_in.after is None:
        what = "removed"
    elif outcome.pin.state == "absent":
        what = "restored"
    else:
        what = "written" if drop_in.before != drop_in.after else "loaded"
    return f"drop-in {'to be ' if planned else ''}{what}"
