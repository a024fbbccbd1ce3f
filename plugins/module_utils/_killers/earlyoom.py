# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Read the arguments of earlyoom, and which pins it does not go by.

earlyoom takes the process with the highest oom_score, and passes over those at -1000. With
--sort-by-rss (1.8 and later) it takes the largest instead, whatever its score. With -i (up to 1.6)
it takes the whole score off oom_score, in which the kernel counts two thirds of it. With -g it
kills the process group of what it takes, whatever else is in that. Pure.
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
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import is_plain

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
_KILLS_GROUPS = "earlyoom runs with -g"
_ADVICE_ON_GROUPS = (
    "when it kills a process, everything in the same process group dies, also what is pinned; leave -g out, or check"
    " the groups with ps -eo pid,pgid,comm"
)
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
_ESCAPES = {
    "w": r"\w",
    "W": r"\W",
    "s": r"\s",
    "S": r"\S",
    "b": r"\b",
    "B": r"\B",
    "<": r"\b(?=\w)",
    ">": r"\b(?<=\w)",
    "`": r"\A",
    "'": r"\Z",
}


class EarlyoomArguments(NamedTuple):
    """The arguments that decide what earlyoom kills."""

    sort_by_rss: bool = False
    ignore_root_user: bool = False
    kernel_oom: bool = False
    dryrun: bool = False
    prefer: Optional[str] = None
    avoid: Optional[str] = None
    ignore: Optional[str] = None
    ignores_raised_scores: bool = False  # -i, which does nothing from 1.7 on
    kills_groups: bool = False  # -g


def parse_arguments_of_earlyoom(words: Sequence[str]) -> EarlyoomArguments:
    """Return the arguments of a running earlyoom, without its own name.

    Raises InputError for one that earlyoom does not have.
    """
    found: Dict[str, Optional[str]] = {}
    letters_given = ""
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
            letters_given += letters[:at]
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
        ignores_raised_scores="i" in letters_given,
        kills_groups="g" in letters_given,
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
        elif pattern.startswith("(?", at) or (char in "*+?{" and translated[-1:] and translated[-1] in "*+?}"):
            return None  # for Python, +? and ++ are other repetitions than for POSIX
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


def ignores_raised_scores(arguments: EarlyoomArguments, version: Optional[str]) -> bool:
    """Return whether earlyoom takes scores above 0 off what it goes by: up to 1.6 with -i."""
    numbers = re.match(r"([0-9]{1,3})\.([0-9]{1,3})", version or "")
    is_later = numbers is not None and (int(numbers.group(1)), int(numbers.group(2))) >= (1, 7)
    return arguments.ignores_raised_scores and not is_later


def judge_by_earlyoom(arguments: EarlyoomArguments, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    """Return why earlyoom does not go by a pin; None if it does, or cannot kill the process."""
    if arguments.dryrun or arguments.kernel_oom:
        return None
    found = _judge_choice(arguments, service, matches)
    if found is None and arguments.kills_groups and service.score < 0:
        return UnboundPin(service, "earlyoom", _KILLS_GROUPS, f"{_KILLS_GROUPS}: {_ADVICE_ON_GROUPS}", is_known=False)
    return found


def _judge_choice(arguments: EarlyoomArguments, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    """Return why earlyoom may choose the process itself, whatever its pin says."""
    if arguments.ignore_root_user and service.uid == 0:
        return None
    if service.score > 0 and arguments.ignores_raised_scores:
        return UnboundPin(
            service,
            "earlyoom",
            "earlyoom counts scores above 0 backwards",
            f"earlyoom runs with -i, which counts the score {service.score} of {service.name} backwards: leave -i out",
        )
    if not SCORE_MIN < service.score < 0:
        return None
    return (_judge_by_size if arguments.sort_by_rss else _judge_by_score)(arguments, service, matches)


def _judge_by_size(arguments: EarlyoomArguments, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    is_spared = {"--ignore": _matches(arguments.ignore, service, matches)}
    if service.size_kb < _AVOIDED_KB:
        is_spared["--avoid"] = _matches(arguments.avoid, service, matches)
    if True in is_spared.values():
        return None
    unknown = next((option for option, spares in is_spared.items() if spares is None), None)
    if unknown is not None:
        return _make_unknown(service, unknown)
    return UnboundPin(
        service,
        "earlyoom",
        SORTS_BY_RSS,
        f"{SORTS_BY_RSS}, so it may kill {service.name} whatever its score is: leave that out"
        + _advise_ignore(service.program),
    )


def _advise_ignore(program: str) -> str:
    """Return what else to do, for a name that can be pasted: a process chooses its own."""
    return f", or add --ignore '^{re.escape(program)}$' to its arguments" if is_plain(program) else ""


def _judge_by_score(arguments: EarlyoomArguments, service: PinnedService, matches: Matcher) -> Optional[UnboundPin]:
    is_preferred = service.score > -_PREFERRED and _matches(arguments.prefer, service, matches)
    # --avoid takes off what --prefer adds.
    is_spared = {option: _matches(getattr(arguments, option), service, matches) for option in ("ignore", "avoid")}
    if is_preferred is False or True in is_spared.values():
        return None
    unknown = [option for option, answer in {"prefer": is_preferred, **is_spared}.items() if answer is None]
    if unknown:
        return _make_unknown(service, f"--{unknown[0]}")
    return UnboundPin(
        service,
        "earlyoom",
        "earlyoom prefers it",
        f"--prefer of earlyoom matches {service.name}, which is worth more than its score {service.score}: change"
        f" that expression, or use a score below -{_PREFERRED}",
    )


def _make_unknown(service: PinnedService, option: str) -> UnboundPin:
    return UnboundPin(
        service,
        "earlyoom",
        f"{option} of earlyoom is not understood",
        f"earlyoom may not go by the pin of {service.name}: its {option} cannot be interpreted; check whether it"
        " matches the name of its program",
        is_known=False,
    )


def _matches(pattern: Optional[str], service: PinnedService, matches: Matcher) -> Optional[bool]:
    """Return whether an expression matches the program; None if that is not known."""
    if pattern is None:
        return False
    translated = translate_regex(pattern)
    return None if translated is None else matches(translated, service.program)
