#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Write all that pins may change to a file: the folders of units and drop-ins, and the scores of the daemons.
set -eu
{
	find /etc/systemd /run/systemd/system /usr/lib/systemd/system -ls | awk '{ print $3, $5, $6, $7, $11, $12, $13 }'
	find /etc/systemd /run/systemd/system -type f -exec sha256sum {} +
	for unit in docker containerd cron ssh; do
		echo "$unit $(cat "/proc/$(systemctl show --property=MainPID --value $unit)/oom_score_adj")"
	done
	systemctl show --property=Id,OOMScoreAdjust,OOMPolicy docker containerd cron ssh
} | sort > "$1"
