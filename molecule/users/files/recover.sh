#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Start what was pinned again, as its start gives its score back, and record the state.
systemctl start tiny
systemctl restart "user@$(id -u alice)"
/root/await.sh 'alice 200 ' 30
/root/state.sh /root/after
