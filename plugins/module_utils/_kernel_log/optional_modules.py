# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Import modules of the standard library that Python can be built without."""

import importlib
from typing import Any


def import_optional(name: str) -> Any:
    """Return a module of the standard library; None where Python was built without it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
