# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Run a module of this collection on a host, and keep its result from steering Ansible.

The files in plugins/action give Ansible this class under the name of each module.
"""

from typing import Any, Dict, Mapping, Optional

from ansible.plugins.action.normal import ActionModule as NormalAction

# Ansible acts upon keys that begin like this: ansible_facts become variables, and ansible_stats
# the artifacts of an AWX job. None of our modules returns such a key.
# Ansible itself drops those that begin with _ansible_.
_ACTED_UPON = ("ansible_", "add_host", "add_group")


class ActionModule(NormalAction):
    """The class that Ansible runs instead of its own for modules."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Return the result of the module without keys that Ansible acts upon."""
        result = drop_acted_upon(super().run(tmp, task_vars))
        if self._discovered_interpreter_key:
            # Found by Ansible itself. Without the fact it would search again in each task.
            result["ansible_facts"] = {self._discovered_interpreter_key: self._discovered_interpreter}
        return result


def drop_acted_upon(result: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the result of a module without the keys that Ansible acts upon."""
    return {key: value for key, value in result.items() if not key.startswith(_ACTED_UPON)}
