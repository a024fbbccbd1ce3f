# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the C allocator, and a small memory cgroup to run it in."""

import os
import subprocess

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import memory_hierarchy
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.memory_cgroup import MemoryCgroup

SOURCE = os.path.join(os.path.dirname(__file__), "../../roles/oom_verify/files/oom_hog.c")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Return a function that compiles with its options and returns the path of the program."""

    def compiled(*options):
        program = tmp_path_factory.mktemp("hog") / "oom_hog"
        done = subprocess.run(
            ["cc", *STRICT, *options, "-o", program, SOURCE], check=False, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return str(program)

    return compiled


@pytest.fixture(scope="session")
def hog(build):
    return build("-O2")


@pytest.fixture
def small_domain():
    """Yield a private memory cgroup of 32 MiB, of cgroup version 1 or 2."""
    try:
        hierarchy = memory_hierarchy(Procfs())
        cgroup = MemoryCgroup(hierarchy, os.path.join(hierarchy.mount, f"oomguard-test-{os.getpid()}"))
        cgroup.create()
    except OomError as error:
        pytest.fail(f"a real kill needs root and a writable memory cgroup: {error}")
    try:
        cgroup.set_limit(32 * 1024)
        yield cgroup
    finally:
        removed = cgroup.remove()
    assert removed, f"{cgroup.directory} is still there"
