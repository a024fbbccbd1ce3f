#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs a container of the user without root (podman), and prints the pid of its process.
set -eu
mkdir -p /home/mallory/own/bin
cp /usr/bin/busybox /home/mallory/own/bin
chown -R mallory /home/mallory/own
cd /home/mallory
as_user() {
	runuser -u mallory -- env HOME=/home/mallory XDG_RUNTIME_DIR=/run/user/1000 "$@"
}

# podman leaves a process that holds its user namespace, so the service does not end.
as_user systemd-run --user --quiet --unit=own --property=KillMode=process \
	podman run --detach --name own --network none --rootfs /home/mallory/own /bin/busybox sleep 100000
for _turn in $(seq 120); do
	if pid=$(pgrep -u mallory -x busybox); then
		echo "$pid"
		exit 0
	fi
	sleep 1
done
journalctl --no-pager --lines 20 >&2
exit 1
