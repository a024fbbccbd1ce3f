# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests and containers share: their command line, their errors, where things are kept."""

import argparse
import json
import os
import shutil
import signal
import sys

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class LabError(Exception):
    """What, where, and what to do."""


def cache():
    """Folder of everything that outlives a run, outside the checkout."""
    return os.environ.get("OOMGUARD_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "oomguard"
    )


def program(name, package):
    """Path of a program, or what to install."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise LabError(
            f"{name} is missing: install the Debian package {package}, or run make as root, which installs it"
        )
    return path


def exit_on_signals():
    """So that the way out is the usual one, which cleans up."""
    for number in SIGNALS:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def main(about, up, down):
    """Create and destroy of a scenario: up(run_folder, platforms) returns molecule's instance config, down(run_folder) ends all."""
    parser = argparse.ArgumentParser(description=about)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down"):
        one = commands.add_parser(name)
        one.add_argument("run_folder", type=os.path.abspath)
        if name == "up":
            one.add_argument("instance_config")
            one.add_argument("platforms", type=json.loads)
    options = parser.parse_args()
    exit_on_signals()
    try:
        if options.command == "up":
            down(options.run_folder)
            try:
                instances = up(options.run_folder, options.platforms)
                with open(options.instance_config, "w") as stream:
                    json.dump(instances, stream, indent=2)  # JSON is YAML
            except BaseException:
                down(options.run_folder)
                raise
        else:
            down(options.run_folder)
    except LabError as error:
        sys.exit(str(error))
