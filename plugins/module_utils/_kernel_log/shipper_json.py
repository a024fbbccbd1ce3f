# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse lines of JSON in which any program that ships logs has wrapped kernel text.

Pure. Filebeat, GELF, fluent-bit, Vector and others each have their own names for the message, and
some nest it. So the message is the one string with words of the kernel, else a string with one of
the usual names. No field of such an object proves who wrote the message; another program's name
and another facility show that it was not the kernel.
"""

import json
import re
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.journal_format import (
    LONGEST_ENTRY,
    parse_json_fields,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import DAY, Record, escape_message
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.timestamps import (
    DATE,
    LATEST,
    ZONE,
    format_match,
    format_utc,
    parse_utc,
)

# Hostile input must not fill the memory, and no real object is larger.
_MOST_FIELDS = 1000
_DEEPEST = 6
_MOST_LINES = 4096
_LONGEST_PREFIX = 200

_KERNEL_WORDS = ("illed process ", "invoked oom-killer", "oom-kill:constraint=", "ill process ")
_MESSAGE_NAMES = ("message", "msg", "short_message", "full_message", "log", "line", "text", "body", "original", "_raw")
_TIME_NAMES = ("@timestamp", "timestamp", "time", "ts", "date", "_time", "datetime")
_PROGRAM_NAMES = ("syslog_identifier", "ident", "program", "programname", "appname", "app_name", "app-name")
_FACILITY_NAMES = ("facility", "_facility", "syslog_facility", "facility_label", "facility.name", "facility.code")
_KERNEL_FACILITIES = ("kern", "kernel", "0")

_ISO_TIME = re.compile(DATE + " ?" + ZONE + "$")
_SECOND_HAND = re.compile(
    r"OOMKilling|SystemOOM|[Ss]ystem OOM encountered|involvedObject|\.go:\d+\]|oom_watcher|kernel-monitor"
)

Fields = Dict[str, Any]


def is_second_hand(text: str) -> bool:
    """Return whether a text is another program's report of a kill that the kernel logs itself.

    These are events of Kubernetes, and logs of the kubelet and of node-problem-detector.
    """
    return _SECOND_HAND.search(text) is not None


def parse_json_line(line: str) -> Optional[List[Record]]:
    """Return the records in a line of JSON; None if the line holds no object with a message.

    The line is an object, a list of objects, or an object behind a prefix, as fluentd writes it.
    """
    if '{"' not in line and "{ " not in line:
        return None
    start = line.find("[{" if line.startswith("[{") else "{")
    text = line[start:].rstrip(", ") if 0 <= start <= _LONGEST_PREFIX else ""
    before = parse_text_line(line[:start] + "x") if text.endswith(("}", "]")) else None
    # What the kernel or a program with a tag logs is a message, also if it looks like an object.
    is_bare = before is not None and (before.program, before.monotonic, before.trusted) == (None, None, None)
    found = _load(text) if is_bare else None
    objects = found if isinstance(found, list) else [found]
    records: List[Record] = []
    is_read = False
    for fields in objects:
        parsed = _parse_object(fields, line) if isinstance(fields, dict) else None
        is_read = is_read or parsed is not None
        records += parsed or []
    return records if is_read else None


def _load(text: str) -> Any:
    try:
        return json.loads(text) if len(text) <= LONGEST_ENTRY else None
    except (ValueError, RecursionError):
        return None


def _parse_object(fields: Fields, line: str) -> Optional[List[Record]]:
    """Return the records of an object, one for each line of its message; None without one."""
    record = parse_json_fields(fields)
    if record is not None:
        return [record]
    if is_second_hand(line):
        return []
    leaves = list(_iterate_leaves(fields))
    message = _find_message(leaves, line)
    if message is None:
        return None
    time = _find_time(leaves)
    is_programs = _shows_program(leaves)
    records = [parse_text_line(escape_message(part)) for part in message.rstrip().split("\n")[:_MOST_LINES]]
    return [
        record._replace(
            raw=part,
            time=record.time or time,
            clock=parse_utc(time) % DAY if record.clock is None and time else record.clock,
            monotonic=_find_uptime(fields) if record.monotonic is None else record.monotonic,
            trusted=False if is_programs or record.trusted is False else None,
        )
        for record, part in zip(records, message.rstrip().split("\n"))
    ]


def _iterate_leaves(fields: Fields) -> Iterator[Tuple[str, Any]]:
    """Yield names and values of an object, those of its top first, in lower case.

    The name of a nested value has its parent's before it.
    """
    level: List[Tuple[str, Any]] = [(str(name).lower(), value) for name, value in fields.items()]
    left = _MOST_FIELDS
    for _depth in range(_DEEPEST):
        deeper: List[Tuple[str, Any]] = []
        for name, value in level[:left]:
            if isinstance(value, dict):
                deeper += [(f"{name}.{key}".lower(), nested) for key, nested in value.items()]
            else:
                yield name, value
        left -= len(level)
        level = deeper
        if left <= 0 or not level:
            return


def _find_message(leaves: List[Tuple[str, Any]], line: str) -> Optional[str]:
    """Return the one string with the kernel's words, else the first with a usual name."""
    texts = [(name, value) for name, value in leaves if isinstance(value, str)]
    if any(word in line for word in _KERNEL_WORDS):
        found = list(dict.fromkeys(value for _name, value in texts if any(word in value for word in _KERNEL_WORDS)))
        if len(found) == 1:
            return found[0]
    for usual in _MESSAGE_NAMES:
        for name, value in texts:
            if name == usual or name.endswith("." + usual):
                return value
    return None


def _find_time(leaves: List[Tuple[str, Any]]) -> Optional[str]:
    """Return the time of an object in ISO 8601 or in seconds or milliseconds since 1970."""
    for name, value in leaves:
        if name not in _TIME_NAMES:
            continue
        if isinstance(value, str):
            match = _ISO_TIME.match(value)
            time = format_match(match) if match else None
            if time:
                return time
        elif isinstance(value, (int, float)) and 1e9 <= value < 1e13:
            return format_utc(value / 1000 if value >= 1e11 else value)
    return None


def _find_uptime(fields: Fields) -> Optional[float]:
    """Return the uptime that fluent-bit's input of /dev/kmsg writes."""
    seconds, micros = fields.get("sec"), fields.get("usec")
    if isinstance(seconds, int) and isinstance(micros, int) and 0 <= seconds < LATEST and 0 <= micros < 1000000:
        return seconds + micros / 1e6
    return None


def _shows_program(leaves: List[Tuple[str, Any]]) -> bool:
    """Return whether the object names another writer than the kernel."""
    for name, value in leaves:
        last = name.rpartition(".")[2]
        if last in _PROGRAM_NAMES and isinstance(value, str) and value != "kernel":
            return True
        is_facility = last in _FACILITY_NAMES or name.endswith(_FACILITY_NAMES)
        if is_facility and isinstance(value, (str, int)) and str(value).lower() not in _KERNEL_FACILITIES:
            return True
    return False
