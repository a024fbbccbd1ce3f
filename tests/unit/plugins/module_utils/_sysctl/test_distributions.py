# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files set sysctls at boot on hosts of Ubuntu, of SUSE, and of the family of RHEL."""

import pytest
from distribution_trees import NAMES, unpack_tree

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import oom_policy, overcommit
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.boot_files import (
    SYSCTL_CONF,
    list_boot_files,
    values_at_boot,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.host import Host

HOSTS = [name for name in NAMES if not name.startswith("cgroups")]
KEYS = [*oom_policy.KEYS, *overcommit.KEYS]
OURS = "/etc/sysctl.d/60-oomguard-policy.conf"
SUSE_RELEASE = "5.14.21-150400.24.100-default"


@pytest.fixture
def boot(tmp_path):
    """Return a function that unpacks a tree; it returns what sets sysctls, and all output."""

    def build(name, files=(), systemd=True):
        printed = unpack_tree(name, tmp_path)
        for path, text in dict(files).items():
            (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path[1:]).write_text(text)
        if systemd:
            (tmp_path / "run/systemd/system").mkdir(parents=True)
        release = printed.get("uname -r", "5.15.0").strip()
        return Host(str(tmp_path), release).boot_sources(), printed

    return build


@pytest.mark.parametrize("name", HOSTS)
def test_order_is_that_of_sysctl(boot, name):
    """The order is the one that procps printed on the host."""
    sources, printed = boot(name)
    assert list_boot_files(sources, volatile=True, procps=True) == printed["sysctl --system"].split()
    assert sources.unreadable == {}


@pytest.mark.parametrize("name", HOSTS)
def test_systemd_leaves_out_sysctl_conf(boot, name):
    sources, printed = boot(name)
    assert [*list_boot_files(sources), SYSCTL_CONF] == printed["sysctl --system"].split()


# What decides at boot by systemd, and by sysctl --system: of each tree, all that is set.
DECIDED = {
    "ubuntu-20.04": {},
    "ubuntu-22.04": {},
    "ubuntu-24.04": {
        "kernel.panic": (10, "/etc/sysctl.d/99-sysctl.conf line 4", "/etc/sysctl.conf line 4"),
        "kernel.panic_on_oops": (1, "/etc/sysctl.d/99-sysctl.conf line 5", "/etc/sysctl.conf line 5"),
        "vm.overcommit_memory": (1, "/etc/sysctl.d/99-sysctl.conf line 6", "/etc/sysctl.conf line 6"),
        "vm.panic_on_oom": (0, "/etc/sysctl.d/99-sysctl.conf line 7", "/etc/sysctl.conf line 7"),
    },
    "oracle-8": {},
    "oracle-9": {
        "vm.overcommit_memory": (2, "/etc/sysctl.d/99-postgres.conf line 4", "/etc/sysctl.d/99-postgres.conf line 4"),
        "vm.overcommit_ratio": (95, "/etc/sysctl.d/99-postgres.conf line 5", "/etc/sysctl.d/99-postgres.conf line 5"),
        # a ratio zeroes it
        "vm.overcommit_kbytes": (0, "/etc/sysctl.d/99-postgres.conf line 5", "/etc/sysctl.d/99-postgres.conf line 5"),
    },
    "rocky-9.2": {},
    "suse-15.4": {},
}


@pytest.mark.parametrize("name", HOSTS)
def test_what_decides(boot, name):
    sources = boot(name)[0]
    found = {}
    by_hand = values_at_boot(KEYS, sources, procps=True)
    for key, value in values_at_boot(KEYS, sources).items():
        if value.source or by_hand[key].source:
            assert value.value == by_hand[key].value
            found[key] = (value.value, str(value.source), str(by_hand[key].source))
    assert found == DECIDED[name]


@pytest.mark.parametrize("name", HOSTS)
def test_our_file_wins_unless_sysctl_conf_says_otherwise(boot, name):
    """On all these hosts a link gives systemd /etc/sysctl.conf, and its name sorts behind ours."""
    sources = boot(name)[0].with_file(OURS, "vm.panic_on_oom = 1\n")
    decided = {str(values_at_boot(KEYS, sources, procps=procps)["vm.panic_on_oom"].source) for procps in (False, True)}
    is_set = "vm.panic_on_oom" in DECIDED[name]
    assert decided == (set(DECIDED[name]["vm.panic_on_oom"][1:]) if is_set else {OURS + " line 1"})


LINKS = {
    "ubuntu-20.04": "/etc/sysctl.d/99-sysctl.conf",
    "ubuntu-22.04": "/etc/sysctl.d/99-sysctl.conf",
    "oracle-8": "/etc/sysctl.d/99-sysctl.conf",
    "rocky-9.2": "/etc/sysctl.d/99-sysctl.conf",
    "suse-15.4": "/usr/lib/sysctl.d/99-sysctl.conf",
}


@pytest.mark.parametrize("name, link", LINKS.items(), ids=list(LINKS))
def test_sysctl_conf_counts_through_its_link(boot, name, link):
    sources = boot(name, {SYSCTL_CONF: "vm.panic_on_oom = 2\n", OURS: "vm.panic_on_oom = 1\n"})[0]
    found = values_at_boot(KEYS, sources)["vm.panic_on_oom"]
    assert (found.value, str(found.source)) == (2, link + " line 1")


# Files of SUSE's kernels beside the one of the tree, and which of them decides.
KERNEL_FILES = {
    "in /boot": ([f"/boot/sysctl.conf-{SUSE_RELEASE}"], f"/boot/sysctl.conf-{SUSE_RELEASE}"),
    "of its modules": (
        [f"/boot/sysctl.conf-{SUSE_RELEASE}", f"/usr/lib/modules/{SUSE_RELEASE}/sysctl.conf"],
        f"/usr/lib/modules/{SUSE_RELEASE}/sysctl.conf",
    ),
    "of another kernel": (["/boot/sysctl.conf-5.3.18-150300.59.93-default"], None),
}


@pytest.mark.parametrize("systemd", [True, False])
@pytest.mark.parametrize("paths, decides", KERNEL_FILES.values(), ids=list(KERNEL_FILES))
def test_sysctls_of_the_running_kernel(boot, paths, decides, systemd):
    sources = boot("suse-15.4", dict.fromkeys(paths, "kernel.panic = 5\n"), systemd)[0]
    source = values_at_boot(KEYS, sources)["kernel.panic"].source
    assert (source and source.path) == decides
    later = sources.with_file("/usr/lib/sysctl.d/00-first.conf", "kernel.panic = 6\n")
    assert values_at_boot(KEYS, later)["kernel.panic"].value == 6
