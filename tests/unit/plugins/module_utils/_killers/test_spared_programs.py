# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import KILLER_HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import (
    SparedPrograms,
    is_plain,
    read_spared,
    strip_ours,
    write_spared,
)

COMMAND = "/usr/bin/earlyoom $EARLYOOM_ARGS"
TEXT = (
    KILLER_HEADER
    + """
# unit=db.service program=postgres
# unit=lb.service program=h++a.y
# expression=^(h\\+\\+a\\.y|postgres)$
[Service]
ExecStart=
ExecStart=/usr/bin/earlyoom $EARLYOOM_ARGS --ignore "^(h\\\\+\\\\+a\\\\.y|postgres)$$"
"""
)
BOTH = {"lb.service": "h++a.y", "db.service": "postgres"}


def test_write_and_read():
    assert write_spared(BOTH, COMMAND, None) == TEXT
    assert read_spared(TEXT) == SparedPrograms(BOTH, r"^(h\+\+a\.y|postgres)$")


def test_the_own_expression_of_earlyoom_still_counts():
    spared = read_spared(write_spared({"db.service": "postgres"}, COMMAND, '^(a|"%$)$'))
    assert spared.expression == '(^(a|"%$)$)|^(postgres)$'
    assert 'ignore "(^(a|\\"%%$$)$$)|^(postgres)$$"' in write_spared({"db.service": "postgres"}, COMMAND, '^(a|"%$)$')
    assert re.search(spared.expression, "a") and re.search(spared.expression, "postgres")


def test_nothing_to_spare():
    assert write_spared({}, COMMAND, "x") is None


@pytest.mark.parametrize("text", [None, "", "[Service]\n# unit=a program=b\n"])
def test_a_file_that_is_not_ours(text):
    assert read_spared(text) == SparedPrograms({}, "")


@pytest.mark.parametrize(
    "words, left",
    [
        (["-r", "0"], ["-r", "0"]),
        (["-r", "0", "--ignore", "x"], ["-r", "0"]),
        (["--ignore", "y"], ["--ignore", "y"]),
        (["--ignore", "y", "--ignore", "x"], ["--ignore", "y"]),
    ],
)
def test_arguments_without_ours(words, left):
    assert strip_ours(words, SparedPrograms({"a": "x"}, "x")) == left


def test_arguments_without_a_drop_in():
    assert strip_ours(["--ignore", ""], SparedPrograms({}, "")) == ["--ignore", ""]


@pytest.mark.parametrize("name, expected", [("postgres", True), ("a b", False), ("x\\", False), ("", False)])
def test_plain_names(name, expected):
    assert is_plain(name) is expected
