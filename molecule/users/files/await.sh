#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Wait until facts.sh prints a line that matches. Usage: await.sh PATTERN SECONDS
for _ in $(seq "$2"); do
	sleep 1
	/root/facts.sh | grep -q "$1" && exit 0
done
exit 1
