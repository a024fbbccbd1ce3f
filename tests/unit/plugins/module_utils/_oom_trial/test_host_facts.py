# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts about a host that go into the evidence."""

import os
import re
import subprocess

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial import host_facts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.host_facts import (
    read_host_facts,
    read_systemd_version,
)


def test_read_the_facts_of_this_host():
    facts = read_host_facts(Procfs(), "/bin/true")
    assert re.match(r"[0-9a-f]{32}\Z", facts["boot_id"])
    assert facts["kernel"] == facts["versions"]["kernel"] == os.uname().release
    assert re.match(r"3\.[0-9]+\.[0-9]+\Z", facts["versions"]["python"])
    libc = subprocess.run(["getconf", "GNU_LIBC_VERSION"], stdout=subprocess.PIPE, universal_newlines=True, check=False)
    assert facts["versions"]["libc"] == (libc.stdout.strip() or None)
    assert facts["versions"]["hog"] == "dynamic"


def test_what_a_host_lacks_is_null(proc, monkeypatch):
    def unknown(_name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", unknown)
    monkeypatch.setattr(host_facts.Systemd, "runs", lambda _self: False)
    facts = read_host_facts(proc.procfs, "/nonexistent")
    assert facts["boot_id"] is None
    assert {key: facts["versions"][key] for key in ("libc", "systemd", "hog")} == dict.fromkeys(
        ("libc", "systemd", "hog")
    )


@pytest.mark.parametrize(
    "script, version",
    [("echo 'systemd 252.39 (252.39-1)'", 252), ("echo systemd x", None), ("true", None), ("exit 1", None)],
)
def test_read_the_version_of_systemd(tmp_path, monkeypatch, script, version):
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(host_facts.Systemd, "runs", lambda _self: True)
    assert read_systemd_version() == version
    assert read_host_facts(Procfs(), "/bin/true")["versions"]["systemd"] == version


def test_a_host_without_systemctl(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_systemd_version() is None
