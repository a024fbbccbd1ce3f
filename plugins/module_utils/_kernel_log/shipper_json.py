# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse lines of JSON in which any program that ships logs has wrapped kernel text.

Pure. Filebeat, GELF, fluent-bit, Vector and others each have their own names for the message, and
some nest it. So the message is the one string with words of the kernel, else a string with one of
the usual names. The answer to a search holds a list of such objects, of lines, or of rows. No
field of an object proves who wrote the message; another program's name and another facility show
that it was not the kernel.
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

_LISTS = ("[{", '["', "[[")
_LINE_END = re.compile(r"\r*\n")
# What fluentd writes before the object: "2026-11-23 04:43:46.000000000 +0000 kern.log: "
_FLUENTD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} [+-]\d{4} [\w.*-]{1,100}: $")
_ISO_TIME = re.compile(DATE + " ?" + ZONE + "$")
_SECOND_HAND = re.compile(r"OOMKilling|SystemOOM|[Ss]ystem OOM encountered|involvedObject|oom_watcher|kernel-monitor")

Fields = Dict[str, Any]


def is_second_hand(text: str) -> bool:
    """Return whether a text is another program's report of a kill that the kernel logs itself.

    These are events of Kubernetes, and logs of the kubelet and of node-problem-detector.
    """
    return _SECOND_HAND.search(text) is not None


def parse_json_line(line: str) -> Optional[List[Record]]:
    """Return the records in a line of JSON; None if the line holds no message.

    The line is an object, a list of objects or lines, or one of these behind a prefix, as fluentd
    writes it.
    """
    is_list = line.startswith(_LISTS)
    if not is_list and '{"' not in line and "{ " not in line:
        return None
    start = 0 if is_list else line.find("{")
    text = line[start:].rstrip(", ") if 0 <= start <= _LONGEST_PREFIX else ""
    found = _load(text) if text.endswith(("}", "]")) and _may_precede_json(line[:start]) else None
    if isinstance(found, dict):
        return _parse_object(found, line, _DEEPEST)
    return _parse_list(found, _DEEPEST) if isinstance(found, list) else None


def _may_precede_json(prefix: str) -> bool:
    """Return whether an object behind this text is JSON of a shipper.

    What the kernel or a program with a tag logs is a message, also if it looks like an object.
    """
    if _FLUENTD.match(prefix):
        return True
    before = parse_text_line(prefix + "x")
    return (before.program, before.monotonic, before.trusted) == (None, None, None)


def _load(text: str) -> Any:
    try:
        return json.loads(text) if len(text) <= LONGEST_ENTRY else None
    except (ValueError, RecursionError):
        return None


def _parse_object(fields: Fields, line: str, depth: int) -> Optional[List[Record]]:
    """Return the records of an object, one for each line of its messages; None without any."""
    record = parse_json_fields(fields)
    if record is not None:
        return [record]
    leaves = list(_iterate_leaves(fields))
    message = _find_message(leaves, line)
    if message is None or not _has_kernel_words(message):
        lists = [value for _name, value in leaves if isinstance(value, list) and _has_kernel_words(line)]
        records = [record for values in lists for record in _parse_list(values, depth - 1) or []]
        if records or message is None:
            return records or None
    elif is_second_hand(line):
        return []
    time = _find_time(leaves)
    is_programs = _shows_program(leaves)
    return [
        record._replace(
            time=record.time or time,
            clock=parse_utc(time) % DAY if record.clock is None and time else record.clock,
            monotonic=_find_uptime(fields) if record.monotonic is None else record.monotonic,
            trusted=False if is_programs or record.trusted is False else None,
        )
        for record in _parse_message(message)
    ]


def _parse_list(values: List[Any], depth: int) -> Optional[List[Record]]:
    """Return the records of the objects, lines and rows in a list; None without any."""
    records: List[Record] = []
    is_read = False
    for value in values[:_MOST_LINES] if depth > 0 else ():
        parsed: Optional[List[Record]] = None
        if isinstance(value, dict):
            parsed = _parse_object(value, json.dumps(value), depth)
        elif isinstance(value, list):
            parsed = _parse_list(value, depth - 1)
        elif isinstance(value, str) and _has_letters(value):
            parsed = _parse_message(value)
        is_read = is_read or parsed is not None
        records += parsed or []
    return records if is_read else None


def _parse_message(message: str) -> List[Record]:
    """Return a record for each line of a message."""
    lines = _LINE_END.split(message.rstrip())[:_MOST_LINES]
    return [parse_text_line(escape_message(line))._replace(raw=line) for line in lines]


def _has_kernel_words(text: str) -> bool:
    return any(word in text for word in _KERNEL_WORDS)


def _has_letters(text: str) -> bool:
    """Return whether a text is more than a number, as a time in a row is."""
    return text.strip("0123456789.") != ""


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
    if _has_kernel_words(line):
        found = list(dict.fromkeys(value for _name, value in texts if _has_kernel_words(value)))
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
