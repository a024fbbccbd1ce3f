# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import (
    EarlyoomArguments,
    ignores_raised_scores,
    judge_by_earlyoom,
    parse_arguments_of_earlyoom,
    translate_regex,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService

ARGUMENTS = {
    "none": ("", EarlyoomArguments()),
    "Debian's": ("-r 3600", EarlyoomArguments()),
    "letters": ("-dn -m 45,20 -s100,100 -pr 0 -N /x", EarlyoomArguments()),
    "rss": ("--sort-by-rss -r 0", EarlyoomArguments(sort_by_rss=True)),
    "shortened": ("--sort --dry", EarlyoomArguments(sort_by_rss=True, dryrun=True)),
    "values": (
        "--avoid ^a$ --prefer=b --ignore c --ignore-root-user",
        EarlyoomArguments(avoid="^a$", prefer="b", ignore="c", ignore_root_user=True),
    ),
    "the last one wins": ("--avoid a --avoid b", EarlyoomArguments(avoid="b")),
    "kernel": ("--kernel-oom", EarlyoomArguments(kernel_oom=True)),
    "without raised scores": ("-di", EarlyoomArguments(ignores_raised_scores=True)),
    "a value with an i": ("-Ni -r i", EarlyoomArguments()),
    "groups": ("-dgr60", EarlyoomArguments(kills_groups=True)),
    "a value with a g": ("-rg -Pg", EarlyoomArguments()),
}


@pytest.mark.parametrize("words, arguments", ARGUMENTS.values(), ids=list(ARGUMENTS))
def test_arguments(words, arguments):
    assert parse_arguments_of_earlyoom(words.split()) == arguments


WRONG = {
    "--what": "--what is no option of earlyoom",
    "--ignor": "--ignor is no option of earlyoom",  # of two
    "--": "-- is no option of earlyoom",
    "word": "'word' is no option of earlyoom",
    "--avoid": "--avoid has no value",
    "-m": "-m has no value",
}


@pytest.mark.parametrize("words, error", WRONG.items())
def test_wrong_arguments(words, error):
    with pytest.raises(InputError, match=re.escape(error)):
        parse_arguments_of_earlyoom(words.split())


# The expression, programs that it matches, and programs that it does not.
EXPRESSIONS = {
    "plain": ("^(init|ssh)$", ["init", "ssh"], ["sshd"]),
    "a class": ("^[[:alpha:]_-]+$", ["a_b-c"], ["a1"]),
    "two classes": ("^[[:upper:][:digit:]]*$", ["A1"], ["a"]),
    "negated": ("^[^[:space:]]$", ["x"], [" ", "xy"]),
    "a bracket in brackets": ("^[]a]$", ["]", "a"], ["b"]),
    "open bracket in brackets": ("^[a[]$", ["[", "a"], ["b"]),
    "a backslash in brackets": (r"^[\d]$", ["\\", "d"], ["1"]),
    "escaped": (r"^a\.b$", ["a.b"], ["axb"]),
    "no class of Python": (r"^\d$", ["d"], ["1"]),
    "a word of GNU": (r"^\w+$", ["a1"], ["a-"]),
    "the start of a word": (r"\<b", ["a b"], ["ab"]),
    "the end of a word": (r"a\>", ["a b"], ["ab"]),
    "the start and the end of all": (r"\`ab\'", ["ab"], ["`ab'", "abc"]),
    "a repeated plus sign": (r"^\++$", ["++"], ["a"]),
    "a dollar is the end": ("^a$", ["a"], ["a\n"]),
}


@pytest.mark.parametrize("pattern, yes, no", EXPRESSIONS.values(), ids=list(EXPRESSIONS))
def test_translate_regex(pattern, yes, no):
    translated = translate_regex(pattern)
    assert [text for text in yes + no if re.search(translated, text)] == yes


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "a\\", "(?=a)", "[[:what:]]", "[[.a.]]", "[a", "x" * 5000, "ab+?", "a?+a", "a{2}*"]
)
def test_expressions_that_are_not_translated(pattern):
    assert translate_regex(pattern) is None


def matches(pattern, text):
    return re.search(pattern, text) is not None


def service(score=-500, **facts):
    values = dict(
        name="x.service", unit="x.service", score=score, control_group="/system.slice/x.service", program="post+", uid=0
    )
    return PinnedService(**dict(values, **facts))


RSS = EarlyoomArguments(sort_by_rss=True)
GROUPS = EarlyoomArguments(kills_groups=True)
NOT_KNOWN = r"(p)\1"
VERDICTS = {
    "by score": (EarlyoomArguments(), service(), None),
    "by size": (RSS, service(), "earlyoom runs with --sort-by-rss"),
    "immune": (RSS, service(-1000), None),
    "raised, by size": (RSS, service(500), None),
    "avoided": (RSS._replace(avoid="post"), service(), None),
    "avoided, but too large": (
        RSS._replace(avoid="post"),
        service(size_kb=3 << 20),
        "earlyoom runs with --sort-by-rss",
    ),
    "another is avoided": (RSS._replace(avoid="^ssh$"), service(), "earlyoom runs with --sort-by-rss"),
    "avoided by what is not known": (RSS._replace(avoid=NOT_KNOWN), service(), "--avoid of earlyoom is not understood"),
    "ignored by what is not known": (
        RSS._replace(ignore=NOT_KNOWN),
        service(),
        "--ignore of earlyoom is not understood",
    ),
    "avoided, and ignored by what is not known": (RSS._replace(ignore=NOT_KNOWN, avoid="post"), service(), None),
    "not known, but too large": (
        RSS._replace(avoid=NOT_KNOWN),
        service(size_kb=3 << 20),
        "earlyoom runs with --sort-by-rss",
    ),
    "ignored": (RSS._replace(ignore="post"), service(), None),
    "root's": (RSS._replace(ignore_root_user=True), service(), None),
    "another user's": (RSS._replace(ignore_root_user=True), service(uid=5), "earlyoom runs with --sort-by-rss"),
    "the kernel's choice": (RSS._replace(kernel_oom=True), service(), None),
    "a test run": (RSS._replace(dryrun=True), service(), None),
    "preferred": (EarlyoomArguments(prefer="post"), service(-449), "earlyoom prefers it"),
    "preferred, but too low": (EarlyoomArguments(prefer="post"), service(-450), None),
    "preferred by what is not known": (
        EarlyoomArguments(prefer=NOT_KNOWN),
        service(-449),
        "--prefer of earlyoom is not understood",
    ),
    "preferred, and ignored by what is not known": (
        EarlyoomArguments(prefer="post", ignore=NOT_KNOWN),
        service(-449),
        "--ignore of earlyoom is not understood",
    ),
    "preferred and avoided": (EarlyoomArguments(prefer="post", avoid="post"), service(-449), None),
    "preferred, and avoided by what is not known": (
        EarlyoomArguments(prefer="post", avoid=NOT_KNOWN),
        service(-449),
        "--avoid of earlyoom is not understood",
    ),
    "in a group": (GROUPS, service(), "earlyoom runs with -g"),
    "immune, in a group": (GROUPS, service(-1000), "earlyoom runs with -g"),
    "root's, in a group with another": (GROUPS._replace(ignore_root_user=True), service(), "earlyoom runs with -g"),
    "raised, in a group": (GROUPS, service(5), None),
    "by size, in a group": (GROUPS._replace(sort_by_rss=True), service(), "earlyoom runs with --sort-by-rss"),
    "the kernel's choice, in a group": (GROUPS._replace(kernel_oom=True), service(), None),
    "preferred and ignored": (EarlyoomArguments(prefer="post", ignore="post"), service(-449), None),
    "not preferred": (EarlyoomArguments(prefer="x", ignore=NOT_KNOWN), service(-449), None),
    "raised, with -i": (
        EarlyoomArguments(ignores_raised_scores=True),
        service(300),
        "earlyoom counts scores above 0 backwards",
    ),
    "raised": (EarlyoomArguments(), service(300), None),
    "lowered, with -i": (EarlyoomArguments(ignores_raised_scores=True), service(-300), None),
}


@pytest.mark.parametrize("arguments, pinned, reason", VERDICTS.values(), ids=list(VERDICTS))
def test_judge(arguments, pinned, reason):
    found = judge_by_earlyoom(arguments, pinned, matches)
    assert (found and found.reason) == reason
    assert found is None or found.is_known == ("not understood" not in reason and not reason.endswith(" -g"))


def test_an_expression_that_is_too_slow_is_no_match_and_no_miss():
    found = judge_by_earlyoom(EarlyoomArguments(prefer="post"), service(-449), lambda pattern, text: None)
    assert not found.is_known
    assert "its --prefer cannot be interpreted; check whether it matches the name" in found.remedy


VERSIONS = {"1.6.1": True, "1.6": True, None: True, "1.7": False, "1.8.2": False, "2.0": False}


@pytest.mark.parametrize("version, ignores", VERSIONS.items())
def test_i_does_nothing_from_1_7_on(version, ignores):
    assert ignores_raised_scores(EarlyoomArguments(ignores_raised_scores=True), version) is ignores
    assert not ignores_raised_scores(EarlyoomArguments(), version)


@pytest.mark.parametrize("program", ["x';reboot;'", "a b", "$(id)", ""])
def test_no_line_to_paste_with_a_name_that_a_shell_would_run(program):
    """A process chooses its name."""
    remedy = judge_by_earlyoom(RSS, service()._replace(program=program), matches).remedy
    assert remedy.endswith("whatever its score is: leave that out")


def test_the_line_to_paste():
    remedy = judge_by_earlyoom(RSS, service(), matches).remedy
    assert remedy == (
        "earlyoom runs with --sort-by-rss, so it may kill x.service whatever its score is: leave that out, or add"
        r" --ignore '^post\+$' to its arguments"
    )
