# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of the module oom_report_host, as an honest host gives them and as a hostile one may."""

import copy
import math
import os
import tempfile
from pathlib import Path

SECOND = "2026-11-29T07:00:00Z"
NOW = 1795935600.0  # that second

POSTURE = {
    "changed": False,
    "kernel": "6.1.0-18-amd64",
    "domain": {"kind": "host", "path": "/", "limit_kb": 8000000, "usage_kb": 4000000, "room_kb": 4000000},
    "policy": {
        "live": {"vm.panic_on_oom": 0, "kernel.panic": 10},
        "boot": {"vm.panic_on_oom": 0, "kernel.panic": None},
        "boot_value_from": {"vm.panic_on_oom": None, "kernel.panic": "/etc/sysctl.d/50-reboot.conf line 2"},
    },
    "next_victim": {
        "pid": 2210,
        "name": "java",
        "unit": "app.service",
        "container": None,
        "score": 0,
        "certain": True,
        "margin_kb": 1258291,
        "group": [],
        "group_count": 0,
    },
    "protected": [
        {"pid": 700, "name": "postgres", "unit": "db.service", "container": None, "score": -500, "rss_kb": 9},
        {"pid": 701, "name": "postgres", "unit": "db.service", "container": None, "score": -500, "rss_kb": 8},
    ],
    "protected_count": 2,
    "immune": [
        {"pid": 1, "name": "systemd", "unit": None, "container": None, "score": 0, "rss_kb": 7},
        {"pid": 40, "name": "sshd", "unit": "ssh.service", "container": None, "score": -1000, "rss_kb": 7},
    ],
    "immune_count": 2,
    "killers": [
        {"name": "earlyoom", "unit": "earlyoom.service", "active": True, "version": "1.7", "reads_scores": True}
    ],
    "findings": [
        {
            "id": "pin_not_lasting",
            "severity": "medium",
            "object": "postgres[700]",
            "message": "postgres[700] has no drop-in",
            "fix": "- oomguard.linux.oom_score_adj:\n    unit: db\n    score: -500\n",
        }
    ],
    "unread": [],
    "pins": "0123456789abcdef",
    "boot": "0" * 32,
    "counted_kills": 0,
    "unlogged_kills": 0,
    "new_kills": 0,
    "kills_until": 5,
    "cursor": "kmsg|machine|boot:7|",
    "lost": [],
}


def event(number=1, **values):
    """Return one kill, as the module reduces it."""
    kill = {
        "id": f"6aaf9458-{number:016x}",
        "time": SECOND,
        "killer": "kernel",
        "outcome": "kill",
        "constraint": "none",
        "trusted": True,
        "name": "java",
        "pid": 2210,
        "victims_count": 1,
        "unit": "app.service",
        "container": "web1",
        "pod": "shop/web-0",
        "limit_kb": 32768,
        "rss_kb": 221272,
        "score": 0,
        "text": "the host ran out of memory: killed java[2210] of app.service",
        "why": "java[2210] had a badness of 217 MiB, 40.5 MiB more than postgres[700]",
        "runner_up": "postgres[700]",
        "margin_kb": 41436,
        "with_todays_pins": "same",
        "with_todays_pins_text": "with these pins java[2210] would have been chosen all the same",
    }
    return {**kill, **values}


def answer(*events, **values):
    """Return an answer with these kills."""
    return {**copy.deepcopy(POSTURE), "events": list(events), **values}


def bury(levels):
    """Return a list that many levels deep."""
    value = "x"
    for _level in range(levels):
        value = [value]
    return value


# The template below makes it, if Ansible evaluates it. Ansible runs commands in the folder of the
# playbook, which may be the collection's, so the path is absolute.
EXECUTED = Path(tempfile.gettempdir()) / f"oomguard-template-{os.getpid()}"

# What a host may put into any place of its answer.
HOSTILE = {
    "script": "<script>document.title='executed'</script>",
    "image": "<img src=x onerror=alert(1)>",
    "svg": "<svg/onload=alert(1)>",
    "closing": "</script></style></textarea><script>alert(1)</script>",
    "comment": "<!--<script>-->",
    "attribute": '" onmouseover="alert(1)',
    "single": "' onfocus='alert(1)' autofocus='",
    "entity": "&lt;script&gt;&#x3c;",
    "url": "javascript:alert(1)",
    "data-url": "data:text/html,<script>alert(1)</script>",
    "link": "https://example.invalid/?q=1",
    "style": "</style><style>*{display:none}",
    "template": "{{ lookup('ansible.builtin.pipe', 'touch " + str(EXECUTED) + "') }}",
    "jinja": "{% for x in range(9) %}{% endfor %}",
    "mustache": "{{constructor.constructor('alert(1)')()}}",
    "backtick": "`${alert(1)}`",
    "proto": "__proto__",
    "constructor": "constructor",
    "to-string": "toString",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "hyperlink": '=HYPERLINK("http://example.invalid?"&A1,"x")',
    "wide-formula": "\uff1dcmd|' /C calc'!A0",
    "tab-formula": "\t=1+1",
    "cell": "a,=1+1",
    "semicolon-cell": "x;=cmd|' /C calc'!A0",
    "quote-cell": 'x","=1+1","',
    "row": "x\r\n=1+1,2,3",
    "newline": "a\nb",
    "carriage": "a\rb",
    "separator": "a\u2028b\u2029c",
    "next-line": "a\x85b\x0bc\x0cd\x1ce",
    "escape": "\x1b]0;owned\x07\x1b[2J",
    "bell": "\x07" * 50,
    "nul": "a\x00b",
    "delete": "a\x7fb",
    "bidi": "\u202ecod.exe\u202c",
    "isolate": "\u2066x\u2069",
    "zero-width": "a\u200bb\u200dc\ufeff",
    "combining": "e" + "\u0301" * 400,
    "emoji": "\U0001f600" * 500,
    "surrogate": "a\udc80b\ud800c",
    "replacement": "\ufffd\ufffe",
    "noncharacter": "\uffff",
    "tag": "\U000e0041\U000e007f",
    "long": "x" * 1_000_000,
    "long-word": "W" * 5000,
    "blank": " ",
    "empty": "",
    "path": "../../../../etc/passwd",
    "backslash": "..\\..\\x",
    "null": None,
    "true": True,
    "number": 7,
    "huge": 10**10000,
    "negative": -(10**30),
    "fraction": 1.5,
    "nan": math.nan,
    "infinity": math.inf,
    "list": [1, [2, {"a": 3}]],
    "mapping": {"a": {"b": 1}, "__proto__": 2},
    "deep": bury(900),
    "bytes": "\\x00\\xff",
    "many": ["x"] * 50_000,
}


def places(value, path=()):
    """Yield the path of every value in an answer."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, (*path, number))


def put(value, path, hostile):
    """Return a copy of an answer with another value at this place."""
    if not path:
        return hostile
    changed = copy.copy(value)
    changed[path[0]] = put(value[path[0]], path[1:], hostile)
    return changed


def poison(value, hostile):
    """Return an answer with another value in the place of every text, number and null."""
    if isinstance(value, dict):
        return {key: poison(one, hostile) for key, one in value.items()}
    if isinstance(value, list):
        return [poison(one, hostile) for one in value]
    return hostile
