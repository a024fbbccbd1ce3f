# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fuzz the parser, guided by coverage: python tests/fuzz/fuzz_parser.py FOLDER -runs=N

FOLDER keeps the inputs that reached new code. At first it is filled with pieces of the recorded
logs. parser_promises.py has the formats of the inputs, and what is checked.
"""

import os
import sys

import atheris

with atheris.instrument_imports(include=["ansible_collections"]):
    from parser_promises import REPORT, TEXT, check_promises, read_fixtures


def write_seeds(folder):
    """Write the recorded logs into the folder, about one report in each file, and some choices."""
    for number in range(64):
        with open(os.path.join(folder, f"report-{number}"), "wb") as stream:
            choices = bytes((number * step + step) % 256 for step in range(1, 160))
            stream.write(bytes([REPORT + number % 2]) + choices)
    for path, lines in read_fixtures():
        for number in range(0, len(lines), 12):
            with open(os.path.join(folder, f"{path.replace(os.sep, '_')[-60:]}-{number}"), "wb") as stream:
                stream.write(bytes([TEXT]) + b"\n".join(lines[number : number + 12]))


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    if not os.listdir(sys.argv[1]):
        write_seeds(sys.argv[1])
    atheris.Setup(sys.argv, check_promises)
    atheris.Fuzz()


main()
