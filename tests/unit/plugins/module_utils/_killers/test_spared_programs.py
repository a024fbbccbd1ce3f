# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import KILLER_HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import (
    NOTHING_SPARED,
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
BOTH = {"lb.service": ["h++a.y"], "db.service": ["postgres"]}


def test_write_and_read():
    assert write_spared(BOTH, COMMAND, None) == TEXT
    assert read_spared(TEXT) == SparedPrograms(BOTH, r"^(h\+\+a\.y|postgres)$", COMMAND, None)


def test_several_programs_of_one_unit():
    """RabbitMQ starts erl_child_setup beside beam.smp."""
    by_unit = {"a.service": ["beam.smp", "erl_child_setup"], "b.service": ["erl_child_setup"]}
    spared = read_spared(write_spared(by_unit, COMMAND, None))
    assert (spared.by_unit, spared.expression) == (by_unit, r"^(beam\.smp|erl_child_setup)$")


OWN = [None, "x", "^(a|b)$", '"%$\\', ")|^(postgres)$", ""]


@pytest.mark.parametrize("ignored", OWN)
@pytest.mark.parametrize("by_unit", [BOTH, {"db.service": ["postgres"]}])
def test_what_is_written_can_be_written_again(by_unit, ignored):
    """So that a program can go while earlyoom does not run."""
    spared = read_spared(write_spared(by_unit, COMMAND, ignored))
    assert (spared.by_unit, spared.command, spared.ignored) == (by_unit, COMMAND, ignored)


def test_a_file_that_somebody_changed():
    spared = read_spared(TEXT.replace("postgres)$$", "postgres|x)$$"))
    assert (spared.by_unit, spared.command) == (BOTH, "")


def test_the_own_expression_of_earlyoom_still_counts():
    by_unit = {"db.service": ["postgres"]}
    spared = read_spared(write_spared(by_unit, COMMAND, '^(a|"%$)$'))
    assert spared.expression == '(^(a|"%$)$)|^(postgres)$'
    assert 'ignore "(^(a|\\"%%$$)$$)|^(postgres)$$"' in write_spared(by_unit, COMMAND, '^(a|"%$)$')
    assert re.search(spared.expression, "a") and re.search(spared.expression, "postgres")


def test_nothing_to_spare():
    assert write_spared({}, COMMAND, "x") is None


@pytest.mark.parametrize("text", [None, "", "[Service]\n# unit=a program=b\n"])
def test_a_file_that_is_not_ours(text):
    assert read_spared(text) == NOTHING_SPARED


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
    assert strip_ours(words, SparedPrograms({"a": ["x"]}, "x", COMMAND, None)) == left


def test_arguments_without_a_drop_in():
    assert strip_ours(["--ignore", ""], NOTHING_SPARED) == ["--ignore", ""]


@pytest.mark.parametrize("name, expected", [("postgres", True), ("a b", False), ("x\\", False), ("", False)])
def test_plain_names(name, expected):
    assert is_plain(name) is expected
