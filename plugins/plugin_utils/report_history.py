# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read and write the records of hosts, one file each, in the folder of the history."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import PARTS, SEVERITIES
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_folder import ReportFolder
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import (
    MAX_BYTES,
    Record,
    format_record,
    name_record_file,
    parse_record,
)

_VARIABLES = "oom_report_"
_MODE = re.compile("0?[0-7]{3}", re.ASCII)


def load_record(path: str, host: str, now: float) -> Record:
    """Return the record of a host; a new one if there is none. Raises AccessError."""
    with ReportFolder(path) as folder:
        content = folder.read(name_record_file(host), MAX_BYTES) if folder.open_existing() else None
    return parse_record(host, content, now)


def update_record(path: str, host: str, merge: Callable[[Record], Record], now: float) -> Record:
    """Merge into the record of a host, and return what was written. Raises AccessError.

    Another job may have written since the host was asked, so the record is read again.
    """
    with ReportFolder(path) as folder:
        folder.open_or_create()
        with folder.lock():
            folder.remove_unfinished()
            record = merge(parse_record(host, folder.read(name_record_file(host), MAX_BYTES), now))
            folder.write(name_record_file(host), format_record(record))
    return record


def load_records(path: str, expected: Iterable[str], since: float, now: float) -> dict[str, Record]:
    """Return the records of these hosts, and of all others that were tried since then, by name.

    Raises AccessError if the folder cannot be read.
    """
    records: dict[str, Record] = {}
    with ReportFolder(path) as folder:
        if not folder.open_existing():
            return records
        hosts = {name_record_file(host): host for host in expected}
        for name in folder.list_names():
            content = folder.read(name, MAX_BYTES) if name.endswith(".json") else None
            if content is None:
                continue
            record = parse_record(hosts.get(name), content, now)
            is_own = record["file"] == name  # and no copy of another one
            if name in hosts or (is_own and record["tried"] is not None and record["tried"] >= since):
                records[record["name"]] = record
    return records


def describe_record(before: Record, after: Record) -> str:
    """Return what a run found, and what it could not read, in one line."""
    findings, known = after["findings"], {event["id"] for event in before["events"]}
    severe = Counter(finding["severity"] for finding in findings)
    new = sum(event["id"] not in known for event in after["events"])
    changes = sum(change["seen"] == after["read"] for change in after["changes"])
    words = count_of(len(findings), "finding")
    words += "".join(f", {severe[one]} {one}" for one in SEVERITIES if severe[one])
    words += f"; {count_of(len(after['events']), 'kill')}" + (f", {new} new" if new else "")
    words += f"; {count_of(changes, 'change')}" if changes else ""
    return words + (f"; not read: {', '.join(PARTS[one] for one in after['unread'])}" if after["unread"] else "")


def parse_mode(text: str) -> int:
    """Return the mode of files. Raises InputError if others could write, or the owner not read."""
    mode = int(text, 8) if _MODE.fullmatch(text) else 0
    if mode & 0o600 != 0o600 or mode & 0o133:
        raise InputError(f"mode={cut_text(text, 20)} is not possible: set 0600, 0640 or 0644, in quotes")
    return mode


def refuse_facts(variables: Mapping[str, Any]) -> None:
    """Raise InputError if the host has returned facts with the names of the role's variables."""
    facts = variables.get("ansible_facts")
    named = [name for name in (facts if isinstance(facts, Mapping) else {}) if str(name).startswith(_VARIABLES)]
    if named:
        raise InputError(
            f"the host returned a fact named {cut_text(named[0], 40)}, and a host must not choose a folder on the"
            " controller: set it as an extra variable or in the inventory, and remove the fact"
        )
