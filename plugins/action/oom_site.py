# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the module oom_site and keep its result as data."""

from ansible_collections.oomguard.linux.plugins.plugin_utils.module_action import ActionModule

__all__ = ["ActionModule"]
