# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Make the report of a fleet: one document of all records, and a table of all kills.

Pure. The document is what C(docs/schemas/report.schema.json) describes.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import count_of
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import name_key
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import SEVERITIES
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import (
    Record,
    format_second,
    keep_since,
    new_record,
)

DOCUMENT_VERSION = 1
_NOT_READ = "this run wrote no record of the host for this report: see its lines in the output of the play"
_NOT_YET = (
    "the play had not come to this host when the report was written: with serial it comes to it in a later batch,"
    " unless Ansible ends the play before"
)

_HOST_KEYS = (
    "state",
    "reason",
    "read",
    "unread",
    "kernel",
    "next_victim",
    "room_kb",
    "limit_kb",
    "sysctls",
    "pins",
    "killers",
    "findings",
    "changes",
    "unlogged_kills",
)
EVENT_KEYS = (
    "id",
    "time",
    "killer",
    "outcome",
    "constraint",
    "trusted",
    "name",
    "pid",
    "victims_count",
    "unit",
    "container",
    "pod",
    "limit_kb",
    "rss_kb",
    "score",
    "text",
    "why",
    "runner_up",
    "margin_kb",
    "with_todays_pins",
    "with_todays_pins_text",
)
# Who opens a table in a spreadsheet must not run what a host wrote. A cell that begins like a
# formula gets an apostrophe, and so does a part of it that could become a cell of its own.
_FORMULA = re.compile("(\\A|[,;|\t])([\\s\"']*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def build_document(
    records: Mapping[str, Record | None],
    expected: Iterable[str],
    started: float,
    made: float,
    since: float,
    version: str,
    waiting: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the report of these records, by the name of their host.

    C(expected) are the hosts of this run, which began at C(started), and C(waiting) those of later
    batches. A record that is not of this run says so. Of all other hosts the last state counts. A
    host that this run read has a C(read) that is not before C(started). That is 0 if nobody knows.
    """
    expected, waiting = set(map(name_key, expected)), set(map(name_key, waiting))
    hosts = []
    for name in sorted({*records, *expected}):
        record = records.get(name) or new_record(name)
        if name in expected and (record["tried"] or 0) < started:
            record = {**record, "state": "failed", "reason": _NOT_YET if name in waiting else _NOT_READ}
        hosts.append(_build_host(name, keep_since(record, since)))
    return {
        "version": DOCUMENT_VERSION,
        "made": format_second(made),
        "started": format_second(started) if started else None,
        "since": format_second(since),
        "collection_version": version,
        "hosts": hosts,
    }


def _build_host(name: str, record: Record) -> dict[str, Any]:
    return {
        "name": name,
        **{key: record[key] for key in _HOST_KEYS},
        "lost": [f"{loss['text']} ({loss['seen']})" for loss in record["lost"]],
        "events": [{key: event[key] for key in EVENT_KEYS} for event in record["events"]],
    }


def count_hosts(document: Mapping[str, Any]) -> str:
    """Return how many hosts and kills there are; hosts by state, unread log, and worst finding.

    A kill is what the page counts as one: something died, and no program forged the lines.
    """
    hosts = document["hosts"]
    states = Counter(host["state"] for host in hosts)
    worst = Counter(
        next((one for one in SEVERITIES if any(found["severity"] == one for found in host["findings"])), "none")
        for host in hosts
    )
    kills = sum(
        event["outcome"] in ("kill", "group_kill") and event["trusted"] is not False
        for host in hosts
        for event in host["events"]
    )
    words = [count_of(len(hosts), "host")]
    words += [f"{states[state]} {state}" for state in ("failed", "unreachable") if states[state]]
    unread = sum("log" in host["unread"] for host in hosts if host["state"] == "ok")
    words += [f"{unread} whose log was not read"] if unread else []
    words += [f"{worst[severity]} with {severity} findings" for severity in SEVERITIES[:1] if worst[severity]]
    return ", ".join([*words, count_of(kills, "kill")])


def render_document(document: Mapping[str, Any]) -> bytes:
    """Return the document as JSON, with a line for each host."""
    head = {key: value for key, value in document.items() if key != "hosts"}
    lines = ",\n".join(_render(host) for host in document["hosts"])
    return f'{_render(head)[:-1]},"hosts":[\n{lines}\n]}}\n'.encode()


def _render(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def render_table(document: Mapping[str, Any]) -> bytes:
    """Return all kills as CSV, safe to open in a spreadsheet."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(["host", *EVENT_KEYS])
    for host in document["hosts"]:
        name = guard_cell(host["name"])
        writer.writerows([name, *(guard_cell(event[key]) for key in EVENT_KEYS)] for event in host["events"])
    return stream.getvalue().encode("utf-8")


def guard_cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula, with JSON's words for the truth."""
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'\2", value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
