# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Set or take back pins on this host, and answer with the result or with one sentence."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import ModuleAnswer, answer_failure
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_values, text_of
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import check_all_pins, parse_targets
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.results import pin_results

if TYPE_CHECKING:
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import PinPlan


def answer_pins(options: Mapping[str, Any], check_mode: bool) -> ModuleAnswer:
    """Return the answer to the options of oom_score_adj, which is a failure if it raised one."""
    try:
        result, warnings = pin(options, check_mode)
    except (OomError, OSError) as error:
        return answer_failure(explain_pin_failure(error), check_mode)
    return ModuleAnswer(printable_values(result), [printable(warning) for warning in warnings])


def explain_pin_failure(error: Exception) -> str:
    """Return what failed, and what to do."""
    if not isinstance(error, OSError):
        return str(error)
    # Of the plan, or of a run that has put back what it changed.
    from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

    path = text_of(error.filename) if isinstance(error.filename, bytes) else error.filename
    where = "" if path is None else f"{path}: "
    return f"the scores cannot be read or set: {where}{explain_os_error(error)}"


def pin(options: Mapping[str, Any], check_mode: bool) -> Tuple[Dict[str, Any], List[str]]:
    """Pin, or only plan it in check mode; return the result and warnings.

    Raises an OomError for whatever is refused or fails, and OSError for a file that cannot be read.
    """
    procfs, systemd = Procfs(), Systemd()
    make_plan = choose_plan(options, systemd)
    plan = make_plan(procfs, systemd)
    if check_mode:
        denials, next_victim = predict(procfs, plan)
        results = pin_results(plan.outcomes, plan.killable, True, plan.not_binding, next_victim)
        return results, plan.warnings + denials
    if not plan.changed and not plan.finder.has_stale_record:
        return pin_results(plan.outcomes, plan.killable, not_binding=plan.not_binding), plan.warnings
    from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_locked

    procfs, systemd = Procfs(), Systemd()  # what was read before the lock does not count
    try:
        plan, applied = apply_locked(procfs, systemd, lambda: make_plan(procfs, systemd))
    except Interrupted as error:
        raise OomError(str(error)) from error
    results = pin_results(applied.outcomes, plan.killable, not_binding=plan.not_binding)
    return results, plan.warnings + applied.warnings


def choose_plan(options: Mapping[str, Any], systemd: Systemd) -> "Callable[[Procfs, Systemd], PinPlan]":
    """Return what makes the plan of this call, and start the query that it needs."""
    least_percent, force = options["min_killable_percent"], options["force"]
    if check_all_pins(options):
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.all_pins import (
            plan_removal_of_all,
        )

        return lambda procfs, systemd: plan_removal_of_all(procfs, systemd, least_percent, force)
    pins = parse_targets(options)
    if any(one.template for one in pins):
        from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.instances import expand_instances

        pins = expand_instances(pins, systemd)
    systemd.ask_for(
        service_name(one.value, systemd.running_services) for one in pins if one.selector == "unit" and not one.template
    )
    # A host compiles what a module imports, in every run. So the code that plans is imported
    # while systemd prepares its answer, and the code that writes only if there is work to do.
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins

    protects = options["other_killers"] == "protect"
    return lambda procfs, systemd: plan_pins(procfs, systemd, pins, least_percent, protects=protects)


def predict(procfs: Procfs, plan: "PinPlan") -> "Tuple[List[str], Optional[Dict[str, Any]]]":
    """Return warnings for what a run may be denied, and RV(next_victim).

    Raises AccessError for what a run would be denied.
    """
    if not plan.changed:
        return [], None
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.denials import refuse_denied
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.foresight import foresee

    return refuse_denied(procfs, plan.finder, plan.outcomes), foresee(procfs, plan)
