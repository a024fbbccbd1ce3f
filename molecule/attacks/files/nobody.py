# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B5: as the user nobody, kill every process of this user, again and again."""

import contextlib
import os
import signal
import time

while True:
    with contextlib.suppress(OSError):  # there is no other process, and this one is spared
        os.kill(-1, signal.SIGKILL)
    time.sleep(0.001)
