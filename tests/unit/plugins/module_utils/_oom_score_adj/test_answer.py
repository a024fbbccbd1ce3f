# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of the module: escaped text, and one sentence on what failed."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import answer

ERRORS = [
    (OomError("no\x1b"), "no\\x1b"),
    (
        OSError(28, "No space left on device", b"/run/\xff"),
        "the scores cannot be read or set: /run/\\xff: No space left on device: free space on its file system",
    ),
    (OSError(24, "Too many open files"), "the scores cannot be read or set: Too many open files: "),
]


@pytest.mark.parametrize("error, msg", ERRORS, ids=str)
@pytest.mark.parametrize("check_mode", [False, True])
def test_one_sentence_on_what_failed(monkeypatch, error, msg, check_mode):
    def fail(*_words):
        raise error

    monkeypatch.setattr(answer, "pin", fail)
    result, warnings = answer.answer_pins({}, check_mode)
    assert result["msg"].startswith("would fail: " * check_mode + msg)
    assert result["failed"] and warnings == []


def test_texts_are_escaped(monkeypatch):
    monkeypatch.setattr(answer, "pin", lambda *_words: ({"changed": False, "msg": "\x1b"}, ["\r"]))
    assert answer.answer_pins({}, False) == ({"changed": False, "msg": "\\x1b"}, ["\\x0d"])
