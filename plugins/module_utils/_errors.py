# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""One exception tree.

Utilities raise, ``main()`` of a module is the only place that catches.
A message says what went wrong, where, and what to do about it, in one
sentence that an administrator can act on.
"""


class OomError(Exception):
    """Anything that this collection refuses or fails to do."""


class InputError(OomError):
    """An option, or what an option names, cannot be used as it is."""


class AccessError(OomError):
    """The kernel or the file system denied it: a capability or permission is missing."""


class NotFoundError(OomError):
    """A process, cgroup or file that was asked for is not there."""


class UnsupportedError(OomError):
    """This host lacks what the action needs."""


class ReadBackError(OomError):
    """The kernel took a write and then showed another value."""
