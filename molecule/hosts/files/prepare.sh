#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes this host what its name says. Each has a service, shop, whose own script gives it a score, and a program, stock.
set -eu

for name in shop stock; do cp /usr/bin/sleep /usr/local/bin/$name; done

script() {
	cat > /etc/init.d/shop
	chmod 0755 /etc/init.d/shop
}

case $1 in
sysvinit)
	script <<-'SHOP'
		#!/bin/sh
		### BEGIN INIT INFO
		# Provides: shop
		# Required-Start: $local_fs
		# Required-Stop: $local_fs
		# Default-Start: 2 3 4 5
		# Default-Stop: 0 1 6
		### END INIT INFO
		case $1 in
		start) start-stop-daemon --start --background --make-pidfile --pidfile /run/shop.pid \
			--startas /usr/bin/choom -- -n -500 -- /usr/local/bin/shop 100000 ;;
		stop) start-stop-daemon --stop --remove-pidfile --pidfile /run/shop.pid ;;
		restart) $0 stop; $0 start ;;
		esac
	SHOP
	update-rc.d shop defaults
	service shop start
	service cron restart # a resumed guest's clock was set, so the pid file seems older than its process
	modprobe zram
	echo 64M > /sys/block/zram0/disksize
	mkswap /dev/zram0
	swapon /dev/zram0
	mount -o remount,hidepid=2 /proc
	;;
openrc)
	script <<-'SHOP'
		#!/sbin/openrc-run
		supervisor=supervise-daemon
		command=/usr/local/bin/shop
		command_args=100000
		pidfile=/run/shop.pid
	SHOP
	mkdir -p /etc/conf.d
	echo 'export SSD_OOM_SCORE_ADJ=-500' | tee /etc/conf.d/shop > /etc/conf.d/cron
	rc-update add shop default
	rc-service shop start
	rc-service cron restart
	;;
esac
setsid /usr/local/bin/stock 100000 < /dev/null > /dev/null 2>&1 &
cat /proc/sys/vm/overcommit_memory /proc/sys/vm/panic_on_oom /proc/sys/kernel/panic > /root/sysctls_before
