#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Make services and what colleagues have set: drop-ins, and sysctls in files that sort before and after ours.
set -eu
for unit in shop ledger cache; do
	printf '[Unit]\nDescription=%s\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' "$unit" \
		> "/etc/systemd/system/$unit.service"
done
mkdir -p /etc/systemd/system/shop.service.d /etc/systemd/system/cache.service.d /usr/local/lib/sysctl.d
printf '[Service]\nNice=5\n' > /etc/systemd/system/shop.service.d/10-colleague.conf
printf '[Service]\nOOMScoreAdjust=150\n' > /etc/systemd/system/cache.service.d/10-colleague.conf
chmod 0640 /etc/systemd/system/shop.service.d/10-colleague.conf
printf 'vm.overcommit_ratio = 60\nvm.swappiness = 10\n' > /etc/sysctl.d/50-colleague.conf
printf 'vm.oom_dump_tasks = 0\n' > /usr/local/lib/sysctl.d/99-colleague.conf
systemctl daemon-reload
systemctl --quiet enable shop ledger cache
