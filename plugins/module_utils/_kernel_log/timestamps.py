# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Convert timestamps of logs and options to ISO 8601 in UTC, and to seconds since 1970.

Pure. The module does not guess: text without a date, a year or a zone is not a time.
"""

import calendar
import datetime
import re
import time
from typing import Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name

CLOCK = r"(?P<clock>\d\d:\d\d:\d\d(?:[.,]\d+)?)"
DATE = r"(?P<date>\d{4}-\d\d-\d\d)[T ]" + CLOCK
ZONE = r"(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)"

LATEST = 253402300799.0  # the end of the year 9999, the last that datetime can hold

_ISO = re.compile(DATE + " ?" + ZONE + "$")
_EPOCH = re.compile(r"@?(\d{9,12}(?:\.\d+)?)$")  # fewer digits look like a year or a date
_AGO = re.compile(r"-(\d{1,6})([smhdw])$")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def format_match(match: "re.Match[str]") -> Optional[str]:
    """Return what C(DATE) and C(ZONE) matched as ISO 8601 in UTC, or None if no such date exists.

    The fraction of the second keeps its digits, at most six.
    """
    zone = match.group("zone")
    offset = 0
    if zone not in ("Z", "UTC"):
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:] or 0)) * (-1 if zone[0] == "-" else 1)
    clock, _point, fraction = match.group("clock").replace(",", ".").partition(".")
    try:
        local = datetime.datetime.strptime(match.group("date") + " " + clock, "%Y-%m-%d %H:%M:%S")
        utc = local - datetime.timedelta(minutes=offset)
    except (ValueError, OverflowError):
        return None
    return utc.isoformat() + ("." + fraction[:6] if fraction else "") + "Z"


def format_utc(epoch: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, to the microsecond."""
    moment = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_utc(text: str) -> float:
    """Return the seconds since 1970 of a text that C(format_utc) or C(format_match) returned."""
    whole, _point, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def parse_moment(name: str, text: str, now: float) -> float:
    """Return the time in C(text), the value of the option C(name), in seconds since 1970.

    The value is ISO 8601 with a zone, seconds since 1970, or a time before C(now), such as -1h.
    Raises InputError for any other text.
    """
    found = _EPOCH.match(text)
    if found:
        return float(found.group(1))
    found = _AGO.match(text)
    if found:
        return now - int(found.group(1)) * _UNIT_SECONDS[found.group(2)]
    found = _ISO.match(text)
    utc = format_match(found) if found else None
    if utc is None:
        raise InputError(
            f"{name}={printable_name(text[:80])} is not a time: give ISO 8601 with a zone (2026-11-23T04:43:45Z), "
            "seconds since 1970, or a time ago (-30m, -1h, -2d)"
        )
    return parse_utc(utc)
