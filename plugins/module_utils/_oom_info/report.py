# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Build what the module returns: the prediction as values, and as sentences for a person.

Pure. Lists have bounds, because a user may fork any number of processes.
"""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of, format_kb, printable_name
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import UserKiller
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.advice import Advice
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import (
    HIGH,
    Finding,
    Policy,
    Posture,
    is_immune,
    is_protected,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.fixes import write_task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import Domain, is_member
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import Snapshot, Task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Death, Growth, find_instead
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.ranking import Ranking, Suspect
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import (
    build_death,
    describe_difference,
    describe_task,
    identify_task,
)

MAX_LINES = 12
MAX_MESSAGE = 200
MAX_LINE = 400
_MAX_LISTED = 50  # of protected and immune processes, and of changes
_MAX_COLLATERAL = 10
_MAX_GROWTHS = 5  # in the report
_MAX_PAIRS = 3  # in a report that shows each of them twice
_MAX_NAMED = 3  # in one line
_INSTEAD = {None: "", "panic": ": the host panics", "hang": ": its processes wait"}  # of a kill, by find_instead()
_FOREVER = ("init", "immune")  # why the kernel can never choose a process


class Answer(NamedTuple):
    """A prediction under one set of scores."""

    snapshot: Snapshot
    domain: Domain
    ranking: Optional[Ranking]  # None: no rule is known for this kernel
    next_victim: Optional[Death]
    growths: List[Growth]
    advice: Mapping[int, Advice]  # by pid of the grower


class ScoreChange(NamedTuple):
    """Name what a target of what_if would give to a process."""

    task: Task
    before: int
    after: int


class WhatIf(NamedTuple):
    """The prediction as if the targets of what_if were applied."""

    answer: Answer
    changes: Sequence[ScoreChange]
    idle: Sequence[str] = ()  # targets that would change nothing now
    is_removal: bool = False  # whether every target takes a pin away

    @property
    def words(self) -> str:
        """Return what its sentences begin with."""
        return "without these pins" if self.is_removal else "with these pins"


class Growers(NamedTuple):
    """The processes that the option grower selects."""

    pids: List[int]  # those that are looked at
    outside: int = 0  # how many are outside of the domain
    beyond_top: int = 0  # how many others C(top) leaves out


# --- values ----------------------------------------------------------------------------


def build_results(
    posture: Posture,
    answer: Answer,
    findings: List[Finding],
    what_if: Optional[WhatIf],
    growers: Optional[Growers],
    top: int,
    name_user: Callable[[int], str],
) -> Dict[str, Any]:
    """Return what the module returns. Without the option grower, C(growers) is None."""
    snapshot = posture.snapshot
    report = write_forecast(answer, findings, what_if, growers)
    protected = [task for task in snapshot.tasks.values() if is_protected(task)]
    immune = [task for task in snapshot.tasks.values() if is_immune(task)]
    return dict(
        changed=False,
        kernel=snapshot.release,
        policy=_build_policy(posture.policy),
        domain=_build_domain(answer.domain),
        ranking=_build_ranking(answer, top, name_user),
        next_victim=build_death(answer.next_victim),
        if_it_grows=[_build_growth(growth, answer.advice) for growth in answer.growths],
        protected=_list_tasks(protected),
        protected_count=len(protected),
        immune=_list_tasks(immune),
        immune_count=len(immune),
        killable=dict(posture.killability._asdict(), percent=posture.killability.percent),
        killers=[_build_killer(killer) for killer in posture.killers],
        findings=[dict(finding._asdict(), fix=write_task(finding.fix)) for finding in findings],
        what_if=_build_what_if(what_if),
        report=report,
        msg=_write_message(answer, findings),
    )


def _build_killer(killer: UserKiller) -> Dict[str, Any]:
    values = dict(killer._asdict())
    if killer.configuration is not None:
        values["configuration"] = _to_plain(killer.configuration)
    return values


def _to_plain(value: Any) -> Any:
    """Return a value with dictionaries in the place of named tuples."""
    if hasattr(value, "_asdict"):
        return {key: _to_plain(one) for key, one in value._asdict().items()}
    return [_to_plain(one) for one in value] if isinstance(value, list) else value


def _list_tasks(tasks: List[Task]) -> List[Dict[str, Any]]:
    lowest = sorted(tasks, key=lambda task: (task.score, -task.rss_kb))[:_MAX_LISTED]
    return [dict(identify_task(task), score=task.score, rss_kb=task.rss_kb) for task in lowest]


def _build_policy(policy: Policy) -> Dict[str, Any]:
    return dict(live=dict(policy.live), boot=dict(policy.boot), boot_value_from=dict(policy.boot_value_from))


def _build_domain(domain: Domain) -> Dict[str, Any]:
    return dict(
        kind=domain.kind,
        path=domain.path,
        limit_kb=domain.limit_kb,
        usage_kb=domain.usage_kb,
        room_kb=domain.room_kb,
        swap_room_kb=domain.swap_room_kb,
    )


def _build_ranking(answer: Answer, top: int, name_user: Callable[[int], str]) -> List[Dict[str, Any]]:
    if answer.ranking is None:
        return []
    chosen = answer.next_victim.victim.task.pid if answer.next_victim else None
    listed = [*answer.ranking.candidates, *answer.ranking.skipped][:top]
    return [_build_row(one, one.task.pid == chosen, name_user) for one in listed]


def _build_row(one: Suspect, chosen: bool, name_user: Callable[[int], str]) -> Dict[str, Any]:
    task = one.task
    return dict(
        identify_task(task),
        user=name_user(task.uid),
        score=task.score,
        badness_kb=None if one.skipped else one.badness_kb,
        rss_kb=task.rss_kb,
        swap_kb=task.swap_kb,
        pgtables_kb=task.pgtables_kb,
        counter_error_kb=task.counter_error_kb,
        chosen=chosen,
        skipped=one.skipped,
    )


def _build_growth(growth: Growth, advice: Mapping[int, Advice]) -> Dict[str, Any]:
    suggested = advice.get(growth.grower.task.pid)
    return dict(
        grower=identify_task(growth.grower.task),
        domain=growth.domain.path,
        room_kb=growth.domain.room_kb,
        victim=identify_task(growth.victim.task) if growth.victim else None,
        itself=growth.itself,
        collateral=[identify_task(one.task) for one in growth.collateral[:_MAX_COLLATERAL]],
        collateral_count=len(growth.collateral),
        certain=growth.certain,
        margin_kb=growth.margin_kb,
        advice=None if suggested is None else dict(suggested._asdict()),
    )


def _build_what_if(what_if: Optional[WhatIf]) -> Optional[Dict[str, Any]]:
    if what_if is None:
        return None
    answer = what_if.answer
    return dict(
        next_victim=build_death(answer.next_victim),
        if_it_grows=[_build_growth(growth, answer.advice) for growth in answer.growths],
        changes=[
            dict(identify_task(change.task), before=change.before, after=change.after)
            for change in what_if.changes[:_MAX_LISTED]
        ],
        changes_count=len(what_if.changes),
    )


# --- sentences -------------------------------------------------------------------------


def write_forecast(
    answer: Answer, findings: List[Finding], what_if: Optional[WhatIf], growers: Optional[Growers]
) -> List[str]:
    """Return the prediction and the findings in sentences, at most MAX_LINES."""
    lines = [_describe_domain(answer)]
    if what_if is not None:
        lines += _describe_pins(answer, what_if)
        growths = _pair_growths(answer, what_if)[:_MAX_PAIRS]
    else:
        # Those that take others with them come first.
        in_order = sorted(answer.growths, key=lambda growth: growth.itself)
        growths = [[_describe_growth(growth, answer)] for growth in in_order[:_MAX_GROWTHS]]
    lines += [line for growth in growths for line in growth]
    if growers is not None:
        lines += _describe_left_out(answer, growers, len(growths))
    lines += [f"{finding.severity}: {finding.message}." for finding in findings]
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"... and {len(lines) - MAX_LINES + 1} more"]
    return [line if len(line) <= MAX_LINE else line[: MAX_LINE - 3] + "..." for line in lines]


def _describe_domain(answer: Answer) -> str:
    domain, death = answer.domain, answer.next_victim
    start = f"{str(domain).capitalize() if domain.is_host else str(domain)} has {format_kb(domain.room_kb)} left"
    if death is None:
        return f"{start}. {_explain_no_victim(answer)}"
    group = f", with {len(death.group)} more of its group" if death.group else ""
    certainty = "certain" if death.certain else "not certain"
    margin = "" if death.margin_kb is None else f", margin {format_kb(death.margin_kb)}"
    victim = describe_task(death.victim.task)
    return f"{start}. If it is used up as it is held now, {victim} dies{group} ({certainty}{margin})."


def _explain_no_victim(answer: Answer) -> str:
    snapshot, domain = answer.snapshot, answer.domain
    if answer.ranking is None:
        return f"No rule is known for the kernel {snapshot.release}, so nothing is predicted."
    instead = find_instead(snapshot, domain)
    if instead == "panic":
        return f"When it is used up, the host panics (vm.panic_on_oom={snapshot.panic_on_oom})."
    if instead == "hang":
        return "When it is used up, its processes wait, and nothing is killed (oom_kill_disable)."
    if domain.is_host and snapshot.kills_allocating_task:
        return "When it is used up, whatever process asks for memory dies (vm.oom_kill_allocating_task)."
    skipped, seen = answer.ranking.skipped, " that is seen" if _is_partial(snapshot) else ""
    if not skipped:
        return f"No process{seen} runs in it, so there is nothing to kill."
    each = f"its only process{seen} is" if len(skipped) == 1 else f"each of its {len(skipped)} processes{seen} is"
    state = "immune" if all(one.skipped in _FOREVER for one in skipped) else "immune, or passed over by the kernel"
    names = _name_tasks([one.task for one in skipped])
    end = "" if _is_partial(snapshot) else f", and {_explain_nothing_left(domain)}"
    return f"When it is used up, nothing can be killed{end}: {each} {state} ({names})."


def _is_partial(snapshot: Snapshot) -> bool:
    """Return whether there may be processes that are not seen."""
    return snapshot.is_hidden or snapshot.is_container


def _explain_nothing_left(domain: Domain) -> str:
    """Return what happens once everything that can be killed is dead.

    Source: mm/oom_kill.c:out_of_memory, mm/memcontrol.c:mem_cgroup_oom.
    """
    return "the host panics" if domain.is_host else "the processes there wait for memory"


def describe_growth(growth: Growth, advice: Optional[Advice], snapshot: Snapshot, when: str = "") -> str:
    """Return what happens if a process goes on growing, in one sentence or two.

    C(when) is what it begins with, such as C(With these pins).
    """
    where = "" if growth.domain.is_host else f" in {growth.domain}"
    start = f"{when + ', if' if when else 'If'} {describe_task(growth.grower.task)} goes on growing{where},"
    if growth.victim is None:
        instead = find_instead(snapshot, growth.domain)
        if instead:
            return f"{start} {'the host panics' if instead == 'panic' else 'the processes there wait for ever'}."
        end = "" if _is_partial(snapshot) else f", and {_explain_nothing_left(growth.domain)}"
        return f"{start} nothing can be killed{end}."
    likely = "" if growth.certain else "probably "
    margin = "" if growth.margin_kb is None else f" (margin {format_kb(growth.margin_kb)})"
    if growth.itself:
        others = f" with {len(growth.collateral)} more of its group" if growth.collateral else ""
        return f"{start} it {likely}dies itself{others}{margin}."
    more = f", then {len(growth.collateral) - 1} more" if len(growth.collateral) > 1 else ""
    first = f"{start} {describe_task(growth.victim.task)} {likely}dies first{more}{_describe_advice(growth, advice)}."
    if growth.grower.skipped not in _FOREVER:
        return first
    grower = describe_task(growth.grower.task)
    if _is_partial(snapshot):
        return f"{first} {grower} is immune, and does not die."
    return f"{first} {grower} is immune: once nothing else is left to kill, {_explain_nothing_left(growth.domain)}."


def _describe_advice(growth: Growth, advice: Optional[Advice]) -> str:
    if advice is None or growth.victim is None:
        return ""
    options = []
    if advice.victim_score is not None:
        options.append(f"it {advice.victim_score}")
    if advice.grower_score is not None:
        options.append(f"{growth.grower.task.name} {advice.grower_score:+}")
    return f": give {' or '.join(options)}" if options else ""


def _describe_growth(growth: Growth, answer: Answer, when: str = "") -> str:
    return describe_growth(growth, answer.advice.get(growth.grower.task.pid), answer.snapshot, when)


def _pair_growths(answer: Answer, what_if: WhatIf) -> List[List[str]]:
    """Return each growth as it is now and with the pins, in one sentence where both are the same.

    Those with another victim come first, then those with another sentence.
    """
    then = {growth.grower.task.pid: growth for growth in what_if.answer.growths}
    pairs = [(growth, then[growth.grower.task.pid]) for growth in answer.growths]
    found = []
    for now, with_pins in pairs:
        is_same = _describe_growth(now, answer) == _describe_growth(with_pins, what_if.answer)
        if is_same:
            lines = [_describe_growth(now, answer, f"Now and {what_if.words}")]
        else:
            whens = ((now, answer, "Now"), (with_pins, what_if.answer, what_if.words.capitalize()))
            lines = [_describe_growth(growth, one, when) for growth, one, when in whens]
        victims = [growth.victim and growth.victim.task.pid for growth in (now, with_pins)]
        found.append((victims[0] == victims[1], is_same, now.itself, lines))
    return [lines for *_order, lines in sorted(found, key=lambda one: one[:3])]


def _describe_pins(answer: Answer, what_if: WhatIf) -> List[str]:
    """Return what the targets of what_if change, and which of them change nothing."""
    snapshot, before, after = answer.snapshot, answer.next_victim, what_if.answer.next_victim
    lines = []
    if before or after:
        lines.append(describe_difference(before, after, what_if.words))
    elif snapshot.rule is not None:
        lines.append(f"{what_if.words.capitalize()}, that stays the same.")
    outside = [one.task for one in what_if.changes if not is_member(snapshot, one.task.pid, answer.domain)]
    if outside:
        verb, noun = ("is", "its score does") if len(outside) == 1 else ("are", "their scores do")
        lines.append(f"{_name_tasks(outside)} {verb} outside of {answer.domain}, so {noun} not count there.")
    if what_if.idle:
        noun = "This target" if len(what_if.idle) == 1 else "These targets"
        lines.append(f"{noun} of what_if would change nothing now: {_join_names(what_if.idle)}.")
    return lines


def _describe_left_out(answer: Answer, growers: Growers, shown: int) -> List[str]:
    """Return which processes that the option grower selects have no sentence of their own."""
    lines = []
    if growers.outside:
        verb, processes = "is" if growers.outside == 1 else "are", count_of(growers.outside, "process", "processes")
        lines.append(f"{processes} that grower selects {verb} outside of {answer.domain}, and {verb} left out.")
    more = len(growers.pids) - shown + growers.beyond_top if answer.growths else 0
    if more > 0:
        largest = "largest one" if len(growers.pids) == 1 else f"{len(growers.pids)} largest"
        has = f"only the {largest} (top)" if growers.beyond_top else "all of them"
        lines.append(f"grower selects {more} more: if_it_grows has {has}.")
    return lines


def _name_tasks(tasks: Sequence[Task]) -> str:
    return _join_names([describe_task(task) for task in tasks])


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(map(printable_name, names[:_MAX_NAMED])) + (f" and {more} more" if more > 0 else "")


def _write_message(answer: Answer, findings: List[Finding]) -> str:
    death = answer.next_victim
    instead = find_instead(answer.snapshot, answer.domain)
    victim = f"no next victim of {answer.domain}{_INSTEAD[instead]}"
    if death:
        certainty = "certain" if death.certain else "not certain"
        victim = f"next victim of {answer.domain}: {describe_task(death.victim.task)}, {certainty}"
    severe = sum(finding.severity == HIGH for finding in findings)
    count = count_of(len(findings), "finding") if findings else "no findings"
    return f"{victim}; {count}{f', {severe} high' if severe else ''}"[:MAX_MESSAGE]
