# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a host for what the report shows of it, and write its record on the controller."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_history import (
    describe_record,
    load_record,
    refuse_facts,
    update_record,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import (
    Record,
    is_answer,
    merge_answer,
    merge_failure,
    parse_since,
    recall_place,
)

_MODULE = "oomguard.linux.oom_report_host"
_NO_ANSWER = {"failed": True, "msg": "the host returned something else than the module oom_report_host does"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "history": {"type": "str", "default": "oom-report/history"},
    "since": {"type": "str", "default": "-30d"},
    "record": {"type": "dict"},
    "dir": {"type": "str"},
    "first_folders": {"type": "list", "elements": "str"},
}


class ActionModule(ActionBase):
    """The class that Ansible runs for a task of this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what happened to the host: nothing that the host says decides about the play."""
        variables = task_vars or {}
        super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(_OPTIONS)
        try:
            refuse_facts(variables)
            _refuse_other_folders(options)
            return self._keep_answer(str(variables["inventory_hostname"]), options, variables)
        except OomError as error:
            return {"failed": True, "msg": str(error)}

    def _keep_answer(self, host: str, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        now = time.time()
        since = parse_since(options["since"], now)
        history = options["history"]
        before = load_record(history, host, now)
        answer = self._ask(options["since"], recall_place(before, since), variables)
        merge: Callable[[Record], Record]
        if answer.get("unreachable") or answer.get("failed"):
            state = "unreachable" if answer.get("unreachable") else "failed"
            merge = functools.partial(merge_failure, state=state, reason=_state_reason(answer), now=now)
        else:
            merge = functools.partial(merge_answer, answer=answer, now=now, since=since, before=before)
        after = merge(before) if self._task.check_mode else update_record(history, host, merge, now)
        return self._build_result(before, after)

    def _ask(self, since: str, known: Mapping[str, Any], variables: dict[str, Any]) -> Mapping[str, Any]:
        """Return what the module answers, or the result of a host that does not answer."""
        try:
            answer: dict[str, Any] = self._execute_module(
                module_name=_MODULE, module_args={"since": since, "record": known}, task_vars=variables
            )
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": error.message}
        except AnsibleError as error:
            return {"failed": True, "msg": error.message}
        except (ArithmeticError, MemoryError, RecursionError, ValueError):  # JSON that nobody can read
            return _NO_ANSWER
        if answer.get("unreachable") or answer.get("failed"):
            return answer
        return answer if is_answer(answer) else _NO_ANSWER

    def _build_result(self, before: Record, after: Record) -> dict[str, Any]:
        is_ok = after["state"] == "ok"
        unwritten = " (check mode: no record was written)" if self._task.check_mode else ""
        result: dict[str, Any] = {
            "changed": False,
            "state": after["state"],
            "severities": sorted({finding["severity"] for finding in after["findings"]}) if is_ok else [],
            "msg": (describe_record(before, after) if is_ok else after["reason"]) + unwritten,
        }
        if after["state"] == "unreachable":
            result["unreachable"] = True
        if self._discovered_interpreter_key:
            # Found by Ansible itself. Without the fact it would search again in each task.
            result["ansible_facts"] = {self._discovered_interpreter_key: self._discovered_interpreter}
        return result


def _refuse_other_folders(options: Mapping[str, Any]) -> None:
    """Raise InputError if the first host of the play has other folders: only they get a report."""
    own = {"dir": options["dir"], "history": options["history"]}
    for (name, path), first in zip(own.items(), options["first_folders"] or ()):
        if path and os.path.abspath(path) != os.path.abspath(first):
            raise InputError(
                f"oom_report_{name}={cut_text(path, 80)} is {cut_text(first, 80)} for the first host, and a play"
                " writes one report: set the same for all hosts, or use a play for each folder"
            )


def _state_reason(answer: Mapping[str, Any]) -> str:
    """Return why a host could not be read; of a module that broke off, its error."""
    # It imports the rules of all roles, which a host that answers has no need of.
    from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import state_failure

    if not answer.get("msg"):
        error = answer.get("exception")  # a value of its own since ansible-core 2.19
        words = str(getattr(getattr(error, "event", None), "msg", error)).strip().rsplit("\n", maxsplit=1)[-1]
        answer = {**answer, "msg": f"the module broke off: {words}"}
    reason = state_failure("", answer, False)[1]
    return reason.partition("unreachable: ")[2] if answer.get("unreachable") else reason
