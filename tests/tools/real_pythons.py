# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Link every Python from 3.6 on that really runs into a folder.

Usage: python tests/tools/real_pythons.py FOLDER
Prints the versions, oldest first.

A version manager puts a shim for each of its versions into PATH, and the shim of
a version that is not selected fails. So each Python is started once before it is
linked.
"""

import glob
import os
import re
import subprocess
import sys


def find_candidates():
    """Yield (N, path) of each program named python3.N, version managers first."""
    roots = [os.environ.get("PYENV_ROOT", ""), os.path.expanduser("~/.pyenv")]
    folders = [
        folder for root in roots if root for folder in sorted(glob.glob(os.path.join(root, "versions", "*", "bin")))
    ]
    for folder in folders + os.environ["PATH"].split(os.pathsep):
        for path in glob.glob(os.path.join(folder, "python3.*")):
            match = re.match(r"python3\.(\d+)$", os.path.basename(path))
            if match and int(match.group(1)) >= 6:
                yield int(match.group(1)), path


def can_run(path, minor):
    """Return whether this is Python 3.minor, with all that the tests' environments need."""
    command = [path, "-c", "import sys, venv, ensurepip; print(sys.version_info[1])"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.returncode == 0 and done.stdout.decode().strip() == str(minor)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    found = {}
    for minor, path in find_candidates():
        if minor not in found and can_run(path, minor):
            found[minor] = os.path.realpath(path)
    for minor, path in found.items():
        link = os.path.join(folder, f"python3.{minor}")
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(path, link)
    print(" ".join(f"3.{minor}" for minor in sorted(found)))


if __name__ == "__main__":
    main(sys.argv[1])
