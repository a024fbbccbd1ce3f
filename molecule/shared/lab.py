# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests.py and containers.py share: command line, error class and search for programs."""

import argparse
import json
import os
import shutil
import signal
import sys

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class LabError(Exception):
    """A failure whose message says what failed, where, and what to do about it."""


def find_program(name, package):
    """Return a program's path.

    Raise LabError with the Debian package to install if the program is missing.
    """
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise LabError(
            f"{name} is missing: install the Debian package {package}, or run make as root, which installs it"
        )
    return path


def exit_on_signals():
    """Turn each of SIGNALS into SystemExit, so that cleanup runs as on a normal exit."""
    for number in SIGNALS:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def main(description, up, down):
    """Run the command line of a scenario's create and destroy.

    up(run_folder, platforms) starts everything and returns molecule's instance
    config; down(run_folder) ends everything. The run folder is molecule's
    ephemeral folder. down also runs before up, and after an up that fails or is
    interrupted.
    """
    parser = argparse.ArgumentParser(description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down"):
        command = commands.add_parser(name)
        command.add_argument("run_folder", type=os.path.abspath)
        if name == "up":
            command.add_argument("instance_config")
            command.add_argument("platforms", type=json.loads)
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
