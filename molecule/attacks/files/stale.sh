#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A4: writes a pid file of root that is older than the user's process that has this pid now.
set -eu
sed 's/.*"stale_pid": \([0-9]*\).*/\1/' /home/mallory/reports/A4.json > /run/stale.pid
touch --date='1 hour ago' /run/stale.pid
