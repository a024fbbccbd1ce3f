# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Document the attributes that every module of the collection has."""


class ModuleDocFragment:
    """Shared attributes. A module adds its support for check mode and diff mode."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the host.
  diff_mode:
    description: Returns details on what has changed (or would change in C(check_mode)) when in diff mode.
  action:
    description: An action plugin on the controller runs the module.
    details:
      - It drops from the result what Ansible would act upon, such as C(ansible_facts) and C(ansible_stats). A host can
        return anything.
    support: full
  async:
    description: Supports the C(async) keyword.
    details:
      - Ansible fetches such a result past the action plugin. So nothing is dropped from it. Use C(async) only for hosts
        that may steer the play.
    support: full
  idempotent:
    description: A second run with the same options changes nothing, if the host did not change in between.
    support: full
  platform:
    description: Where the module can run.
    platforms: linux
    support: full
  action_group:
    description: Use C(group/oomguard.linux.oom) in C(module_defaults) to set defaults for this module.
    membership:
      - oomguard.linux.oom
    support: full
"""
