#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# state.sh FILE: writes every file that a pin may change, with owner and mode, and the scores of daemons and machines.
exec > "$1"
find /etc/systemd /home/alice/.config /home/bob/.config -printf '%p %u %g %m %y %l\n' | sort
find /etc/systemd /home/alice/.config /home/bob/.config -type f -exec sha256sum {} + | sort
for unit in containerd cron docker haproxy nginx postgresql@15-main rabbitmq-server redis-server ssh tiny tiny-two; do
	pid=$(systemctl show --property=MainPID --value "$unit.service")
	[ "$pid" = 0 ] || echo "$unit $(cat "/proc/$pid/oom_score_adj")"
done
for machine in tiny tiny-two; do
	leader=$(sed -n 's/^LEADER=//p' "/run/systemd/machines/$machine")
	[ -z "$leader" ] || echo "machine $machine $(cat "/proc/$leader/oom_score_adj")"
done
[ ! -e /var/lib/oomguard ] || echo "/var/lib/oomguard is left"
/root/facts.sh | cut -d ' ' -f 1,2
