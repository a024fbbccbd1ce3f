# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The search for words in a file: each is found once, with a child process or without it."""

import errno
import itertools
import os
import random

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import word_search
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.word_search import (
    find_words,
    measure_overlap,
    search_file,
)

WORDS = (b"oom-killer: gfp_mask=", b"oom-kill:constraint=", b"illed process ")
BLOCK = 4096


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Open a file with words at random places, at its ends, and across two blocks.

    After the test no child may be left.
    """
    monkeypatch.setattr(word_search, "_BLOCK", BLOCK)
    dice = random.Random(1)
    content = bytearray(b"oom-kill oom-killer \xff\0" * (9 * BLOCK // 22))
    places = {0, BLOCK - 1, BLOCK - 5, 2 * BLOCK - 13, len(content) - 21, *dice.sample(range(len(content) - 21), 50)}
    for at in sorted(places):
        word = dice.choice(WORDS)
        content[at : at + len(word)] = word
    path = tmp_path / "log"
    path.write_bytes(content)
    before = list_children()
    with open(path, "rb") as stream:
        yield stream
    assert list_children() <= before


def list_children():
    with open(f"/proc/self/task/{os.getpid()}/children") as stream:
        return set(stream.read().split())


def find_all(log, start=0):
    """Return what Python's own search finds."""
    log.seek(0)
    content = log.read()
    return [(at, word) for at in range(start, len(content)) for word in WORDS if content.startswith(word, at)]


def search(log, start=0):
    return list(search_file(log.fileno(), start, os.fstat(log.fileno()).st_size, WORDS))


@pytest.mark.parametrize("start", [0, 7, BLOCK, 8 * BLOCK])
def test_each_word_is_found_once_in_order(log, start):
    assert search(log, start) == find_all(log, start)
    assert len(find_all(log)) > 40


@pytest.mark.parametrize(
    "ready, most",
    [([True], 0), ([False], 1 << 16), ([False], 25), ([False, True, False], 1 << 16)],
    ids=["only the child", "only this process", "few words kept", "both"],
)
def test_child_and_process_meet_anywhere(log, monkeypatch, ready, most):
    turns = itertools.cycle(ready)
    monkeypatch.setattr(word_search._Child, "is_ready", lambda _child: next(turns))
    monkeypatch.setattr(word_search, "_MOST_KEPT", most)
    assert search(log) == find_all(log)


def test_words_in_a_block():
    block = b"oom-kill:constraint=oom-killer: gfp_mask=illed process oom-kill: oom-killer"
    assert find_words(block, WORDS) == [(0, WORDS[1]), (20, WORDS[0]), (41, WORDS[2])]
    assert find_words(b"", WORDS) == find_words(b"oom-kill", (b"illed process ",)) == []
    assert measure_overlap(WORDS) == 20


def test_a_c_library_without_memmem(monkeypatch):
    monkeypatch.setattr(word_search.ctypes, "CDLL", lambda _name: object())
    assert word_search._load_memmem() is None


def fail_to_fork():
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def end_at_once(*_arguments):
    os._exit(1)


def end_after_half_an_answer(_search, _blocks, _words, writing):
    os.write(writing, b"\x02\0\0\0\x01")
    os._exit(1)


@pytest.mark.parametrize(
    "where, name, broken",
    [
        (os, "fork", fail_to_fork),
        (word_search, "_work", end_at_once),
        (word_search, "_work", end_after_half_an_answer),
    ],
    ids=["no child", "it ends at once", "it ends in the middle"],
)
def test_search_without_children(log, monkeypatch, where, name, broken):
    """The kernel may kill a child, or have no memory for it."""
    monkeypatch.setattr(where, name, broken)
    assert search(log) == find_all(log)


def test_no_child_is_left_when_the_search_stops(log):
    found = search_file(log.fileno(), 0, 9 * BLOCK, WORDS)
    next(found)
    found.close()
