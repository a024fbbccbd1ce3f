#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes two users with a service each, shop: alice lingers, bob does not. Starts two machines.
set -eu
for user in alice bob; do
	useradd --create-home --shell /bin/bash "$user"
	mkdir -p "/home/$user/.config/systemd/user/default.target.wants" "/home/$user/.ssh"
	printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=default.target\n' > "/home/$user/.config/systemd/user/shop.service"
	ln -s ../shop.service "/home/$user/.config/systemd/user/default.target.wants/shop.service"
	[ -f /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
	cp /root/.ssh/id_ed25519.pub "/home/$user/.ssh/authorized_keys"
	chown -R "$user:$user" "/home/$user"
done
loginctl enable-linger alice

# The unit of the second one is a scope with an escaped dash, machine-tiny\x2dtwo.scope, as those of libvirt are.
for machine in tiny tiny-two; do
	folder=/var/lib/machines/$machine
	mkdir -p "$folder/bin" "$folder/etc" "$folder/usr"
	cp /bin/busybox "$folder/bin/sleep"
	echo ID=tiny > "$folder/etc/os-release"
	own=$([ $machine = tiny-two ] || echo --keep-unit)
	printf '[Service]\nExecStart=/usr/bin/systemd-nspawn --quiet %s --register=yes --machine=%s --directory=%s /bin/sleep 1000000\n' \
		"$own" $machine "$folder" > /etc/systemd/system/$machine.service
done
systemctl daemon-reload
/root/machines.sh

# RabbitMQ looks its own host up.
echo "127.0.1.1 $(hostname)" >> /etc/hosts
if systemctl --quiet is-enabled rabbitmq-server 2> /dev/null; then
	systemctl restart rabbitmq-server
fi

# Debian's configuration of HAProxy listens nowhere.
if [ -f /etc/haproxy/haproxy.cfg ]; then
	printf 'listen here\n\tbind 127.0.0.1:8080\n' >> /etc/haproxy/haproxy.cfg
	systemctl restart haproxy
fi

# The daemons of libvirt that a profile pins start with the first guest.
if [ -f /usr/sbin/virtlogd ]; then
	systemctl start virtlogd virtlockd
fi

# Jobs of cron, whose children must not be immune.
if systemctl --quiet is-active cron; then
	echo '* * * * * root /bin/sleep 600' > /etc/cron.d/job
fi
