# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Document the options that the modules for sysctls share."""


class ModuleDocFragment:
    """Shared options. A module adds the usual path of C(file), and what C(force) overrides."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) sets the values of this task.
      - V(absent) takes back what the module set on this host. It removes its files and gives the live values back. The
        options with values have no effect then.
      - A live value becomes what the remaining boot files give. Where none gives one, it becomes the value from before
        the module. The module keeps that value as a comment in O(file). For values that are only live it keeps it in
        C(/run/oomguard), until the next boot.
      - A live value that is not as the module set it stays, because something else set it since. A warning names it.
      - A file of an older version of this module has no such comments. The value becomes the kernel's default then,
        with a warning.
      - What the module refuses with V(present) it also refuses with V(absent), such as a return to a limit under which
        no process can start.
    type: str
    choices: [present, absent]
    default: present
  persistent:
    description:
      - Whether to write the values to O(file) as well. The next boot sets them from there.
      - With V(false) the file stays as it is, and the values last until the next boot.
      - With O(state=absent), V(false) keeps the files and takes back only what was set with V(false). A sysctl that is
        also in a file gets the value of the file back.
    type: bool
    default: true
  file:
    description:
      - The file of this module, in C(/etc/sysctl.d). Without it, O(state=present) takes the file that the notes name.
        Values of this module that it already has stay, unless they are set in this task.
      - With O(state=absent), the file to remove. What was set with O(persistent=false) stays then.
      - With O(state=absent) and without O(file), the module removes every file that it wrote, in all folders that the
        boot reads. It recognises them by their first line. It takes back what was set with O(persistent=false) as well.
      - The module refuses a file that it did not write. O(persistent=false) leaves such a file as it is.
      - A write sets its mode to 0644. A file that already has the values is not written, whatever its mode.
    type: str
  rollback_seconds:
    description:
      - A helper starts before the first write. It restores everything after this many seconds, unless the module
        confirms before that the new values are in place. With a stricter limit on memory it also confirms that new
        processes can start. If the module fails or dies, the helper restores everything at once.
      - 1 to 3600.
    type: int
    default: 30
  force:
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details: Where a run would fail, the check fails, with the same sentence after C(would fail:). That is also so in a
      container with a read-only C(/proc/sys), and without C(become).
  diff_mode:
    support: full
    details: The live values are one part. Each file that changes is another.
notes:
  - The module writes only the sysctls that are set in the task, one by one. It neither changes nor applies any other
    file.
  - All or nothing. The live values and the file change together or not at all, even if the module is killed in between.
    If the module and its helper are both killed, the next run completes the change and removes what they left.
  - One run of a module that writes works on a host at a time. The others wait, up to 100 seconds.
  - The module predicts the next boot from C(/etc/sysctl.d), C(/usr/local/lib/sysctl.d) and C(/usr/lib/sysctl.d) by file
    name, and from the kernel's command line. It includes C(/etc/sysctl.conf) where the boot reads it. With systemd only
    a link in one of these folders does so. On SUSE it includes the file of the running kernel. A file in
    C(/run/sysctl.d) is gone after a boot, so it only makes RV(reboot_safe) false. The module does not see what sets
    sysctls later, such as tuned or the kubelet.
  - A file there that is not a regular file, or has more than 256 KiB, is not read. A warning names it, and
    RV(reboot_safe) is false.
  - All containers share the kernel's one value. In a container the module refuses to change it.
"""
