# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's arithmetic, by version, against scores that kernels logged."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.badness import (
    RULES,
    Footprint,
    choose_rule,
    compute_badness,
    is_signed,
    parse_release,
    show_score,
)

PLAIN = Footprint(rss=1000, swap=200, pte=30, pmd=4, score=0, root=False)
ROOT = PLAIN._replace(root=True)
TOTAL = 1000000


@pytest.mark.parametrize(
    "release, plain, root, raised, lowered, wins, kills_child",
    [
        ("2.6.36", 1, 1, 101, 1, "first", True),
        ("2.6.38.8", 1, 1, 101, 1, "first", True),
        ("2.6.39", 1, 1, 101, 1, "first", True),
        ("3.4.113", 1, 1, 101, 1, "first", True),
        ("3.5.0", 1230, 1, 101230, 1, "first", True),
        ("3.13.0-43-generic", 1230, 1, 101230, 1, "first", True),
        ("3.14.0", 1230, 1194, 101230, 1, "first", True),
        ("4.4.0-47-generic", 1234, 1197, 101234, 1, "first", True),
        ("4.14.330", 1234, 1197, 101234, 1, "first", True),
        ("4.15.0", 1230, 1194, 101230, 1, "first", True),
        ("4.17", 1230, 1230, 101230, 1, "first", True),
        ("4.19.0-26-amd64", 1230, 1230, 101230, 1, "first", True),
        ("5.1.0", 1230, 1230, 101230, 1, "first", False),
        ("5.3.0-76-generic", 1230, 1230, 101230, 1, "last", False),
        ("5.8.0", 1230, 1230, 101230, 1, "last", False),
        ("5.9.0", 1230, 1230, 101230, -98770, "last", False),
        ("6.1.0-50-cloud-amd64", 1230, 1230, 101230, -98770, "last", False),
        ("7.2.1", 1230, 1230, 101230, -98770, "last", False),
    ],
)
def test_each_version_has_its_rule(release, plain, root, raised, lowered, wins, kills_child):
    rule = choose_rule(release)
    found = [
        compute_badness(rule, task, TOTAL)
        for task in (PLAIN, ROOT, PLAIN._replace(score=100), PLAIN._replace(score=-100))
    ]
    assert found == [plain, root, raised, lowered]
    assert (rule.last_wins, rule.kills_child) == (wins == "last", kills_child)


@pytest.mark.parametrize(
    "release, signed, version",
    [
        ("2.6.32-431.11.2.el6.x86_64", None, "2.6.36"),
        ("3.10.0-514.6.1.el7.x86_64", None, "3.10"),
        ("4.18.0-553.el8_10.x86_64", None, "5.3"),
        ("4.18.0-553.el8_10.x86_64", True, "5.9"),
        ("5.14.0-427.13.1.el9_4.x86_64", True, "5.14"),
        ("6.12.0-55.el10.x86_64", True, "6.12"),
        ("4.18.0-553.rt7.342.el8_10.x86_64", None, "5.3"),
    ],
)
def test_kernels_of_red_hat_have_later_rules(release, signed, version):
    assert choose_rule(release, signed) == choose_rule(version)


@pytest.mark.parametrize(
    "release, version",
    [
        # ELRepo builds kernels of kernel.org for releases of Red Hat, and Oracle its own.
        ("5.4.196-1.el7.elrepo.x86_64", "5.4"),
        ("4.10.4-1.el7.elrepo.x86_64", "4.10"),
        ("4.18.0-1.el7.elrepo.x86_64", "4.18"),
        ("5.9.1-1.el8.elrepo.x86_64", "5.9"),
        ("6.14.9-1.el8.elrepo.x86_64", "6.14"),
        ("6.2.12-1.el9.elrepo.x86_64", "6.2"),
        ("5.4.17-2136.330.7.1.el8uek.x86_64", "5.4"),
        ("5.15.0-205.149.5.1.el9uek.x86_64", "5.15"),
        ("6.12.0-100.28.2.2.el9uek.x86_64", "6.12"),
        # SUSE, Virtuozzo, Ubuntu, and the newer releases of Red Hat.
        ("5.3.18-150300.59.93-default", "5.3"),
        ("5.14.21-150400.24.100-default", "5.14"),
        ("3.10.0-1160.53.1.vz7.185.3", "3.10"),
        ("5.15.0-125-generic", "5.15"),
        ("5.14.0-162.12.1.el9_1.0.2.x86_64", "5.14"),
    ],
)
def test_other_kernels_have_the_rules_of_their_number(release, version):
    assert choose_rule(release) == choose_rule(version)


@pytest.mark.parametrize(
    "release, signed, expected",
    [("5.4.0", True, "5.9"), ("5.9.0", False, "5.3"), ("5.4.0", False, "5.3"), ("6.1.0", True, "6.1")],
)
def test_what_the_kernel_shows_decides(release, signed, expected):
    assert choose_rule(release, signed) == choose_rule(expected)


@pytest.mark.parametrize("release", ["", "linux", "2.6.18", "2.6.32-754.el5", "2.4.0", "x6.1"])
def test_no_rule_is_guessed(release):
    assert choose_rule(release) is None


def test_rules_are_newest_first():
    assert [first for first, _rule in RULES] == sorted((first for first, _rule in RULES), reverse=True)


def test_counters_that_the_killer_reads():
    found = [choose_rule(release).approximate for release in ("6.1.0", "6.18.44", "6.19.0", "7.1", "7.2.0", "8.0")]
    assert found == [True, True, None, None, False, False]


def test_release_without_a_third_number():
    assert (parse_release("7.2"), parse_release("6.18.44-fc")) == ((7, 2), (6, 18, 44))


def test_immune():
    assert compute_badness(choose_rule("6.1"), PLAIN._replace(score=-1000), TOTAL) is None


@pytest.mark.parametrize(
    "release, task, total, logged",
    [
        # Kill process 6576 (mysqld) score 651, with 10283998 pages of RAM and swap
        ("3.10.0-514.6.1.el7.x86_64", Footprint(5157063, 1527848, 15483, 0, 0, False), 10283998, 651),
        # Kill process 2089 (node) score 862: it ran as root
        ("4.4.0-47-generic", Footprint(110965, 0, 266, 9, 0, True), 125127, 862),
    ],
)
def test_scores_that_kernels_logged(release, task, total, logged):
    rule = choose_rule(release)
    assert show_score(rule, compute_badness(rule, task, total), total) == logged


@pytest.mark.parametrize(
    "badness, shown",
    [(0, 666), (1230, 667), (-98770, 601), (-998770, 1), (-1000000, 0), (-1100000, 0), (1000000, 1333)],
)
def test_shown_score_since_5_9(badness, shown):
    assert show_score(choose_rule("6.1"), badness, TOTAL) == shown


def test_shown_score_of_thousandths():
    assert show_score(choose_rule("3.0"), 17, TOTAL) == 17


@pytest.mark.parametrize(
    "score, shown, signed",
    [
        (0, 666, True),
        (0, 700, True),
        (0, 0, None),
        (0, 12, False),
        (500, 1000, True),
        (500, 510, False),
        (1000, 1333, True),
        (1000, 1000, False),
        (-999, 0, None),
        (-999, 1, None),
        (-500, 333, True),
        (-500, 20, False),
    ],
)
def test_the_kernel_shows_which_rule_it_has(score, shown, signed):
    assert is_signed(score, shown) is signed
