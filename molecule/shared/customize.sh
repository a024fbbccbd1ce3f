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
mkdir -p "$root/etc/systemd/network"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' > "$root/etc/systemd/network/20-dhcp.network"
chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service

echo '/dev/vda / ext4 defaults 0 1' > "$root/etc/fstab"
echo guest > "$root/etc/hostname"
mkdir -p "$root/var/log/journal" # makes the journal persistent

# A guest lives for minutes: units that wake up in that time only cost time and memory.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
	man-db.timer systemd-timesyncd.service serial-getty@ttyS0.service getty@tty1.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

cp "$root"/boot/vmlinuz-* vmlinuz
cp "$root"/boot/initrd.img-* initrd
