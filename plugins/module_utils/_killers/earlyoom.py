# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the arguments of earlyoom, and which pins it does not go by.

earlyoom takes the process with the highest oom_score, and passes over those at -1000. With
--sort-by-rss (1.8 and later) it takes the largest instead, whatever its score. Pure.
Sources: earlyoom:main.c, kill.c, getopt_long(3), regex(7).
"""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import SCORE_MIN
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import shorten
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import (
    Matcher,
    PinnedService,
    UnboundPin,
)

# The options with one letter that have a value. All others are one word.
_WITH_VALUE = "msMSNPr"
_LONG = {
    "prefer": True,
    "avoid": True,
    "ignore": True,
    "dryrun": False,
    "ignore-root-user": False,
    "sort-by-rss": False,
    "syslog": False,
    "kernel-oom": False,
    "help": False,
    "debug": False,
}
# What --prefer adds to oom_score, as a difference of oom_score_adj. oom_score is two thirds of it.
_PREFERRED = 300 * 3 // 2
SORTS_BY_RSS = "earlyoom runs with --sort-by-rss"
_AVOIDED_KB = 3 << 20  # what --avoid takes off the size, with --sort-by-rss
MAX_REGEX = 4096
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
    "cntrl": r"\x00-\x1f\x7f",
}
# GNU's extensions, which regexec(3) of glibc has.
_ESCAPES = {"w": r"\w", "W": r"\W", "s": r"\s", "S": r"\S", "b": r"\b", "B": r"\B", "<": r"\b(?=\w)", ">": r"\b(?<=\w)"}


class EarlyoomArguments(NamedTuple):
    """The arguments that decide what earlyoom kills."""

    sort_by_rss: bool = False
    ignore_root_user: bool = False
    kernel_oom: bool = False
    dryrun: bool = False
    prefer: Optional[str] = None
    avoid: Optional[str] = None
    ignore: Optional[str] = None


def parse_arguments_of_earlyoom(words: Sequence[str]) -> EarlyoomArguments:
    """Return the arguments of a running earlyoom, without its own name.

    Raises InputError for one that earlyoom does not have.
    """
    found: Dict[str, Optional[str]] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name = _complete(name)
            if _LONG[name]:
                found[name] = value if equals else _take(left, word)
            else:
                found[name] = ""
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            at = next((number for number, letter in enumerate(letters) if letter in _WITH_VALUE), None)
            if at is not None and at == len(letters) - 1:
                _take(left, word)
        else:
            raise InputError(f"{shorten(word)!r} is no option of earlyoom")
    return EarlyoomArguments(
        sort_by_rss="sort-by-rss" in found,
        ignore_root_user="ignore-root-user" in found,
        kernel_oom="kernel-oom" in found,
        dryrun="dryrun" in found,
        prefer=found.get("prefer"),
        avoid=found.get("avoid"),
        ignore=found.get("ignore"),
    )


def _complete(name: str) -> str:
    """Return a long option that was shortened; raise InputError for another one."""
    matching = [name] if name in _LONG else [one for one in _LONG if name and one.startswith(name)]
    if len(matching) != 1:
        raise InputError(f"--{shorten(name)} is no option of earlyoom")
    return matching[0]


def _take(left: List[str], word: str) -> str:
    if not left:
        raise InputError(f"{shorten(word)} has no value")
    return left.pop(0)


def translate_regex(pattern: str) -> Optional[str]:
    """Return an extended regular expression of POSIX as one of Python; None for another kind."""
    if len(pattern) > MAX_REGEX:
        return None
    translated: List[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            bracket = _translate_bracket(pattern, at)
            if bracket is None:
                return None
            text, at = bracket
            translated.append(text)
        elif char == "\\":
            follower = pattern[at + 1 : at + 2]
            if not follower or follower.isdigit():
                return None
            translated.append(_ESCAPES.get(follower) or re.escape(follower))
            at += 2
        elif pattern.startswith("(?", at):
            return None
        else:
            translated.append(r"\Z" if char == "$" else char)
            at += 1
    return "".join(translated)


_BRACKET = re.compile(r"\[(\^?)(\]?(?:\[:[a-z]+:\]|[^\]\[]|\[(?![:.=]))*)\]")


def _translate_bracket(pattern: str, start: int) -> "Optional[tuple[str, int]]":
    """Return a bracket expression as one of Python, and where it ends; None if it is not known."""
    match = _BRACKET.match(pattern, start)
    if match is None:
        return None
    inside = match.group(2).replace("\\", "\\\\")
    parts = re.split(r"\[:([a-z]+):\]", inside)
    if any(name not in _CLASSES for name in parts[1::2]):
        return None
    parts[::2] = [part.replace("[", r"\[").replace("]", r"\]") for part in parts[::2]]
    parts[1::2] = [_CLASSES[name] for name in parts[1::2]]
    return f"[{match.group(1)}{''.join(parts)}]", match.end()


def judge_by_earlyoom(arguments: EarlyoomArguments, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    """Return why earlyoom does not go by a pin; None if it does, or cannot kill the process."""
    is_ignored = _matches(arguments.ignore, service, matches)
    spares_all = arguments.dryrun or arguments.kernel_oom or (arguments.ignore_root_user and service.uid == 0)
    if not SCORE_MIN < service.score < 0 or spares_all or is_ignored:
        return None
    is_avoided = service.size_kb < _AVOIDED_KB and _matches(arguments.avoid, service, matches)
    if arguments.sort_by_rss and not is_avoided:
        return UnboundPin(
            service,
            "earlyoom",
            SORTS_BY_RSS,
            f"{SORTS_BY_RSS}, so it may kill {service.name} whatever its score is: leave that out, or add --ignore"
            f" '^{re.escape(service.program)}$' to its arguments",
        )
    if not arguments.sort_by_rss and service.score > -_PREFERRED and _matches(arguments.prefer, service, matches):
        return UnboundPin(
            service,
            "earlyoom",
            "earlyoom prefers it",
            f"--prefer of earlyoom matches {service.name}, which is worth more than its score {service.score}: change"
            f" that expression, or use a score below -{_PREFERRED}",
        )
    return None


def _matches(pattern: Optional[str], service: PinnedService, matches: Matcher) -> bool:
    """Return whether an expression matches the program; no if that is not known."""
    translated = translate_regex(pattern) if pattern is not None else None
    return bool(translated is not None and matches(translated, service.program))
