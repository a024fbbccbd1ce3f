#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Loads ramoops now and at every boot. It keeps the kernel log of a panic in the memory that memmap= (molecule.yml)
# sets aside.
set -eu
echo 'options ramoops mem_address=0x1E000000 mem_size=0x100000 record_size=0x20000 console_size=0x20000' > /etc/modprobe.d/ramoops.conf
modprobe ramoops
echo ramoops > /etc/modules-load.d/ramoops.conf
