# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Define the exceptions of this collection, all below OomError.

Utilities raise; only the main() of a module catches and calls fail_json().
A message names what failed, the value and the remedy, in one sentence for an
administrator.
"""


class OomError(Exception):
    """The collection refused or failed to do something."""


class InputError(OomError):
    """An option, or the object that it names, cannot be used as it is."""


class UntrustedError(InputError):
    """The object exists, but a user could have made or changed it."""


class AccessError(OomError):
    """The kernel or the file system denied access: a capability or permission is missing."""


class NotFoundError(OomError):
    """A requested process, cgroup or file does not exist."""


class UnsupportedError(OomError):
    """This host lacks what the action needs."""


class ReadBackError(OomError):
    """The kernel accepted a write, but a read after it showed another value."""
