#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Turns a root file system into a bootable machine. mmdebstrap runs it with the folder of the root file system.
set -eu
root=$1

# Root logs in with the throwaway key that is kept beside the image, over the guest's only network.
install -d -m 0700 "$root/root/.ssh"
install -m 0600 key.pub "$root/root/.ssh/authorized_keys"
echo '/dev/vda / ext4 defaults 0 1' > "$root/etc/fstab"
echo guest > "$root/etc/hostname"

# A guest lives for minutes: what wakes up in that time only costs time and memory.
if [ -e "$root/bin/systemctl" ]; then
	mkdir -p "$root/etc/systemd/network"
	printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' > "$root/etc/systemd/network/20-dhcp.network"
	chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service
	mkdir -p "$root/var/log/journal" # makes the journal persistent
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
		fstrim.timer man-db.timer systemd-timesyncd.service serial-getty@ttyS0.service getty@tty1.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
else
	# QEMU's own network always has these addresses, so no DHCP client is needed.
	cat > "$root/etc/network/interfaces" <<-'INTERFACES'
		auto lo eth0
		iface lo inet loopback
		iface eth0 inet static
			address 10.0.2.15/24
			gateway 10.0.2.2
	INTERFACES
	sed -i '/getty/d' "$root/etc/inittab"
fi

cp "$root"/boot/vmlinuz-* vmlinuz
cp "$root"/boot/initrd.img-* initrd
