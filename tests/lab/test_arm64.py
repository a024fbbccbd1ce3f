# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test what arm64 guests have of their own, without booting one."""

import hashlib
import shutil
import subprocess

import arm64
import guests
import lab
import pytest


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    """Let every program be found, under its own name."""
    monkeypatch.setattr(lab, "find_program", lambda name, _package: name)


def test_each_machine_has_its_own_command():
    def command(**platform):
        return guests.Guest("run", {"name": "guest", "suite": "trixie", **platform}, "image")._machine_command("tcg")

    here, there = command(), command(machine="arm64")
    assert here == command(machine="x86_64")
    assert here[:5] == ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16"]
    assert there[:3] == ["qemu-system-aarch64", "-machine", "virt"]
    assert "root=/dev/vda rw console=ttyS0 net.ifnames=0 no_timer_check" in here
    assert "root=/dev/vda rw console=ttyAMA0 net.ifnames=0" in there


def test_package_is_registered_as_unpacked(tmp_path):
    package, root = tmp_path / "package", tmp_path / "root"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(
        "Package: some\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: test\n"
    )
    (package / "DEBIAN/conffiles").write_text("/etc/some.conf\n")
    (package / "etc").mkdir()
    (package / "etc/some.conf").write_text("some")
    archives = root / "var/cache/apt/archives"
    archives.mkdir(parents=True)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", package, archives / "some.deb"], check=True)
    shutil.copytree(package / "etc", root / "etc")
    (root / "usr/share/base-passwd").mkdir(parents=True)
    for name in ("passwd", "group"):
        (root / f"usr/share/base-passwd/{name}.master").touch()

    arm64._register(root)
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat"]
    status = subprocess.run([*query, "${Status}${Conffiles}", "some"], check=True, capture_output=True, text=True)
    assert status.stdout == f"install ok unpacked /etc/some.conf {hashlib.md5(b'some').hexdigest()}"
    assert (root / "var/lib/dpkg/info/some.list").read_text().split() == ["/.", "/etc", "/etc/some.conf"]
    assert not archives.exists()
