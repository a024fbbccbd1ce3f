# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Replace a target for all instances of a template by one for each instance of this host.

An instance counts if systemd has started it, if another unit wants it, or if it has a folder of
drop-ins: the pin to remove may be that of an instance that is gone.
"""

from typing import List

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import add_suffix
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin


def expand_instances(pins: List[Pin], systemd: Systemd) -> List[Pin]:
    """Return the pins, with one for each instance in the place of C(unit=NAME@*).

    An instance that a target names itself is not in the others. A target without an instance stays
    as it is. Raises UnsupportedError if systemd does not manage this host.
    """
    templates = [pin.template for pin in pins if pin.template]
    if not templates:
        return pins
    found = systemd.instances_of(templates)
    named = {add_suffix(pin.value) for pin in pins if pin.selector == "unit"}
    expanded: List[Pin] = []
    for pin in pins:
        instances = [name for name in found if pin.template and name.startswith(pin.template) and name not in named]
        expanded += [pin._replace(value=name) for name in instances] or [pin]
    return expanded
