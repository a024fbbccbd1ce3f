#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts a container whose image holds a single program, and records in /root/daemons which daemons run and since when.
set -eu
tar -C / -c usr/bin/busybox | docker import - box
docker run --detach --name box --restart always box /usr/bin/busybox sleep 100000
systemctl show --property=Id,MainPID,ExecMainStartTimestampMonotonic,NRestarts ssh cron docker containerd dbus > /root/daemons
