# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State the outcome of a host on the controller, in one line or in the statistics of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import (
    UNREADABLE,
    split_policy,
    state_applied,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import check_variables
from ansible_collections.oomguard.linux.plugins.plugin_utils.statistics import read_job, state_for_statistics
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import SHARED_PART

# The outcomes that fail a host: always, in check mode with oom_fail_on_drift, and with
# oom_fail_on_nothing_asked.
_FAILED = ("failed", "would_fail")
_DRIFT = ("would_change", "not_lasting")
_NOTHING_ASKED = "nothing_asked"
_OPTIONS: dict[str, dict[str, Any]] = {
    "playbook": {"type": "str", "required": True},
    "checked": {"type": "dict", "required": True},
    "applied": {"type": "raw", "default": {}},  # before ansible-core 2.19 maybe a text
    "statistics": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """The class that Ansible runs for a task of this name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the line of the host. Fails where the host has to."""
        variables = task_vars or {}
        super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(_OPTIONS)
        checked, applied = options["checked"], options["applied"]
        if checked.get("failed"):  # then the policy did not run, and this is the result of an earlier play
            applied = {}
        elif not isinstance(applied, Mapping):
            applied = UNREADABLE
        check_mode = bool(self._task.check_mode)
        # A task that broke off has no outcome of its own.
        word, detail = applied.get("outcome", ""), applied.get("detail", "")
        if not word:
            word, detail = state_applied(split_policy(checked, applied), check_mode)
        key = f"oomguard_{options['playbook']}_{read_job(variables) if options['statistics'] else 0}"
        stated, statistics = state_for_statistics(key, variables["inventory_hostname"], word, detail, check_mode)
        result: dict[str, Any] = {"changed": False, "msg": stated["line"]}
        if options["statistics"]:
            # Of a task that fails, Ansible shows no difference and counts no change, either.
            shown = {"changed": bool(applied.get("changed")), "diff": applied.get("diff") or []}
            return {**result, **shown, "ansible_stats": statistics}
        failed = bool(checked.get("failed") or applied.get("failed") or applied.get("unreachable"))
        failed = failed or stated["word"] in _FAILED
        failed = failed or self._shall_fail(stated["word"], check_mode, variables)
        return {**result, "failed": failed, "_ansible_verbose_always": True}

    def _shall_fail(self, word: str, check_mode: bool, variables: Mapping[str, Any]) -> bool:
        """Return whether a variable of the host makes it fail for this outcome."""
        if word == _NOTHING_ASKED:
            option = "fail_on_nothing_asked"
        elif check_mode and word in _DRIFT:
            option = "fail_on_drift"
        else:
            return False
        arguments, _errors = check_variables(variables, self._templar.template, [SHARED_PART])
        return bool(arguments[SHARED_PART][option])
