# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved states of booted guests, from which the next guest of the same kind resumes without a boot.

Under emulation a boot takes three times as long as resuming. A state belongs to
one image, one command line and one version of QEMU.
"""

import os
import shlex
import shutil
import subprocess

import cache
import lab
import monitor

MAX_BYTES = 2 << 30  # no guest has more memory, and pages that are zero take no room


class SavedState:
    """The state, saved or not, of the guest that this image and QEMU command start."""

    def __init__(self, image, command):
        version = subprocess.run([command[0], "--version"], check=True, capture_output=True, text=True).stdout
        self.folder = cache.locate_entry("states", os.path.basename(image), version, command)

    @property
    def exists(self):
        return os.path.isdir(self.folder)

    @property
    def disk(self):
        """Path of the saved disk: a qcow2 file with what the guest wrote on top of the image."""
        return os.path.join(self.folder, "disk")

    @property
    def resume_options(self):
        """Options that make QEMU resume from this state instead of booting."""
        return ("-incoming", "exec:cat " + shlex.quote(os.path.join(self.folder, "memory")))

    def save(self, guest_folder, guest_disk):
        """Save the state of a running guest, with its folder and its disk, unless one exists."""

        def fill(folder):
            cache.check_free_space(folder, MAX_BYTES)
            monitor.save_state(
                guest_folder,
                os.path.join(folder, "memory"),
                lambda: shutil.copyfile(guest_disk, os.path.join(folder, "disk")),
            )

        try:
            cache.make_entry(self.folder, fill)
        except (OSError, lab.LabError) as error:
            raise lab.LabError(
                f"the state of a guest cannot be saved in {os.path.dirname(self.folder)}: {error}"
            ) from error
