# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import signal
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.time_limit import TooSlowError, time_limit


def test_end_what_takes_too_long():
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TooSlowError), time_limit(0.05):
        time.sleep(20)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_leave_what_is_fast_alone():
    with time_limit(5):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
