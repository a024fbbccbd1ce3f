# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look for input that breaks the parser, guided by what it covers: python tests/fuzz/fuzz_parser.py FOLDER -runs=N

FOLDER keeps what was found to be of interest, and begins with the recorded logs
in pieces. The first byte chooses the form, so that the journal's export and
dmesg's JSON are tried as well. What must hold is more than that nothing is
raised: a victim's pid stands in the text, as its lines are put together, an
event that is trusted has a record that is, and the same text gives the same
events.
"""

import glob
import io
import json
import os
import re
import sys

import atheris

with atheris.instrument_imports(include=["ansible_collections"]):
    from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import (
        parse_dmesg_json,
        parse_lines,
    )
    from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
        parse_journal_entry,
        read_export_entries,
    )
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.rejoin import whole_messages

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/fixtures/kernel_logs/recorded")

KEYS = set(
    parse_events(parse_lines(["Out of memory: Killed process 1 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB"]))[0]
)


def records(form, data):
    """What a file with this in it would be read as."""
    if form == 0:
        entries = (parse_journal_entry(fields) for _length, fields in read_export_entries(io.BytesIO(data)))
        return [record for record in entries if record is not None]
    text = data.decode("utf-8", "backslashreplace")
    if form == 1:
        try:
            return list(parse_dmesg_json(text))
        except (ValueError, RecursionError):
            return []
    return list(parse_lines(text.split("\n")))


def try_one(data):
    read = records(data[0] % 8 if data else 2, data[1:])
    events = parse_events(read, tasks=True, raw=True)
    died = {victim["pid"] for event in events for victim in event["victims"]} - {None}  # which nohang may leave out
    if died:
        assert died <= {int(digits) for record in whole_messages(read) for digits in re.findall(r"\d+", record.text)}, (
            events
        )
    for event in events:
        assert set(event) - {"tasks", "raw"} == KEYS, event
        if event["trusted"] and event["killer"] == "kernel":
            assert any(record.trusted for record in read), event
    json.dumps(events)


def seeds(folder):
    """The recorded logs, a report or so in each file."""
    for path in sorted(glob.glob(os.path.join(FIXTURES, "*", "*"))):
        with open(path, "rb") as stream:
            lines = stream.read().split(b"\n")
        for number in range(0, len(lines), 12):
            with open(os.path.join(folder, f"{path.replace(os.sep, '_')[-60:]}-{number}"), "wb") as stream:
                stream.write(b"\2" + b"\n".join(lines[number : number + 12]))


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    if not os.listdir(sys.argv[1]):
        seeds(sys.argv[1])
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


main()
