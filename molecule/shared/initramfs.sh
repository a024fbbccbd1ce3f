#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs before the kernel's package builds an initramfs. Three modules are enough here, and an emulated processor needs
# many seconds to unpack all modules.
set -eu
root=$1

mkdir -p "$root/etc/initramfs-tools/conf.d" "$root/etc/initramfs-tools/hooks"
echo MODULES=list > "$root/etc/initramfs-tools/conf.d/guest"
cat > "$root/etc/initramfs-tools/hooks/guest" <<'HOOK'
#!/bin/sh
[ "${1-}" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_blk ext4
HOOK
chmod 0755 "$root/etc/initramfs-tools/hooks/guest"
