#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Prints pid and score of the service shop of each user whose manager runs, and of the manager.
for user in alice bob; do
	uid=$(id -u "$user")
	manager=$(systemctl show --property=MainPID --value "user@$uid.service")
	[ "$manager" = 0 ] && { echo "$user out"; continue; }
	pid=$(/root/user.sh "$user" systemctl --user show --property=MainPID --value shop.service)
	echo "$user $(cat "/proc/$pid/oom_score_adj") $pid $(cat "/proc/$manager/oom_score_adj")"
done
