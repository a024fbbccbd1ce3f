# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines as systemd-machined writes them down."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host.machines import find_machine_cgroup

NSPAWN = "NAME=web\nUNIT=systemd-nspawn@web.service\nSCOPE=systemd-nspawn@web.service\nCLASS=container\nLEADER=20\n"
LIBVIRT = "NAME=qemu-1-vm\nSCOPE=machine-qemu\\x2d1\\x2dvm.scope\nCLASS=vm\nLEADER=20\n"


@pytest.fixture
def find(proc, tmp_path):
    folder = tmp_path / "machines"
    folder.mkdir()

    def find(name, text, cgroup):
        (folder / name).write_text(text)
        proc.process(20, "init", cgroup=cgroup)
        return find_machine_cgroup(proc.procfs, name, str(folder))

    return find


@pytest.mark.parametrize(
    "name, text, cgroup, path",
    [
        (
            "web",
            NSPAWN,
            "/machine.slice/systemd-nspawn@web.service/payload/init.scope",
            "/machine.slice/systemd-nspawn@web.service",
        ),
        (
            "qemu-1-vm",
            LIBVIRT,
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
        ),
    ],
)
def test_the_cgroup_of_its_unit(find, name, text, cgroup, path):
    assert find(name, text, cgroup) == path


@pytest.mark.parametrize(
    "text, cgroup",
    [
        ("NAME=web\nLEADER=20\n", "/x"),
        ("UNIT=web.service\n", "/web.service"),
        ("UNIT=web.service\nLEADER=no\n", "/web.service"),
        ("UNIT=web.service\nLEADER=21\n", "/web.service"),
        ("UNIT=web.service\nLEADER=20\n", "/elsewhere"),
        ("", "/"),
    ],
)
def test_a_machine_that_ended(find, text, cgroup):
    with pytest.raises(NotFoundError, match="machine web does not run"):
        find("web", text, cgroup)


def test_no_such_machine(proc, tmp_path):
    with pytest.raises(NotFoundError, match="machine web does not run: systemd-machined has no /nowhere/web"):
        find_machine_cgroup(proc.procfs, "web", "/nowhere")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "a\n", "a\0b"])
def test_a_text_that_is_no_name(proc, name):
    with pytest.raises(InputError, match="is not a name of a machine"):
        find_machine_cgroup(proc.procfs, name)


def test_a_file_that_others_may_have_written(find, tmp_path):
    os.mkfifo(str(tmp_path / "machines/fifo"))
    with pytest.raises(NotFoundError, match=r"machine fifo cannot be read: .* is not a regular file"):
        find_machine_cgroup(None, "fifo", str(tmp_path / "machines"))
