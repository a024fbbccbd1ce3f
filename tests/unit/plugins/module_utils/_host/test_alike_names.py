# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that a person may have meant."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.alike_names import find_alike, suggest

ALIKE = {
    "a typo": ("dokcerd", ["cron", "dockerd", "sshd"], ["dockerd"]),
    "a letter is missing": ("redis-serve", ["redis-cli", "redis-server"], ["redis-server"]),
    "an instance": ("postgresql", ["postgresql@15-main", "postgres", "x"], ["postgresql@15-main", "postgres"]),
    "instances first, at most three": ("a-b", ["a-b@4", "a-b@3", "a-b@2", "a-b@1"], ["a-b@1", "a-b@2", "a-b@3"]),
    "a suffix of systemd is not compared": ("dokcer.service", ["cron.service", "docker.service"], ["docker.service"]),
    "a suffix of systemd is the same": ("docker.slice", ["docker.service", "dockr.slice"], ["dockr.slice"]),
    "itself": ("cron", ["cron"], []),
    "nothing alike": ("nginx", ["cron", "sshd"], []),
    "too short to begin anything": ("x", ["xdm", "xfce"], []),
    "one letter of three": ("eet", ["eat", "awk"], ["eat"]),
    "two letters of four": ("shxy", ["shop"], []),
    "no names": ("nginx", [], []),
}


@pytest.mark.parametrize("name, known, alike", ALIKE.values(), ids=list(ALIKE))
def test_find_alike(name, known, alike):
    assert find_alike(name, known) == alike


def test_names_of_users_take_no_time():
    """A user may start any number of processes, with long names."""
    assert find_alike("dokcerd", ("x" * 4096 + str(number) for number in range(10**9))) == []


@pytest.mark.parametrize(
    "names, words",
    [
        ([], ""),
        (["a"], "did you mean a?"),
        (["a", "b"], "did you mean a or b?"),
        (["a\n\x1b"], "did you mean a\\x0a\\x1b?"),
    ],
)
def test_suggest(names, words):
    assert suggest(names) == words
