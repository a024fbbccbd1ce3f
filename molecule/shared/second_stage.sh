#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The first init of an arm64 guest, see arm64.py: configures all packages, which were only extracted, and powers off.
export PATH=/usr/sbin:/usr/bin INITRD=No DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C

if [ -d /second_stage ]; then
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t tmpfs run /run
	mv /second_stage /run
	exec sh /run/second_stage/second_stage.sh # while a removed file is open, / cannot be mounted read-only
fi

configure() {
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d # no service is started
	chmod 0755 /usr/sbin/policy-rc.d
	echo update_initramfs=no > /etc/initramfs-tools/update-initramfs.conf # the image has its own
	# Under emulation it takes minutes to compile all of Python's library. A program compiles what it imports.
	for compiler in /usr/lib/python3*/py_compile.py; do
		mv "$compiler" "$compiler.real"
		echo 'import sys; sys.argv[1:] == ["-"] and sys.stdin.read()' > "$compiler"
	done
	dpkg --configure -a
	for compiler in /usr/lib/python3*/py_compile.py; do mv "$compiler.real" "$compiler"; done
	rm /usr/sbin/policy-rc.d
	cd /run/second_stage
	sh ./customize.sh /
	ln -s /dev/null /etc/systemd/system/serial-getty@ttyAMA0.service
	touch /etc/.updated /var/.updated # else each boot rebuilds caches and the hardware database first
}

(set -e; configure)
status=$? # in a list of commands the subshell would not end at the first error
[ "$status" -ne 0 ] || echo 'The second stage is done.'
cd /
sync
mount -o remount,ro /
echo o > /proc/sysrq-trigger
sleep 60
