# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of a module that does several things in turn."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.module_answer import (
    ModuleAnswer,
    answer_failure,
    join_answers,
)

PINNED = ModuleAnswer({"changed": True, "msg": "a: 0 -> -500", "diff": {"before": "0", "after": "-500"}}, ["look"])
SAME = ModuleAnswer({"changed": False, "msg": "unchanged", "diff": [{"before": "", "after": ""}]}, [])


def test_parts_in_turn():
    result, warnings = join_answers(iter([("protect", PINNED), ("panic", SAME)]))
    assert result == {
        "protect": PINNED.result,
        "panic": SAME.result,
        "changed": True,
        "diff": [{"before": "0", "after": "-500"}, {"before": "", "after": ""}],
        "msg": "protect: a: 0 -> -500; panic: unchanged",
    }
    assert warnings == ["protect: look"]


@pytest.mark.parametrize("check_mode, msg", [(False, "panic: no\\x1b"), (True, "would fail: panic: no\\x1b")])
def test_nothing_is_done_after_a_failure(check_mode, msg):
    done = []

    def do():
        for name, answer in (
            ("protect", PINNED),
            ("panic", answer_failure("no\x1b", check_mode)),
            ("overcommit", SAME),
        ):
            done.append(name)
            yield name, answer

    result, warnings = join_answers(do())
    assert done == ["protect", "panic"]
    assert (result["failed"], result["changed"], result["msg"]) == (True, True, msg)
    assert (result["panic"]["failed"], "overcommit" in result, warnings) == (True, False, ["protect: look"])
