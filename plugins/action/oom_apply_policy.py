# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply a policy with the module oom_site, and add the outcome to the statistics of the run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.oomguard.linux.plugins.plugin_utils.module_action import drop_acted_upon
from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import (
    UNREADABLE,
    has_failed,
    split_policy,
    state_applied,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.policy_options import POLICY_PARTS
from ansible_collections.oomguard.linux.plugins.plugin_utils.statistics import read_job, state_for_statistics

_MODULE = "oomguard.linux.oom_site"
# What is kept of the module's result. A host may return anything, and Ansible acts upon other keys.
_KEPT = ("diff", "warnings", "deprecations", "invocation")
_KEPT_OF_FAILURES = ("exception", "module_stderr", "module_stdout")
_UNCHECKED = "the variables were not checked: run the playbook from its first task"
_OPTIONS: dict[str, dict[str, Any]] = {
    "checked": {"type": "dict", "required": True},
    "playbook": {"type": "str", "required": True},
}


def _drop_missing(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part's result without the targets that the host does not have.

    Ansible prints the result of a task that fails, and those of a profile would hide the reason.
    """
    targets = part.get("targets")
    if not isinstance(targets, list):
        return dict(part)
    return {
        **part,
        "targets": [one for one in targets if not isinstance(one, Mapping) or one.get("found") is not False],
    }


class ActionModule(ActionBase):
    """The class that Ansible runs for a task of this name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module does for each part, and the outcome of the host."""
        variables = task_vars or {}
        super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(_OPTIONS)
        checked = options["checked"]
        if "policy" not in checked:
            return {"failed": True, "changed": False, "msg": _UNCHECKED}
        answer = self._apply(checked["policy"], variables) if checked["policy"] else {}
        check_mode = bool(self._task.check_mode)
        results = split_policy(checked, answer)
        word, detail = state_applied(results, check_mode)
        key = f"oomguard_{options['playbook']}_{read_job(variables)}"
        stated, statistics = state_for_statistics(key, variables["inventory_hostname"], word, detail, check_mode)
        result = {name: answer[name] for name in _KEPT if name in answer}
        for part in POLICY_PARTS:
            if isinstance(answer.get(part), Mapping):
                # The difference is in that of all parts.
                found = {key: value for key, value in answer[part].items() if key != "diff"}
                result[part] = _drop_missing(found) if has_failed(results) else found
        result["changed"] = any(bool(one.get("changed")) for one in results.values())
        result.update(msg=stated["line"], outcome=stated["word"], detail=stated["detail"])
        if self._discovered_interpreter_key:
            # Found by Ansible itself. Without the fact it would search again in each task.
            result["ansible_facts"] = {self._discovered_interpreter_key: self._discovered_interpreter}
        # Ansible takes the statistics of a task that succeeds, and no others.
        if not has_failed(results):
            return {**result, "ansible_stats": statistics}
        return {**{name: answer[name] for name in _KEPT_OF_FAILURES if name in answer}, **result, "failed": True}

    def cleanup(self, force: bool = False) -> None:
        """Remove the module's temporary files. Keep the outcome if the connection is lost here."""
        with contextlib.suppress(AnsibleConnectionFailure):
            super().cleanup(force)

    def _apply(self, policy: Mapping[str, Any], variables: dict[str, Any]) -> Mapping[str, Any]:
        """Return what the module answers.

        A host that is lost is an answer too, so that its last line names the reason.
        """
        try:
            answer: Mapping[str, Any] = self._execute_module(
                module_name=_MODULE, module_args=dict(policy), task_vars=variables
            )
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": error.message}
        return drop_acted_upon(answer) if _is_json(answer) else UNREADABLE


def _is_json(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer has only numbers that JSON has: no Infinity, and no NaN.

    Before ansible-core 2.19, a later task would get the text of such a result in place of it.
    """
    try:
        json.dumps(answer, allow_nan=False, default=str)
    except ValueError:
        return False
    return True
