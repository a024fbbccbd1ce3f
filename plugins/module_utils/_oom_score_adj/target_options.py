# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Define the options of a target and of oom_score_adj, for the argument specs of modules. Pure."""

from typing import Any, Dict

from ansible_collections.oomguard.linux.plugins.module_utils._host.process import LEAST_KILLABLE_PERCENT
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import SELECTORS

_USER_UNIT = dict(
    user=dict(type="str", required=True),
    unit=dict(type="str", required=True),
    scope=dict(type="str", choices=["user", "all_users"], default="user"),
)
# What selects processes.
SELECTOR_OPTIONS: Dict[str, Any] = {name: dict(type="str") for name in SELECTORS}
SELECTOR_OPTIONS.update(
    pid=dict(type="int"),
    pidfile=dict(type="path"),
    user_unit=dict(type="dict", options=_USER_UNIT),
    users=dict(type="list", elements="str"),
)
TARGET_OPTIONS: Dict[str, Any] = dict(
    SELECTOR_OPTIONS,
    score=dict(type="int"),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    persistent=dict(type="bool"),
    oom_policy=dict(type="str", choices=["continue", "stop", "kill"]),
    managed_oom_preference=dict(type="str", choices=["none", "avoid", "omit"]),
    children=dict(type="str", choices=["report", "reset", "pin"], default="report"),
    missing=dict(type="str", choices=["fail", "warn", "ignore"], default="fail"),
    force=dict(type="bool", default=False),
)
PIN_OPTIONS: Dict[str, Any] = dict(
    TARGET_OPTIONS,
    targets=dict(
        type="list",
        elements="dict",
        options=TARGET_OPTIONS,
        mutually_exclusive=[SELECTORS],
        required_one_of=[SELECTORS],
    ),
    all_pins=dict(type="bool"),
    min_killable_percent=dict(type="int", default=LEAST_KILLABLE_PERCENT),
    other_killers=dict(type="str", choices=["report", "protect"], default="report"),
)
# Options that exclude each other, and those of which one is required.
PIN_RULES: Dict[str, Any] = dict(
    mutually_exclusive=[
        [*SELECTORS, "targets"],
        ["score", "targets"],
        ["persistent", "targets"],
        ["oom_policy", "targets"],
        ["managed_oom_preference", "targets"],
    ],
    required_one_of=[[*SELECTORS, "targets", "all_pins"]],
)
