# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made once and kept in the cache, outside the checkout: images, and states of guests that have booted.

An entry is a folder, named by a hash of everything that goes in, so that it is
either right or another one. It appears complete, by a rename, or not at all.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil

import lab


def place(kind, name, *recipe):
    """Where the entry is, or will be, that is made by this recipe."""
    return os.path.join(lab.cache(), kind, f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}")


def make(entry, fill):
    """Call fill with a folder that becomes the entry, unless that is there or somebody else makes it meanwhile."""
    os.makedirs(os.path.dirname(entry), exist_ok=True)
    with _locked(entry + ".lock"):
        if os.path.isdir(entry):
            return
        unfinished = entry + ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of one who was killed
        try:
            os.mkdir(unfinished)
            fill(unfinished)
            os.rename(unfinished, entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def refuse_full_disk(folder, size):
    """So many bytes will be written: say so before they are."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise lab.LabError(
            f"that takes {size >> 20} MiB, and {free >> 20} are free: make room, or name another folder with CACHE="
        )


@contextlib.contextmanager
def _locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
