# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache outside the checkout, for what is made once: images, and saved states of booted guests.

An entry is a folder. Its name ends in a hash of everything that goes into it, so
an entry is never stale. It appears complete, by a rename, or not at all.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil

import lab


def find_folder():
    """Return the folder of everything that outlives a run; it is outside the checkout."""
    return os.environ.get("OOMGUARD_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "oomguard"
    )


def locate_entry(kind, name, *recipe):
    """Return the path of the entry that this recipe makes, whether or not it exists yet."""
    return os.path.join(find_folder(), kind, f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}")


def make_entry(entry, fill):
    """Call fill(folder) with a new folder, which then becomes the entry, unless the entry exists.

    If another process is making the same entry, wait for it and use its result.
    """
    os.makedirs(os.path.dirname(entry), exist_ok=True)
    with _locked(entry + ".lock"):
        if os.path.isdir(entry):
            return
        unfinished = entry + ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
        try:
            os.mkdir(unfinished)
            fill(unfinished)
            os.rename(unfinished, entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def check_free_space(folder, size):
    """Raise LabError if the folder's file system has fewer than size bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise lab.LabError(
            f"it takes {size >> 20} MiB, and {free >> 20} MiB are free: make room, or set CACHE= to another folder"
        )


@contextlib.contextmanager
def _locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
