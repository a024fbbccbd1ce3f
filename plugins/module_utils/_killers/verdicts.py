# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide which pins bind for the killers of a host. Pure."""

from typing import Iterable, List, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import (
    EarlyoomArguments,
    judge_by_earlyoom,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    Matcher,
    PinnedService,
    UnboundPin,
    UserKiller,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.meta_oomd import (
    MetaOomdRules,
    judge_by_meta_oomd,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import (
    NohangSettings,
    judge_by_nohang,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.systemd_oomd import (
    OomdSettings,
    judge_by_systemd_oomd,
)


def find_unbound(
    killers: Iterable[UserKiller], services: Iterable[PinnedService], matches: Matcher
) -> List[UnboundPin]:
    """Return the pins that a running killer does not go by, or may not, killer by killer."""
    services = list(services)
    found = [_judge(killer, service, matches) for killer in killers if killer.active for service in services]
    return [one for one in found if one is not None]


def _judge(killer: UserKiller, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    settings = killer.configuration
    if isinstance(settings, OomdSettings):
        return judge_by_systemd_oomd(settings, service)
    if isinstance(settings, EarlyoomArguments):
        return judge_by_earlyoom(settings, service, matches)
    if isinstance(settings, NohangSettings):
        return judge_by_nohang(settings, service)
    return judge_by_meta_oomd(settings, service, matches) if isinstance(settings, MetaOomdRules) else None


def warnings_for_killers(killers: Iterable[UserKiller]) -> List[str]:
    """Return a warning for each running killer whose configuration was not understood."""
    return [
        f"{killer.name} runs, and whether it goes by pins is not known: {killer.problem}; check its configuration"
        for killer in killers
        if killer.active and killer.problem is not None
    ]
