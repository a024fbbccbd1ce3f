# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a host, from a tree of files."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import host
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import MODE

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"


def test_refuse_unknown_live_value(sysctl_tree, overcommit_request):
    sysctl_tree.set(**{MODE: 9})
    with pytest.raises(OomError, match="/proc/sys/vm/overcommit_memory contains '9'"):
        sysctl_tree.host.read(overcommit_request({MODE: 1}))


def test_refuse_link_in_place_of_our_file(sysctl_tree, overcommit_request):
    (sysctl_tree.root / FILE[1:]).symlink_to("/dev/null")
    with pytest.raises(InputError, match="is a symbolic link and is left alone"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_refuse_folder_in_place_of_our_file(sysctl_tree, overcommit_request):
    (sysctl_tree.root / FILE[1:]).mkdir()
    with pytest.raises(InputError, match="is a folder and is left alone"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_unreadable_file_is_an_error(sysctl_tree, overcommit_request, monkeypatch):
    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(host, "open", denied, raising=False)
    with pytest.raises(AccessError, match="cannot be read: Permission denied"):
        sysctl_tree.host.read(overcommit_request({MODE: 2}))


def test_find_container_by_first_process(sysctl_tree):
    sysctl_tree.write("/proc/1/environ", "PATH=/bin\0container=lxc\0")
    assert sysctl_tree.host.container() == "/proc/1/environ"


@pytest.mark.parametrize("mark", host.CONTAINER_MARKS)
def test_find_container_by_mark(sysctl_tree, mark):
    assert sysctl_tree.host.container() is None
    sysctl_tree.write(mark, "")
    assert sysctl_tree.host.container() == mark


def test_find_crash_kernel(sysctl_tree):
    assert not sysctl_tree.host.crash_kernel()
    sysctl_tree.write("/sys/kernel/kexec_crash_loaded", "1\n")
    assert sysctl_tree.host.crash_kernel()


def test_find_pins_programs_and_limited_cgroups(sysctl_tree, tmp_path):
    proc = sysctl_tree.proc
    proc.process(7, name="sshd", score=-1000)
    proc.process(8, name="redis", score=-500, exe="/usr/bin/redis-server")
    assert sysctl_tree.host.pinned() == ["process 8 (redis) at -500"]
    assert [sysctl_tree.host.runs(name) for name in ("sshd", "redis-server", "kubelet")] == [True, True, False]
    for folder, limit in (("", "max"), ("a", "4096"), ("b", "max")):
        (tmp_path / "cgroups" / folder).mkdir()
        (tmp_path / "cgroups" / folder / "memory.max").write_text(limit)
    (tmp_path / "cgroups/cgroup.controllers").write_text("memory\n")
    proc.write("self/mountinfo", f"32 24 0:28 / {tmp_path / 'cgroups'} rw - cgroup2 cgroup2 rw\n")
    assert sysctl_tree.host.limited_cgroups() == ["/a"]
