# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Moments: as logs and people write them, and as seconds since 1970.

Pure. Nothing is guessed: what has no date, year or zone is no moment.
"""

import calendar
import datetime
import re
import time
from typing import Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError

CLOCK = r"(?P<clock>\d\d:\d\d:\d\d(?:[.,]\d+)?)"
DATE = r"(?P<date>\d{4}-\d\d-\d\d)[T ]" + CLOCK
ZONE = r"(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)"

_ISO = re.compile(DATE + " ?" + ZONE + "$")
_EPOCH = re.compile(r"@?(\d{9,12}(?:\.\d+)?)$")  # fewer digits look like a year or a date
_AGO = re.compile(r"-(\d{1,6})([smhdw])$")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def utc_of_match(match: "re.Match[str]") -> Optional[str]:
    """ISO 8601 in UTC of what C(DATE) and C(ZONE) matched; None for a date that does not exist."""
    zone = match.group("zone")
    offset = 0
    if zone not in ("Z", "UTC"):
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:] or 0)) * (-1 if zone[0] == "-" else 1)
    clock, _point, fraction = match.group("clock").replace(",", ".").partition(".")
    try:
        moment = datetime.datetime.strptime(
            match.group("date") + " " + clock, "%Y-%m-%d %H:%M:%S"
        ) - datetime.timedelta(minutes=offset)
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction[:6] if fraction else "") + "Z"


def format_utc(epoch: float) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_utc(text: str) -> float:
    """Seconds since 1970 of what C(utc) or C(iso) wrote."""
    whole, _point, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def parse_moment(name: str, text: str, now: float) -> float:
    """Seconds since 1970 of what the option C(name) says: ISO 8601 with its zone, seconds since 1970, or a time ago, as -1h."""
    found = _EPOCH.match(text)
    if found:
        return float(found.group(1))
    found = _AGO.match(text)
    if found:
        return now - int(found.group(1)) * _UNIT_SECONDS[found.group(2)]
    found = _ISO.match(text)
    when = utc_of_match(found) if found else None
    if when is None:
        raise InputError(
            f"{name}={text} is no moment: give ISO 8601 with a zone (2026-11-23T04:43:45Z), seconds since 1970, or a time ago (-30m, -1h, -2d)"
        )
    return parse_utc(when)
