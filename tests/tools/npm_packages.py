# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpack packages of npm: python tests/tools/npm_packages.py LIST FOLDER

Each line of LIST is a name, a version and the hash of the package as npm states it. Nothing in a
package is run. An error is raised if a hash differs.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def check_hash(package, expected):
    """Raise an error if the file of a package does not have this hash."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != expected:
        raise SystemExit(f"{package.name} has the hash {found}, not {expected}: do not use it")


def unpack(package, folder):
    """Unpack a package: its files are in a folder of their own."""
    with tempfile.TemporaryDirectory(dir=folder) as parts:
        with tarfile.open(package) as archive:
            archive.extractall(parts, filter="data")
        (Path(parts) / "package").rename(folder / package.name.rpartition("-")[0])


def main(packages, target):
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    for line in Path(packages).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, version, expected = line.split()
        with tempfile.TemporaryDirectory() as download:
            command = ["npm", "pack", "--silent", "--pack-destination", download, f"{name}@{version}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            [package] = Path(download).iterdir()
            check_hash(package, expected)
            unpack(package, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
