# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines as systemd-machined writes them down."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.machines import find_machine_cgroup

NSPAWN = "NAME=web\nUNIT=systemd-nspawn@web.service\nSCOPE=systemd-nspawn@web.service\nCLASS=container\nLEADER=20\n"
# As systemd-machined writes it: the backslashes of the unit's name are doubled.
LIBVIRT = r"""# This is private data. Do not parse.
NAME=qemu-1-vm
SCOPE=machine-qemu\\x2d1\\x2dvm.scope
SERVICE=libvirt-qemu
CLASS=vm
LEADER=20
"""
# Newer versions put what a shell would read as another text in quotes.
QUOTED = LIBVIRT.replace("=machine-qemu\\\\x2d1\\\\x2dvm.scope", r'="machine-qemu\\x2d1\\x2dvm.scope"')


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
        (
            "qemu-1-vm",
            QUOTED,
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
        ),
        ("web", NSPAWN + "UID=0\n", "/systemd-nspawn@web.service/x", "/systemd-nspawn@web.service"),
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
        ("UNIT=web.scope\nLEADER=20\n", "/machine.slice/web.scopes"),
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


def test_a_machine_that_a_user_registered(find):
    with pytest.raises(
        UntrustedError, match="machine web was registered by the user with uid 1000: use cgroup instead"
    ):
        find("web", NSPAWN + "UID=1000\n", "/machine.slice/systemd-nspawn@web.service")


@pytest.mark.parametrize(
    "above", ["/system.slice/jobs.service", "/user.slice/user-7.slice/session-1.scope", "/docker/x", "/web.slice/y"]
)
def test_a_cgroup_that_a_user_could_have_made(find, above):
    """The pid of a machine that ended may be a user's next."""
    with pytest.raises(UntrustedError, match=f"machine web runs in {above}/web.scope, where users may choose the name"):
        find("web", "UNIT=web.scope\nLEADER=20\n", above + "/web.scope/x")


def test_a_file_that_others_may_have_written(find, tmp_path):
    os.mkfifo(str(tmp_path / "machines/fifo"))
    with pytest.raises(NotFoundError, match=r"machine fifo cannot be read: .* is not a regular file"):
        find_machine_cgroup(None, "fifo", str(tmp_path / "machines"))
