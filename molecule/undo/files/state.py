# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write everything that the collection may change to a file: files, sysctls, scores of services."""

import glob
import hashlib
import os
import re
import stat
import sys

FOLDERS = ("/etc", "/usr/lib/systemd", "/usr/lib/sysctl.d", "/usr/local/lib", "/run/systemd/system", "/run/sysctl.d")
SYSCTLS = ("/proc/sys/vm/*", "/proc/sys/kernel/panic*")


def describe_file(path):
    """Return a line with the path, kind, mode, owner, size, content and attributes."""
    found = os.lstat(path)
    content = ""
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        with open(path, "rb") as stream:
            content = hashlib.sha256(stream.read()).hexdigest()
    size = found.st_size if content else ""  # a folder's size is the file system's own
    attributes = [
        (name, os.getxattr(path, name, follow_symlinks=False)) for name in os.listxattr(path, follow_symlinks=False)
    ]
    return f"{path} {oct(found.st_mode)} {found.st_uid}:{found.st_gid} {size} {content} {attributes}"


def read(path):
    """Return the text of a file."""
    with open(path) as stream:
        return stream.read()


def files():
    """Yield a line for each file, folder and link."""
    for top in FOLDERS:
        for folder, folders, names in os.walk(top):
            for name in [*folders, *names]:
                yield describe_file(os.path.join(folder, name))


def sysctls():
    """Yield a line for each sysctl that can be read."""
    for path in [path for pattern in SYSCTLS for path in glob.glob(pattern)]:
        try:
            yield f"{path} {read(path).split()}"
        except OSError:  # it can only be written
            continue


def scores():
    """Yield a line for each score that a program of a service has."""
    for path in glob.glob("/proc/[0-9]*"):
        try:
            texts = [read(os.path.join(path, name)) for name in ("cgroup", "comm", "oom_score_adj")]
        except OSError:  # it has ended
            continue
        service = re.search(r"/system\.slice/(?:.*/)?([^/\n]+\.service)", texts[0])
        if service:
            yield f"{service.group(1)} {texts[1].strip()} {texts[2].strip()}"


with open(sys.argv[1], "w") as output:
    output.write(read("/proc/sys/kernel/random/boot_id"))
    for lines in (files(), sysctls(), set(scores())):
        output.writelines(line + "\n" for line in sorted(lines))
