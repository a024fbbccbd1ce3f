# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Predict for check mode what dies next: as things are, and once the plan is applied."""

from typing import Any, Dict, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.host_forecast import predict_next_victims
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import (
    build_death,
    describe_difference,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import PinPlan


def foresee(procfs: Procfs, plan: PinPlan) -> Optional[Dict[str, Any]]:
    """Return C(next_victim) of the result; None if the prediction is not known.

    A pin does not need the prediction, so an error of it is none of the pin.
    """
    try:
        victims = predict_next_victims(procfs, plan.table, plan.list_scores(), plan.list_groups())
    except (OomError, OSError):
        return None
    if victims is None:
        return None
    text = None
    if victims.now or victims.with_pins:
        is_removal = all(outcome.pin.state == "absent" for outcome in plan.outcomes)
        change = "without these pins" if is_removal else "with these pins"
        text = describe_difference(victims.now, victims.with_pins, change)
    return dict(now=build_death(victims.now), with_pins=build_death(victims.with_pins), text=text)
