# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the hosts of a play."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_pattern import check_pattern
from ansible_collections.oomguard.linux.plugins.plugin_utils.preload import preload

DOCUMENTATION = r"""
name: play_hosts
short_description: Choose the hosts of a play of this collection
version_added: 1.0.0
description:
  - Returns the pattern of hosts that is given, or V(all) for empty text and null.
  - Refuses a pattern with a name that the inventory does not have. Ansible itself only warns, and a run on no host
    succeeds. C(--syntax-check), C(--list-tasks) and C(--list-tags) refuse nothing, because a group may be one that
    an earlier play adds. C(--list-hosts) does, because it shows what a pattern selects.
  - Ansible evaluates the hosts of a play before it starts a process for each task on each host. So this filter also
    loads what these processes share. Without it, a play works in the same way, and takes the controller more time.
positional: groups, missing
options:
  _input:
    description: A pattern of hosts, or a list of such patterns.
    type: raw
    required: true
  groups:
    description: The hosts of each group, as Ansible's variable C(groups) has them. The group C(all) has all hosts.
    type: dict
    required: true
  missing:
    description:
      - V(fail) refuses a name, a wildcard or a regular expression that matches no host and no group. V(ignore) leaves
        it to Ansible, which warns, and accepts an empty list.
      - Empty text is V(fail).
    type: str
    choices: [fail, ignore]
    default: fail
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Pin the daemons of databases
  hosts: "{{ oom_hosts | default('') | oomguard.linux.play_hosts(groups) }}"
  gather_facts: false
  roles:
    - role: oomguard.linux.oom_protect
"""

RETURN = r"""
_value:
  description: The pattern of hosts.
  type: raw
"""


# Options of ansible-playbook with which no play runs, and so none adds a group. With --list-hosts
# none runs, either, but whoever asks for the hosts wants to see a typo.
_WITHOUT_A_RUN = ("syntax", "listtasks", "listtags")


def choose_hosts(given: Any, groups: Mapping[str, Collection[str]], missing: str = "") -> Any:
    """Return the pattern of hosts, as DOCUMENTATION describes.

    Raises AnsibleFilterError for a pattern that is refused.
    """
    preload()
    if given is None or given == "":
        return "all"
    if any(context.CLIARGS.get(option) for option in _WITHOUT_A_RUN):
        return given
    try:
        check_pattern(given, groups, missing)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from error
    return given


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"play_hosts": choose_hosts}
