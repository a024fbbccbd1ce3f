# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""State the outcome of a host for the statistics of a run: the artifacts of a job in AWX.

They have the keys that playbooks/tasks/report_outcome.yml describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import name_key, state_outcome


def read_job(variables: Mapping[str, Any]) -> int:
    """Return the number of the job in AWX, or 0.

    Facts that a managed host returns become variables, and would be believed. So it is read from
    localhost.
    """
    try:
        return int(variables["hostvars"]["localhost"]["awx_job_id"])
    except (KeyError, TypeError, ValueError):
        return 0


def state_for_statistics(
    key: str, host: Any, word: str, detail: str, check_mode: bool
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the outcome as state_outcome() does, and C(ansible_stats) for it.

    C(key) is what each key of the statistics begins with.
    """
    stated = state_outcome(word, detail)
    data: dict[str, Any] = {f"{key}_{stated['word']}": 1}
    if check_mode:
        data[f"{key}_check"] = 1
    if stated["detail"]:
        data[f"{key}_hosts"] = {name_key(str(host)): stated["line"]}
    return stated, {"data": data, "per_host": False, "aggregate": True}
