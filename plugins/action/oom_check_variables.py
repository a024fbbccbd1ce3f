# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the variables of a host on the controller, and return what its roles ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible.playbook.taggable import Taggable
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.plugin_utils.policy_options import POLICY_PARTS, build_policy
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import check_variables

_OPTIONS: dict[str, dict[str, Any]] = {
    "parts": {"type": "list", "elements": "str", "required": True},
    "policy": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """The class that Ansible runs for a task of this name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the policy that the variables ask for. Fails with everything that is wrong."""
        variables = task_vars or {}
        super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(_OPTIONS)
        arguments, errors = check_variables(variables, self._templar.template, options["parts"])
        if errors:
            return {"failed": True, "changed": False, "msg": "; ".join(errors)}
        result: dict[str, Any] = {"changed": False, "msg": "the variables are right"}
        if not options["policy"]:
            return result
        try:
            result["policy"], result["asked"] = build_policy(arguments, self._list_tagged(variables))
        except OomError as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        # Before ansible-core 2.19, text of a result would be taken for a template.
        result["policy"] = wrap_var(result["policy"])
        return result

    def _list_tagged(self, variables: Mapping[str, Any]) -> list[str]:
        """Return the parts that run: those whose tasks would have been chosen by their tag.

        All tasks of the playbook have the tag C(always). It counts only if the play has it, too.
        """
        of_play = self._task.get_play().tags
        inherited = [tag for tag in self._task.tags if tag != "always" or tag in of_play]
        chosen, left_out = (variables.get(f"ansible_{kind}_tags") or [] for kind in ("run", "skip"))
        return [part for part in POLICY_PARTS if _is_chosen([*inherited, part], chosen, left_out, variables)]


class _Tagged(Taggable):
    """Tags without a task: Ansible itself decides what they mean."""

    _loader = _parent = None

    def get_play(self) -> None:
        """Return no play: the tags of the task's own play are already among these."""


def _is_chosen(
    tags: Iterable[str], chosen: Collection[str], left_out: Collection[str], variables: Mapping[str, Any]
) -> bool:
    """Return whether Ansible would run a task with these tags."""
    task = _Tagged()
    task.tags = list(tags)
    return bool(task.evaluate_tags(list(chosen), list(left_out), variables))
