# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Turn a signal that ends a run into an exception, where the run can undo what it did.

Strategy: the handler raises only inside a block that asks for it, and only once. Everywhere else,
such as during the undo, the signal is only remembered. So the undo itself is never interrupted.
"""

import contextlib
import signal
from types import FrameType
from typing import Any, Dict, Iterator, Optional

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the run to end.

    It is no OomError, so that code which tolerates failures does not swallow it: a signal is raised
    only once. KeyboardInterrupt is outside of Exception for the same reason.
    """


class EndingSignals:
    """The signals that ask a run to end; ending_signals() makes one that catches them."""

    def __init__(self) -> None:
        self._received: Optional[int] = None
        self._may_raise = False

    @contextlib.contextmanager
    def interrupt(self) -> Iterator[None]:
        """Let a signal interrupt this block, once. Raises Interrupted for one that came before."""
        self._may_raise = True
        try:
            if self._received is not None:
                self._interrupt(self._received)
            yield
        finally:
            self._may_raise = False

    def receive(self, number: int, _frame: Optional[FrameType] = None) -> None:
        """Remember a signal, and raise Interrupted where that is allowed."""
        self._received = number
        if self._may_raise:
            self._interrupt(number)

    def _interrupt(self, number: int) -> None:
        # First, so that a second signal cannot interrupt what undoes the work of this block.
        self._may_raise = False
        raise Interrupted(f"the run was ended by {signal.Signals(number).name}")


@contextlib.contextmanager
def ending_signals() -> Iterator[EndingSignals]:
    """Catch SIGTERM, SIGINT and SIGHUP in this block; afterwards they do what they did before it.

    A signal that is ignored, as SIGHUP is under nohup(1), stays ignored. Outside of the main
    thread nothing is caught, because only the main thread of Python receives signals.
    """
    signals = EndingSignals()
    usual: Dict[int, Any] = {}
    try:
        with contextlib.suppress(ValueError):  # not the main thread
            for number in ENDING_SIGNALS:
                handler = signal.getsignal(number)
                if handler != signal.SIG_IGN:
                    signal.signal(number, signals.receive)
                    usual[number] = signal.SIG_DFL if handler is None else handler
        yield signals
    finally:
        for caught, handler in usual.items():
            signal.signal(caught, handler)
