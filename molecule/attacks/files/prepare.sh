#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes an ordinary user that has a manager of its own, and daemons of root that are worth an attack: prepare.sh FOLDER
set -eu
systemctl is-active --quiet systemd-logind || systemctl start systemd-logind
id mallory > /dev/null 2>&1 || useradd --uid 1000 --create-home --shell /bin/bash mallory
cp -r "$1" /home/mallory/attacks
mkdir -p /home/mallory/bin /home/mallory/reports
cc -O2 -static -o /home/mallory/bin/idle "$1/idle.c"
cc -O2 -static -o /home/mallory/bin/vfork_parent "$1/vfork_parent.c"
for name in conmon containerd dockerd mysqld kubelet sshd; do
	cp /home/mallory/bin/idle /home/mallory/bin/$name
done
chown -R mallory:mallory /home/mallory
loginctl enable-linger mallory
install -m 0755 "$1/nobody.py" /usr/local/bin/attack-nobody # where the user nobody can read it
systemctl start user@1000.service

for name in bystander target; do
	printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/$name.service
done
# A daemon that starts a job of the user, as cron does.
cat > /etc/systemd/system/jobs.service <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/home/mallory XDG_RUNTIME_DIR=/run/user/1000 systemd-run --user --scope --quiet --property=Delegate=yes --unit=attack-A1 python3 /home/mallory/attacks/A1.py & exec sleep infinity'
UNIT
systemctl daemon-reload
systemctl start bystander target
systemctl restart syslog-ng || systemctl status --no-pager syslog-ng
