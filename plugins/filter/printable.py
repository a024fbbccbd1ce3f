# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Escape and cut a text of a host before it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import TEXT_LENGTH, cut_text

DOCUMENTATION = r"""
name: printable
short_description: Escape and cut a text of a host
version_added: 1.0.0
description:
  - Returns a text as one line in which nothing can change a terminal. Control characters, line ends and invisible
    characters are written as C(\x1b) or C(\u202e).
  - A text that is too long ends in an ellipsis.
positional: length
options:
  _input:
    description: A text that a host returned. Any other value is converted to text; null becomes empty text.
    type: raw
    required: true
  length:
    description: Number of characters to keep.
    type: int
    default: 300
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Show why a command failed
  ansible.builtin.debug:
    msg: "{{ result.stderr | oomguard.linux.printable }}"
"""

RETURN = r"""
_value:
  description: The text, escaped and cut.
  type: str
"""


def show_text(value: Any, length: int = TEXT_LENGTH) -> str:
    """Return the text, as DOCUMENTATION describes."""
    return cut_text(value, int(length))


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"printable": show_text}
