# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name files after hosts."""

import re

import pytest

from ansible_collections.oomguard.linux.plugins.filter.safe_file_name import FilterModule
from ansible_collections.oomguard.linux.plugins.plugin_utils.file_names import safe_file_name


@pytest.mark.parametrize(
    "name, safe",
    [
        ("web1", "web1"),
        ("web-1.example_x.com", "web-1.example_x.com"),
        ("../../escaped/boot", "%2e.%2f..%2fescaped%2fboot"),
        ("..", "%2e."),
        (".", "%2e"),
        (".hidden", "%2ehidden"),
        ("-rf", "%2drf"),
        ("web/1", "web%2f1"),
        ("web%2f1", "web%252f1"),
        ("a b\n\0", "a%20b%0a%00"),
        ("ü", "%c3%bc"),
        ("", "%-e3b0c44298fc1c14"),
        ("Web1", "Web1%-" + "0" * 16),
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 102 + "%-" + "0" * 16),
        ("/" * 60, "%2f" * 34 + "%-" + "0" * 16),
        ("a" + "/" * 60, "a" + "%2f" * 33 + "%-" + "0" * 16),
        ("aa" + "/" * 60, "aa" + "%2f" * 33 + "%-" + "0" * 16),
    ],
)
def test_safe_file_name(name, safe):
    found = safe_file_name(name)
    assert (re.sub("%-[0-9a-f]{16}$", "%-" + "0" * 16, found) if name else found) == safe
    assert FilterModule().filters()["safe_file_name"](name) == found
    assert len(found) <= 120


def test_names_never_share_a_file():
    names = [
        "web1",
        "Web1",
        "WEB1",
        "web/1",
        "web%2f1",
        "web%2F1",
        "web%252f1",
        "..",
        ".",
        "",
        "%2e",
        "%-",
        "\udcff",
        "\\xff",
    ]
    names += ["ü", "Ü", "u\u0308", "x" * 120, "x" * 121, "x" * 122, "X" * 121]
    names += [safe_file_name(name) for name in names]
    files = {name: safe_file_name(name).lower() for name in names}
    assert len(set(files.values())) == len(files)
    assert all(re.fullmatch("[a-z0-9._%-]+", name) for name in files.values())
