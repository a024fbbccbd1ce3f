# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide whether a log file can prove that the kernel wrote a line of it.

Some forms carry the facility: records of /dev/kmsg, dmesg -x, the journal in JSON or export format.
But a line of such a form proves nothing by itself. Through /dev/log or standard output any user
can put one into a file. So a file proves the writer only if root alone could have written it
(_host/trusted_files.py), and if all of it has one such form, as after C(dmesg -x > FILE). One other
line shows that a log daemon or a person wrote the file.
"""

import re
from typing import IO, Iterable, NamedTuple, Optional

# What is checked of a file. A larger one proves nothing.
LARGEST_PROOF = 64 << 20

_LEVEL = rb"(?:emerg|alert|crit|err|warn|warning|notice|info|debug)"


class _Form(NamedTuple):
    """A form that carries the facility: how a line may begin, the first line and any other."""

    first: "re.Pattern[bytes]"
    other: "re.Pattern[bytes]"


_FORMS = [
    _Form(re.compile(first), re.compile(first + rb"|" + other + rb"|\r?\n"))
    for first, other in [
        # /dev/kmsg: " KEY=value" lines follow a record.
        (rb"\d{1,10},\d{1,20},\d{1,20},[^;\n]*;", rb" [A-Z]"),
        # dmesg -x: the other lines of a message are indented.
        (rb"[a-z]+\d? *:" + _LEVEL + rb" *: ?", rb"[ \t]"),
        (rb"[a-z]+\d?: {1,7}" + _LEVEL + rb": \[\d{4}-", rb"[ \t](?! *[a-z]+\d?:)"),  # talosctl dmesg
        # The journal: json, json-seq and json-sse; json-pretty; export.
        (rb"(?:\x1e|data: )?\{\s*\"", rb"\{\s*\""),
        (rb"\{\r?\n", rb"[\t}]"),
    ]
]
_FIELD_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}$")


def has_one_form(stream: IO[bytes]) -> bool:
    """Return whether every line of a file has the form of the first, which carries the facility."""
    form: Optional[_Form] = None
    size = 0
    at_start = True
    while True:
        line = stream.readline(1 << 16)
        size += len(line)
        if not line or size > LARGEST_PROOF:
            return form is not None and not line
        if at_start:
            if form is None:
                form = next((one for one in _FORMS if one.first.match(line)), None)
            elif not form.other.match(line):
                return False
            if form is None:
                return False
        at_start = line.endswith(b"\n")


def has_field_names(entries: Iterable[Iterable[str]]) -> bool:
    """Return whether all entries of an export consist of fields as journald names them."""
    return all(_FIELD_NAME.match(name) for names in entries for name in names)
