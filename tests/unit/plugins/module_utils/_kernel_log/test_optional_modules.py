# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import bz2

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.optional_modules import import_optional


def test_import_what_there_is():
    assert import_optional("bz2") is bz2
    assert import_optional("no_such_module") is None
