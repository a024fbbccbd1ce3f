# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Write the report of a fleet as one HTML page that needs no network.

The page has the files of roles/oom_report/files/page in it, and the data. A host's words are only
in the data, never in the markup. The content security policy of the page names each script and
style by its hash, so nothing else runs.

The data are tables, and each table is stored by columns, because equal values side by side
compress well. What is cut here is only what a record of a host cannot have: the record has bounds
of its own.
"""

import base64
import calendar
import gzip
import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

FILES = Path(__file__).resolve().parents[2] / "roles" / "oom_report" / "files" / "page"
STYLES = ("vendor/uPlot.min.css", "page.css")
VENDORED_SCRIPT = "vendor/uPlot.iife.min.js"
# One module: a later file uses what an earlier one defines.
SCRIPTS = (
    "dom.js",
    "format.js",
    "data.js",
    "state.js",
    "selection.js",
    "csv.js",
    "chart.js",
    "table.js",
    "sections.js",
    "drawer.js",
    "main.js",
)

LEVEL = 7  # of gzip: 9 takes four times as long for 2 % less
TEXT_LENGTH = 2000
MOST_ROWS = 1000  # of one table and one host
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z")
_PANIC = "vm.panic_on_oom"
_LARGEST = 2**53 - 1  # the largest integer that JavaScript holds exactly

Row = Mapping[str, Any]


class Table(NamedTuple):
    """The columns of one table of the page: by the key of a row, the kind of its values."""

    texts: Tuple[str, ...] = ()
    numbers: Tuple[str, ...] = ()
    times: Tuple[str, ...] = ()
    flags: Tuple[str, ...] = ()


HOSTS = Table(
    texts=("name", "state", "reason", "kernel", "victim_name", "victim_unit", "victim_container"),
    numbers=("room_kb", "limit_kb", "unlogged_kills", "victim_score", "victim_margin_kb"),
    times=("read",),
    flags=("victim_certain", "panics", "log_unread"),
)
# Each of these is a list of every host.
LISTS = {
    "sysctls": Table(texts=("name", "boot_value_from"), numbers=("live", "boot")),
    "pins": Table(texts=("name", "unit", "container"), numbers=("score",)),
    "killers": Table(texts=("name", "unit", "version"), flags=("active", "reads_scores")),
    "findings": Table(texts=("id", "severity", "object", "message", "fix"), times=("first_seen", "last_seen")),
    "changes": Table(texts=("what", "before", "after"), times=("seen",)),
    "lost": Table(texts=("text",)),
    "events": Table(
        texts=(
            "id",
            "killer",
            "outcome",
            "constraint",
            "name",
            "unit",
            "container",
            "pod",
            "text",
            "why",
            "runner_up",
            "with_todays_pins",
            "with_todays_pins_text",
        ),
        numbers=("pid", "victims_count", "limit_kb", "rss_kb", "score", "margin_kb"),
        times=("time",),
        flags=("trusted",),
    ),
}
# Texts of an event name its victim and its runner-up again. Marks stand for them, which saves a
# fifth of the page. data.js puts the names back.
ABBREVIATED = ("text", "why", "with_todays_pins_text")
VICTIM_MARK, RUNNER_UP_MARK = "\x01", "\x02"
_LONGEST_NAME = 200
_NO_MARKS = {ord(VICTIM_MARK): "\\x01", ord(RUNNER_UP_MARK): "\\x02"}
NEWEST_FIRST = {"events": "time", "changes": "seen"}


def render_page(document: Mapping[str, Any]) -> str:
    """Return the page of a document (docs/schemas/report.schema.json) as HTML."""
    styles = [_read(name) for name in STYLES]
    scripts = [_read(VENDORED_SCRIPT), "\n".join(_read(name) for name in SCRIPTS)]
    page = _read("page.html")
    for mark, text in (
        ("POLICY", _write_policy(styles, scripts)),
        ("STYLES", "\n".join(f"<style>{style}</style>" for style in styles)),
        ("LIBRARY", f"<script>{scripts[0]}</script>"),
        ("SCRIPTS", f'<script type="module">{scripts[1]}</script>'),
        # It comes last: base64 has no mark in it.
        ("DATA", pack_document(document)),
    ):
        page = page.replace(f"<!--{mark}-->", text, 1)
    return page


def _read(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def _write_policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return the content security policy: no request at all, and only our scripts and styles."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash_source, scripts))}",
            f"style-src {' '.join(map(_hash_source, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


# --- the data ------------------------------------------------------------------------


def pack_document(document: Mapping[str, Any]) -> str:
    """Return the data of the page: base64 of gzip of JSON."""
    hosts = _rows_of(document.get("hosts"))
    tables = {"hosts": _pack_columns(HOSTS, [_flatten_host(host) for host in hosts])}
    left_out = 0
    for key, table in LISTS.items():
        rows: List[Tuple[int, Row]] = []
        for number, host in enumerate(hosts):
            listed = _rows_of(host.get(key))
            left_out += max(0, len(listed) - MOST_ROWS)
            rows += [(number, row) for row in listed[:MOST_ROWS]]
        if key == "events":
            rows = [(number, _abbreviate(row)) for number, row in rows]
        if key in NEWEST_FIRST:
            rows.sort(key=lambda row: _rank_time(row[1].get(NEWEST_FIRST[key])), reverse=True)
        tables[key] = _pack_columns(table, [row for _number, row in rows])
        tables[key]["steps"]["host"] = _subtract_previous([number for number, _row in rows])
    data = {
        "made": _time_of(document.get("made")),
        "since": _time_of(document.get("since")),
        "collection_version": _text_of(document.get("collection_version")),
        "left_out": left_out,
        "tables": tables,
    }
    packed = gzip.compress(json.dumps(data, separators=(",", ":")).encode("ascii"), LEVEL, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _rows_of(value: Any) -> List[Row]:
    """Return the mappings of a list. A text is a mapping with the key text."""
    if not isinstance(value, list):
        return []
    rows = [{"text": one} if isinstance(one, str) else one for one in value]
    return [row for row in rows if isinstance(row, Mapping)]


def _flatten_host(host: Row) -> Row:
    """Return a host with its next victim's values among its own, and what its lists say about it.

    C(panics) is whether it panics in place of a kill, and C(log_unread) whether its log is unread.
    """
    victim = host.get("next_victim")
    flat = {f"victim_{key}": value for key, value in victim.items()} if isinstance(victim, Mapping) else {}
    unread = host.get("unread")
    panics = any(one.get("name") == _PANIC and one.get("live") in (1, 2) for one in _rows_of(host.get("sysctls")))
    return {**host, **flat, "panics": panics, "log_unread": isinstance(unread, list) and "log" in unread}


def _abbreviate(event: Row) -> Row:
    """Return an event with marks in its texts for its victim and its runner-up."""
    name, pid, rival = _text_of(event.get("name")), _number_of(event.get("pid")), _text_of(event.get("runner_up"))
    short = {}
    for key in ABBREVIATED:
        text = (_text_of(event.get(key)) or "").translate(_NO_MARKS)
        if name and pid is not None and len(name) <= _LONGEST_NAME:
            text = text.replace(f"{name}[{pid}]", VICTIM_MARK)
        if rival and len(rival) <= _LONGEST_NAME:
            text = text.replace(rival, RUNNER_UP_MARK)
        short[key] = text if isinstance(event.get(key), str) else None
    return {**event, **short}


def _rank_time(moment: Any) -> float:
    """Return the sort key of a time. What has no time is before all others."""
    seconds = _time_of(moment)
    return -math.inf if seconds is None else seconds


def _pack_columns(table: Table, rows: Sequence[Row]) -> Dict[str, Any]:
    """Return the columns of rows: C(texts), C(steps) for times, and lists of the others."""
    columns: Dict[str, Any] = {
        "texts": {key: _pack_texts([row.get(key) for row in rows]) for key in table.texts},
        "steps": {key: _subtract_previous([_time_of(row.get(key)) for row in rows]) for key in table.times},
    }
    columns.update((key, [_number_of(row.get(key)) for row in rows]) for key in table.numbers)
    columns.update((key, [_flag_of(row.get(key)) for row in rows]) for key in table.flags)
    return columns


def _pack_texts(values: Sequence[Any]) -> Dict[str, List[Any]]:
    """Return the different values of a column, and for each row where its value is.

    C(places) has 0 for the next value that no row had before, n for the n-th value, and -1 for
    null. So a column of which all values differ is a row of zeros.
    """
    places: List[int] = []
    known: Dict[str, int] = {}
    for value in values:
        text = _text_of(value)
        if text is None:
            places.append(-1)
        else:
            places.append(known.get(text, 0))
            known.setdefault(text, len(known) + 1)
    return {"values": list(known), "places": places}


def _subtract_previous(values: Sequence[Optional[int]]) -> List[Optional[int]]:
    """Return integers as differences, each from the one before it. null stays, and is no step."""
    differences: List[Optional[int]] = []
    previous = 0
    for value in values:
        differences.append(None if value is None else value - previous)
        previous = previous if value is None else value
    return differences


def _text_of(value: Any) -> Optional[str]:
    """Return a text, cut to TEXT_LENGTH; None for any other value."""
    if not isinstance(value, str):
        return None
    return value if len(value) <= TEXT_LENGTH else value[: TEXT_LENGTH - 1] + "\u2026"


def _number_of(value: Any) -> Optional[int]:
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return value if is_number else None


def _flag_of(value: Any) -> Optional[int]:
    return int(value) if isinstance(value, bool) else None


def _time_of(value: Any) -> Optional[int]:
    """Return the seconds since 1970 of a time in ISO 8601 and UTC; None for any other value."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return calendar.timegm((*map(int, match.groups()), 0, 0, 0))
    except ValueError:  # no such day
        return None
