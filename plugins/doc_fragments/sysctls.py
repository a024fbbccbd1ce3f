# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that set sysctls have in common."""


class ModuleDocFragment:
    """A module adds the default of C(file), and says of C(force) what is refused."""

    DOCUMENTATION = r"""
options:
  persistent:
    description:
      - Whether to write the values to O(file) as well, from which the next boot sets them.
      - With V(false) the file stays as it is, and the values hold until the next boot.
    type: bool
    default: true
  file:
    description:
      - The file of this module, in C(/etc/sysctl.d). Of what it holds, values of this module that are not asked for stay.
      - A file that this module did not write is refused, but with O(persistent=false), which leaves it as it is.
      - Its mode is 0644, set whenever the file is written. A file that already says what is asked for is not written, whatever its mode.
    type: str
  rollback_seconds:
    description:
      - A helper that runs before the first write puts everything back after so many seconds, unless the module has shown by then that the
        new values are in place and that new processes can be started. It does so at once when the module fails or dies.
    type: int
    default: 30
  force:
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details: Where the sysctls cannot be written, as in a container with a read-only C(/proc/sys) or without C(become), it reports, and warns
      that a run would fail.
  diff_mode:
    support: full
notes:
  - Only the sysctls that are asked for are written, one by one. No file of others is touched, and none is applied.
  - All or nothing. The live values and the file change together or not at all, even when the module is killed in between. When module
    and helper are both killed, the next run finishes it.
  - What the next boot sets is worked out from C(/etc/sysctl.d), C(/usr/local/lib/sysctl.d) and C(/usr/lib/sysctl.d) by file name, from the
    kernel's command line, and from C(/etc/sysctl.conf) where it is read, which systemd only does through a link in C(/etc/sysctl.d).
    A file in C(/run/sysctl.d) is gone after a boot, so that it only makes RV(reboot_safe) false.
    What writes later, such as tuned or the kubelet, is not seen.
  - The kernel has one value for all containers. In a container the module refuses.
"""
