#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes a user with a service, whose manager has systemd-oomd watch all its slices, and prints what it watches.
set -e
mkdir -p /etc/systemd/user/slice.d
printf '[Slice]\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=99%%\n' > /etc/systemd/user/slice.d/10-watch.conf
printf '[Service]\nExecStart=/usr/bin/sleep 600\n' > /etc/systemd/user/nap.service
useradd --create-home alice
loginctl enable-linger alice
uid=$(id -u alice)
for _second in $(seq 120); do
	[ ! -S "/run/user/$uid/bus" ] || break
	sleep 1
done
runuser -u alice -- env "XDG_RUNTIME_DIR=/run/user/$uid" systemctl --user start nap
sleep 2 # the manager tells systemd-oomd
oomctl | cat # no pager
