#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts an attack as the user, and prints what it reports: attack.sh ID. A second word stop ends it, and the
# second word jobs lets a daemon of root start it.
set -eu
as_user() {
	runuser -u mallory -- env XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/mallory "$@"
}

if [ "${2-}" = stop ]; then
	as_user systemctl --user stop "attack-$1" || true
	systemctl stop "$1-nobody" 2> /dev/null || true
	exit 0
fi
report=/home/mallory/reports/$1.json
rm -f "$report"
if [ "${2-}" = jobs ]; then
	systemctl restart jobs
else
	as_user systemd-run --user --quiet --unit="attack-$1" --property=Delegate=yes --property=TasksMax=infinity \
		--property=WorkingDirectory=/home/mallory python3 "/home/mallory/attacks/$1.py"
fi
for _turn in $(seq 240); do
	[ -f "$report" ] && exec cat "$report"
	sleep 0.5
done
as_user systemctl --user status --no-pager "attack-$1" >&2 || true
journalctl --no-pager --lines 20 --grep 'python3|systemd-run|Error|attack' >&2 || true
exit 1
