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
runuser -u mallory -- env HOME=/home/mallory XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus \
	systemd-run --user --quiet --wait --pipe timeout 200 \
	podman run --detach --name own --network none --rootfs /home/mallory/own /bin/busybox sleep 100000
runuser -u mallory -- env HOME=/home/mallory XDG_RUNTIME_DIR=/run/user/1000 \
	podman inspect --format '{{ .State.Pid }} {{ .Id }}' own
