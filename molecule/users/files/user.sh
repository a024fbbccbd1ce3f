#!/bin/sh
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# user.sh USER COMMAND...: runs a command with the user's rights and service manager.
user=$1
shift
exec setpriv --reuid="$user" --regid="$user" --init-groups env --ignore-environment PATH=/usr/bin:/bin HOME="/home/$user" \
	XDG_RUNTIME_DIR="/run/user/$(id -u "$user")" "$@"
