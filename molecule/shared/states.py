# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of guests that have booted, kept so that the next guest of the same kind need not boot.

Under emulation a boot takes three times as long as going on from a state. A
state is that of one image, one command line and one QEMU.
"""

import os
import shlex
import shutil
import subprocess

import kept
import lab
import monitor

ROOM = 2 << 30  # bytes; none has more memory than that, and pages that are zero take no room


class State:
    """The state of the guest that this command starts."""

    def __init__(self, image, command):
        version = subprocess.run([command[0], "--version"], check=True, capture_output=True, text=True).stdout
        self.folder = kept.place("states", os.path.basename(image), version, command)

    @property
    def is_kept(self):
        return os.path.isdir(self.folder)

    @property
    def disk(self):
        """Path of its disk, a qcow2 of what was written since the image."""
        return os.path.join(self.folder, "disk")

    @property
    def resume(self):
        """What else QEMU is told to go on from here."""
        return ("-incoming", "exec:cat " + shlex.quote(os.path.join(self.folder, "memory")))

    def keep(self, guest_folder, guest_disk):
        """Keep what the guest in this folder, which has this disk, is now, unless such a state is kept already."""

        def fill(folder):
            kept.refuse_full_disk(folder, ROOM)
            monitor.save(
                guest_folder,
                os.path.join(folder, "memory"),
                lambda: shutil.copyfile(guest_disk, os.path.join(folder, "disk")),
            )

        try:
            kept.make(self.folder, fill)
        except (OSError, lab.LabError) as error:
            raise lab.LabError(
                f"the state of a guest cannot be kept in {os.path.dirname(self.folder)}: {error}"
            ) from error
