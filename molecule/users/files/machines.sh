#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Start the machines, and wait until systemd-machined knows them.
systemctl start tiny tiny-two
for machine in tiny tiny-two; do
	for _ in $(seq 60); do
		machinectl --quiet show "$machine" > /dev/null 2>&1 && continue 2
		sleep 1
	done
	exit 1
done
