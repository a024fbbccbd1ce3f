# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end a run: where they interrupt it, and where they wait."""

import contextlib
import os
import signal
import threading

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import (
    ENDING_SIGNALS,
    Interrupted,
    ending_signals,
)


@pytest.fixture(autouse=True)
def usual():
    """Restore what the signals did before, whatever a test does."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_signal_interrupts(number):
    done = []
    words = f"^the run was ended by {number.name}$"
    with ending_signals() as signals, pytest.raises(Interrupted, match=words), signals.interrupt():
        send(number)
        done.append("more")
    assert done == []


def test_code_that_tolerates_failures_does_not_swallow_a_signal():
    with ending_signals() as signals, pytest.raises(Interrupted), signals.interrupt(), contextlib.suppress(Exception):
        send()


def test_undo_is_not_interrupted():
    """A second signal, of an administrator without patience, comes in the middle of the undo."""
    undone = []
    with ending_signals() as signals:
        with pytest.raises(Interrupted), signals.interrupt():
            try:
                send()
            finally:
                send(signal.SIGINT)
                undone.append(1)
        send(signal.SIGHUP)
        undone.append(2)
    assert undone == [1, 2]


def test_signal_waits_for_the_next_block_that_may_be_interrupted():
    with ending_signals() as signals:
        with signals.interrupt():
            pass
        send()
        with pytest.raises(Interrupted), signals.interrupt():
            raise AssertionError("the block was entered")


def test_signals_do_afterwards_what_they_did_before(usual):
    with ending_signals():
        pass
    assert {number: signal.getsignal(number) for number in ENDING_SIGNALS} == usual


def test_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ending_signals() as signals, signals.interrupt():
        send(signal.SIGHUP)


def test_other_thread_catches_nothing():
    caught = []

    def run():
        with ending_signals() as signals, signals.interrupt():
            caught.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert caught == [signal.getsignal(signal.SIGTERM)]
