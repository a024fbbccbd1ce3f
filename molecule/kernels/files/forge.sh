#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Forge kills in every way open to a user, a service and root. oom_events must not trust any of them.
set -eu
kill='Out of memory: Killed process 4242 (forged) total-vm:4kB, anon-rss:3kB, file-rss:2kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0'
for priority in 0 3 11; do
	sleep 0.1 # the same text with the same stamp counts as a copy
	echo "<$priority>forger invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0" > /dev/kmsg
	echo "<$priority>$kill" > /dev/kmsg
done
logger --tag kernel --priority kern.err "$kill"
systemd-cat --identifier=kernel echo "$kill"
systemd-run --quiet --wait --unit=kernel --property=SyslogIdentifier=kernel echo "kernel: $kill"
