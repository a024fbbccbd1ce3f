# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns for a plan, and its lines for a person."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import results
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    ADMIN_RESERVE,
    KBYTES,
    MODE,
    RATIO,
    USER_RESERVE,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.own_file import record_path, render_file
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.results import sysctl_results
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.run import read_and_plan

FILE = "/etc/sysctl.d/60-oomguard-overcommit.conf"
RECORD = record_path("overcommit")


@pytest.fixture
def results_of(sysctl_tree, overcommit_request):
    def make(wanted, **fields):
        return sysctl_results(read_and_plan(sysctl_tree.host, overcommit_request(wanted, **fields)))

    return make


def test_values_at_three_places(results_of):
    found = results_of({KBYTES: 900})
    assert found["before"]["live"] == {ADMIN_RESERVE: 8192, USER_RESERVE: 131072, RATIO: 50, KBYTES: 0, MODE: 0}
    assert found["after"]["live"] == {ADMIN_RESERVE: 8192, USER_RESERVE: 131072, RATIO: 0, KBYTES: 900, MODE: 0}
    assert found["after"]["file"] == {ADMIN_RESERVE: None, USER_RESERVE: None, RATIO: None, KBYTES: 900, MODE: None}
    assert found["after"]["boot"] == {ADMIN_RESERVE: None, USER_RESERVE: None, RATIO: 0, KBYTES: 900, MODE: 0}
    assert found["boot_value_from"][KBYTES] == f"{FILE} line 2"
    assert found["boot_value_from"][MODE] is None


def test_diff_has_a_heading_for_each_part(results_of):
    live, file = results_of({MODE: 1})["diff"]
    assert (live["before_header"], live["after_header"]) == ("live values", "live values")
    assert f"{MODE} = 0\n" in live["before"] and f"{MODE} = 1\n" in live["after"]
    assert "#" not in live["before"] + live["after"]
    assert (file["before_header"], file["after_header"]) == (f"{FILE} (does not exist)", FILE)
    assert (file["before"], file["after"]) == ("", render_file("overcommit", {MODE: 1}, {MODE: 0}))


def test_diff_of_a_removed_file(sysctl_tree, results_of):
    text = render_file("overcommit", {MODE: 0}, {MODE: 0})
    sysctl_tree.write(FILE, text)
    _live, file = results_of({}, absent=True)["diff"]
    expected = dict(before_header=FILE, after_header=f"{FILE} (removed)", before=text, after="")
    assert file == expected


PRESENT = {FILE: render_file("overcommit", {RATIO: 80, MODE: 2}, {RATIO: 50, KBYTES: 0, MODE: 0})}


@pytest.mark.parametrize(
    "files, live, wanted, fields, msg, report",
    [
        (
            {},
            {},
            {MODE: 2, RATIO: 80},
            {},
            f"{RATIO} 50 -> 80, {MODE} 0 -> 2, in {FILE}",
            [
                f"{RATIO}: 50 -> 80, also after the next boot ({FILE} line 2)",
                f"{MODE}: 0 -> 2, also after the next boot ({FILE} line 3)",
                f"{FILE}: written",
            ],
        ),
        (
            {"/etc/sysctl.d/99-x.conf": f"{MODE} = 0\n"},
            {},
            {MODE: 1},
            {},
            f"{MODE} 0 -> 1, in {FILE}",
            [f"{MODE}: 0 -> 1, boot value from /etc/sysctl.d/99-x.conf wins (0)", f"{FILE}: written"],
        ),
        (
            {},
            {},
            {MODE: 1},
            dict(persistent=False),
            f"{MODE} 0 -> 1, until the next boot",
            [f"{MODE}: 0 -> 1, 0 after the next boot", f"{RECORD}: written"],
        ),
        (
            {},
            {},
            {ADMIN_RESERVE: 9000},
            dict(persistent=False),
            f"{ADMIN_RESERVE} 8192 -> 9000, until the next boot",
            [
                f"{ADMIN_RESERVE}: 8192 -> 9000, the kernel's default after the next boot",
                f"{RECORD}: written",
            ],
        ),
        (
            {},
            {MODE: 1},
            {MODE: 1},
            {},
            f"{FILE} written",
            [f"{MODE}: 1, also after the next boot ({FILE} line 2)", f"{FILE}: written"],
        ),
        (
            PRESENT,
            {RATIO: 80, MODE: 2},
            {RATIO: 80, MODE: 2},
            {},
            f"nothing to change: {RATIO} is 80, {MODE} is 2",
            [
                f"{RATIO}: 80, also after the next boot ({FILE} line 2)",
                f"{MODE}: 2, also after the next boot ({FILE} line 3)",
            ],
        ),
        (
            PRESENT,
            {RATIO: 80, MODE: 2},
            {},
            dict(absent=True),
            f"{RATIO} 80 -> 50, {MODE} 2 -> 0, {FILE} removed",
            [
                f"{RATIO}: 80 -> 50, also after the next boot",
                f"{MODE}: 2 -> 0, also after the next boot",
                f"{FILE}: removed",
            ],
        ),
        ({}, {MODE: 2}, {}, dict(absent=True), "nothing to take back", ["nothing to take back"]),
    ],
    ids=[
        "written",
        "another file wins",
        "until the next boot",
        "until a boot of unknown values",
        "only the file",
        "nothing to change",
        "taken back",
        "nothing to take back",
    ],
)
def test_lines_for_a_person(sysctl_tree, results_of, files, live, wanted, fields, msg, report):
    for path, text in files.items():
        sysctl_tree.write(path, text)
    sysctl_tree.set(**live)
    found = results_of(wanted, **fields)
    assert found["msg"] == msg
    assert found["report"] == report


def test_lines_are_bounded(sysctl_tree, results_of, monkeypatch):
    """The name of a file may be long, and files may be many."""
    for number in range(40):
        sysctl_tree.write(f"/etc/sysctl.d/{number}-{'x' * 150}.conf", render_file("overcommit", {MODE: 0}, {}))
    found = results_of({}, absent=True, every_file=True)
    assert len(found["msg"]) == results.MSG_LENGTH
    assert found["msg"].endswith("...")
    assert len(found["report"]) == results.REPORT_LINES
    assert found["report"][-1] == "... and 30 more"


def test_lines_are_lines(sysctl_tree, results_of):
    """Another user may choose the name of a file behind a link."""
    sysctl_tree.write("/etc/sysctl.d/99-\n\x1b.conf", f"{MODE} = 0\n")
    found = results_of({MODE: 1})
    for line in [found["msg"], *found["report"], found["not_lasting"][0]["reason"]]:
        assert line.isprintable()


@pytest.mark.parametrize(
    "path, wanted, fields, lost",
    [
        ("/etc/sysctl.d/99-x.conf", {MODE: 1}, {}, [(MODE, "99-x.conf wins")]),
        ("/etc/sysctl.d/10-x.conf", {MODE: 1}, {}, []),
        ("/etc/sysctl.d/99-x.conf", {MODE: 1}, dict(persistent=False), []),
        ("/etc/sysctl.d/99-x.conf", {}, dict(absent=True), []),
        ("/run/sysctl.d/99-x.conf", {MODE: 1}, {}, []),
    ],
)
def test_not_lasting_names_the_file_that_wins(sysctl_tree, results_of, path, wanted, fields, lost):
    sysctl_tree.write(path, f"{MODE} = 0\n")
    expected = [dict(target=key, unit=None, reason=reason) for key, reason in lost]
    assert results_of(wanted, **fields)["not_lasting"] == expected


def test_not_lasting_if_nothing_sets_what_the_limit_relies_on(sysctl_tree, results_of):
    sysctl_tree.set(**{RATIO: 80})
    [lost] = results_of({MODE: 2})["not_lasting"]
    assert lost == dict(target=RATIO, unit=None, reason="nothing sets it at boot")
