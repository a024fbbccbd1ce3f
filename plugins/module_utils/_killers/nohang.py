# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the configuration of nohang, and which pins it does not go by.

nohang takes the process with the highest oom_score, after adjustments by regular expressions. It
adds nothing to a process with a score below 0, so pins that spare count for it, and adjustments do
not matter here. Pure.
Source: nohang:src/nohang, functions pid_to_badness and conf_parse_bool.
"""

from typing import Dict, List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    PinnedService,
    UnboundPin,
)

DEFAULT_FILE = "/etc/nohang/nohang.conf"
_IGNORES = "ignore_positive_oom_score_adj"


class NohangSettings(NamedTuple):
    """Describe what decides which process nohang kills."""

    file: str
    ignores_raised_scores: bool


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
    for line in text.split("\n"):
        if line and line[0] not in "#\t @":
            key, _equals, value = (part.strip() for part in line.partition("="))
            values.setdefault(key, value)
    if values.get(_IGNORES) not in ("True", "False"):
        raise InputError(f"{file} has {_IGNORES}={shorten(values.get(_IGNORES))}, which is not True or False")
    return NohangSettings(file, values[_IGNORES] == "True")


def judge_by_nohang(settings: NohangSettings, service: PinnedService) -> Optional[UnboundPin]:
    """Return why nohang does not go by a pin; None if it does.

    Up to 0.3.0 it takes the whole score off oom_score, in which the kernel counts two thirds of it:
    the process then is safer than without the pin. Later it takes off two thirds.
    """
    if service.score <= 0 or not settings.ignores_raised_scores:
        return None
    return UnboundPin(
        service,
        "nohang",
        "nohang does not count scores above 0, or counts them backwards",
        f"nohang does not count the score {service.score} of {service.name}, or with 0.3.0 and older counts it"
        f" backwards: set {_IGNORES} = False in {settings.file}, which cannot have a fragment of ours, and restart"
        " nohang",
    )
