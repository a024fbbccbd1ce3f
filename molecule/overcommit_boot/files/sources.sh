#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sets each sysctl in another place that a boot may read. The kernel's command line in molecule.yml sets more.
set -eu
mkdir -p /run/sysctl.d /usr/local/lib/sysctl.d
echo 'vm.overcommit_memory = 0' > /etc/sysctl.d/10-early.conf
echo 'vm.admin_reserve_kbytes = 9999' > /usr/lib/sysctl.d/60-oomguard-overcommit.conf
echo 'vm/overcommit_kb* = 400000' > /etc/sysctl.d/98-pattern.conf
echo 'vm.overcommit_ratio = 61' > /run/sysctl.d/99-volatile.conf
echo 'vm.oom_kill_allocating_task = 1' > /usr/local/lib/sysctl.d/99-local-lib.conf
echo 'kernel.panic_on_oops = 1' > /usr/lib/sysctl.d/99-vendor.conf
echo 'vm.user_reserve_kbytes = 54321' > /etc/sysctl.conf
printf '# comes last\nvm.panic_on_oom = 1\n' > /etc/sysctl.d/99-local.conf
