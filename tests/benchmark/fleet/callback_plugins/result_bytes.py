# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the results of a run and their bytes, as ansible-playbook -v prints them."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: result_bytes
type: notification
short_description: Count the results of a run and their bytes
description: Writes both numbers as JSON to the file that OOMGUARD_RESULT_BYTES names.
"""


class CallbackModule(CallbackBase):
    """Add up what hosts return, skipped tasks included."""

    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "result_bytes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._count = self._bytes = 0

    def _add(self, result, **_options):
        self._count += 1
        self._bytes += len(self._dump_results(result._result).encode())

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_skipped = v2_runner_on_unreachable = _add

    def v2_playbook_on_stats(self, stats):
        """Write the numbers. The benchmark reads them after the run."""
        with open(os.environ["OOMGUARD_RESULT_BYTES"], "w", encoding="utf-8") as file:
            json.dump({"results": self._count, "bytes": self._bytes}, file)
