# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the configuration of nohang, and which pins it does not go by.

nohang takes the process with the highest oom_score, after adjustments by regular expressions. It
adds nothing to a process with a score below 0, so pins that spare count for it. Pure.
Source: nohang:src/nohang, functions pid_to_badness and conf_parse_bool.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    PinnedService,
    UnboundPin,
)

DEFAULT_FILE = "/etc/nohang/nohang.conf"
_IGNORES = "ignore_positive_oom_score_adj"
_ADJUSTMENT, _SEPARATOR = "@BADNESS_ADJ_RE_", "///"
_MAX_ADJUSTMENTS = 50


class Adjustment(NamedTuple):
    """Describe what nohang adds to the badness of processes that an expression matches."""

    kind: str  # such as NAME or CGROUP_V2
    badness: int
    pattern: str


class NohangSettings(NamedTuple):
    """Describe what decides which process nohang kills."""

    file: str
    ignores_raised_scores: bool
    adjustments: List[Adjustment]


def find_file(words: List[str]) -> str:
    """Return the configuration file that the arguments of a running nohang name."""
    for option in ("-c", "--config"):
        if option in words[:-1]:
            return words[words.index(option) + 1]
    return DEFAULT_FILE


def parse_settings(file: str, text: str) -> NohangSettings:
    """Return what a configuration says.

    Raises InputError for one that nohang refuses, or that lacks what matters here.
    """
    values: Dict[str, str] = {}
    adjustments: List[Adjustment] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line[0] in "#\t ":
            continue
        if line.startswith(_ADJUSTMENT):
            adjustments.append(_parse_adjustment(f"{file} line {number}", line))
        elif not line.startswith("@"):
            key, _equals, value = (part.strip() for part in line.partition("="))
            values.setdefault(key, value)
    if values.get(_IGNORES) not in ("True", "False"):
        raise InputError(f"{file} has {_IGNORES}={shorten(values.get(_IGNORES))}, which is not True or False")
    return NohangSettings(file, values[_IGNORES] == "True", adjustments[:_MAX_ADJUSTMENTS])


def _parse_adjustment(where: str, line: str) -> Adjustment:
    left, separator, pattern = line[len(_ADJUSTMENT) :].partition(_SEPARATOR)
    words: Tuple[str, ...] = tuple(left.split())
    digits = words[1].lstrip("+-") if len(words) == 2 else ""
    if not separator or not digits.isdigit() or len(digits) > 6:
        raise InputError(f"{where}: {shorten(line)!r} is not KEY BADNESS {_SEPARATOR} EXPRESSION")
    return Adjustment(words[0], int(words[1]), pattern.strip())


def judge_by_nohang(settings: NohangSettings, service: PinnedService) -> Optional[UnboundPin]:
    """Return why nohang does not go by a pin; None if it does."""
    if service.score <= 0 or not settings.ignores_raised_scores:
        return None
    return UnboundPin(
        service,
        "nohang",
        "nohang takes two thirds off scores above 0",
        f"nohang takes two thirds off the score {service.score} of {service.name}: set {_IGNORES} = False in"
        f" {settings.file}, which cannot have a fragment of ours, and restart nohang",
    )
