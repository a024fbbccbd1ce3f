# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name a file on the controller after a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.file_names import safe_file_name

DOCUMENTATION = r"""
name: safe_file_name
short_description: Name a file after a host, whatever its name is
version_added: 1.0.0
description:
  - Returns a file name of at most 120 characters. Letters, digits, dot, underscore and dash stay. Every other byte, and
    a dot or dash at the beginning, becomes C(%) and two hexadecimal digits, such as C(%2f) for a slash.
  - A name that is empty, too long, or has capitals ends in C(%-) and a hash. So two hosts never share a name, also on
    a file system that ignores case.
options:
  _input:
    description: The name of a host, or any other text.
    type: str
    required: true
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Store a fact of each host in a file of its own
  ansible.builtin.copy:
    content: "{{ ansible_kernel }}"
    dest: "facts/{{ inventory_hostname | oomguard.linux.safe_file_name }}.txt"
    mode: "0644"
  delegate_to: localhost
  # web1 is stored in facts/web1.txt, and ../web/1 in facts/%2e.%2fweb%2f1.txt
"""

RETURN = r"""
_value:
  description: The file name, without a folder.
  type: str
"""


def name_file(name: Any) -> str:
    """Return the file name, as DOCUMENTATION describes."""
    return safe_file_name(str(name))


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"safe_file_name": name_file}
