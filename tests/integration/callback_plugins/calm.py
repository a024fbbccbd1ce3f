# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a failure that the playbook handles as one line. A red block is then always a fault."""

from ansible.plugins.callback.default import CallbackModule as DefaultCallback

DOCUMENTATION = """
name: calm
type: stdout
short_description: Ansible's default output, with one line for a failure that is handled
description: A failure is handled if the task ignores errors, or if a block around it has a rescue section.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

MAX_LENGTH = 160


def is_rescued(task):
    """Return whether a block around the task has a rescue section.

    A task within the rescue section itself is not rescued by it.
    """
    child, parent = task, task._parent
    while parent is not None:
        # Ansible runs copies of the tasks that it has loaded, with the same id.
        if getattr(parent, "rescue", None) and child._uuid in [member._uuid for member in parent.block]:
            return True
        child, parent = parent, parent._parent
    return False


class CallbackModule(DefaultCallback):
    """Print handled failures as `expected: MESSAGE`, and everything else as Ansible does."""

    CALLBACK_NAME = "calm"

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Print one line for a failure that is handled."""
        if not (ignore_errors or is_rescued(result._task)):
            super().v2_runner_on_failed(result, ignore_errors)
            return
        message = " ".join(str(result._result.get("msg", "no message")).split())
        self._display.display(f"expected: {message[:MAX_LENGTH]}")
