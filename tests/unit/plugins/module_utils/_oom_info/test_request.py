# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.request import (
    AskedDomain,
    check_top,
    parse_domain,
)


@pytest.mark.parametrize(
    "value, asked",
    [
        ("host", AskedDomain("host", "")),
        ({"cgroup": "/a"}, AskedDomain("cgroup", "/a")),
        ({"unit": "web"}, AskedDomain("unit", "web")),
        ('{"container": "web"}', AskedDomain("container", "web")),
        (' {"machine": "web"}', AskedDomain("machine", "web")),
    ],
)
def test_parse(value, asked):
    assert parse_domain(value) == asked


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "all",
        3,
        [],
        {},
        {"cgroup": "/a", "unit": "b"},
        {"cgroup": ""},
        {"cgroup": None},
        {"pid": "1"},
        {"cgroup": ["/a"]},
        '{"cgroup": 1}',
    ],
)
def test_anything_else_is_refused(value):
    with pytest.raises(InputError) as raised:
        parse_domain(value)
    assert str(raised.value).endswith(
        " is no domain: set host, or a dictionary with exactly one of cgroup, unit, container, machine, whose value is"
        " text, such as {unit: docker}"
    )


@pytest.mark.parametrize("value", ["{", '{"cgroup":', "{unit: web}", "{" * 100000, '{"a":' * 100000])
def test_json_that_a_command_line_cut(value):
    """Ansible splits key=value at blanks, so only a whole JSON text arrives as one."""
    with pytest.raises(InputError) as raised:
        parse_domain(value, "oom_info_domain")
    assert str(raised.value) == (
        f"oom_info_domain={value[:100]} is no JSON: on a command line write everything as one JSON text, such as"
        """ '{"oom_info_domain": {"cgroup": "/a"}}'"""
    )


@pytest.mark.parametrize("top", [0, 1, 1000])
def test_top(top):
    check_top(top)


@pytest.mark.parametrize("top", [-1, 1001, 10**5000], ids=["negative", "large", "huge"])
def test_top_out_of_range(top):
    with pytest.raises(InputError, match=r"^oom_info_top=\S+.* is out of range, 0 to 1000; set a number in it$"):
        check_top(top, "oom_info_top")
