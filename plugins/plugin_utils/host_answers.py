# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Make safe what a host answered, before the controller shows, counts or stores it.

A managed host may be in other hands. Whatever it answers is data: texts are escaped and cut to a
bound, outcomes come from fixed lists, and no key of an artifact is made of a host's words.
Names of hosts are data too, because a dynamic inventory takes them from elsewhere.
"""

import hashlib
import json
import math
import re
from typing import Any, Dict, List, Mapping

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_name

# What a trial may return, and all outcomes that the playbooks count.
VERDICTS = ("proven", "refuted", "inconclusive")
OUTCOMES = (
    "ok",
    "changed",
    "would_change",
    "not_lasting",
    "not_binding",
    "nothing_asked",
    "failed",
    "would_fail",
    "checked",
    *VERDICTS,
    "kills",
    "no_kills",
    "findings",
    "no_findings",
    "undone",
    "nothing_to_undo",
)

TEXT_LENGTH = 300
LINE_LENGTH = 1000  # a line of a report may quote some lines of the kernel log
TEXTS = 20
NAME_LENGTH = 253  # the longest name in DNS
EVIDENCE_BYTES = 256 * 1024

_ELLIPSIS = "…"
_LINE_END = re.compile(r"[\r\n]")
_HASHED = re.compile(" [0-9a-f]{16}$")
# Length of a text, entries of a list or mapping, and depth. The first limits that fit are used.
_EVIDENCE_LIMITS = ((EVIDENCE_BYTES, EVIDENCE_BYTES, 30), (4096, 1000, 30), (1024, 200, 20), (300, 30, 10))


def cut_text(value: Any, length: int = TEXT_LENGTH) -> str:
    """Return a value as one escaped line of at most C(length) characters; "" for None."""
    try:
        text = "" if value is None else str(value)
    except RecursionError:
        text = "a value with too many levels"
    return _shorten(printable_name(_shorten(text, length)), length)


def cut_texts(value: Any, length: int = TEXT_LENGTH) -> List[str]:
    """Return the first 20 of a list of texts, each as cut_text() returns it.

    Any other value than a list is one text.
    """
    if value is None:
        return []
    texts = list(value) if isinstance(value, (list, tuple)) else [value]
    left_out = [f"{len(texts) - TEXTS} more texts are left out"] if len(texts) > TEXTS else []
    return [cut_text(text, length) for text in texts[:TEXTS]] + left_out


def first_line(value: Any) -> str:
    """Return the first line of a message as cut_text() returns it.

    A message is not cut at the end of a sentence: the remedy may stand behind it.
    """
    return cut_text(_LINE_END.split(str(value)[:LINE_LENGTH].strip(), maxsplit=1)[0])


def name_key(name: str) -> str:
    """Return a host's name as a key: printable, bounded, and different for different names."""
    # Two names may become one when they are escaped or cut, so such names get a hash at the end.
    # So does a name that already ends like that.
    if cut_text(name, NAME_LENGTH) == name and not _HASHED.search(name):
        return name
    return f"{cut_text(name, NAME_LENGTH - 17)} {name_hash(name)}"


def name_hash(name: str) -> str:
    """Return 16 hexadecimal digits that differ for different names, also for broken text."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def judge_trial(answer: Any) -> Dict[str, Any]:
    """Return C(verdict), C(reasons) and C(report) of a trial from what the host answered.

    An unknown verdict becomes C(inconclusive), and a reason quotes it. Texts are bounded.
    """
    answer = answer if isinstance(answer, Mapping) else {}
    verdict, reasons = answer.get("verdict"), cut_texts(answer.get("reasons"))
    if isinstance(verdict, str) and verdict in VERDICTS:
        return {"verdict": str(verdict), "reasons": reasons, "report": cut_texts(answer.get("report"), LINE_LENGTH)}
    reasons.insert(0, cut_text(f"the host returned an unknown verdict: {'null' if verdict is None else verdict}"))
    return {"verdict": "inconclusive", "reasons": reasons, "report": reasons}


def state_outcome(outcome: Any, detail: Any = None) -> Dict[str, str]:
    """Return the outcome of a host as C(word), C(detail) and C(line), the two in one line.

    An outcome that is not in OUTCOMES becomes C(failed), and the detail quotes it.
    """
    shown = cut_text(detail)
    if not isinstance(outcome, str) or outcome not in OUTCOMES:
        outcome, shown = "failed", cut_text("; ".join(filter(None, [f"unknown outcome {cut_text(outcome)}", shown])))
    return {"word": str(outcome), "detail": shown, "line": f"{outcome}: {shown}" if shown else str(outcome)}


def evidence_text(answer: Any, facts: Mapping[str, Any]) -> str:
    """Return the evidence of one trial as JSON of at most EVIDENCE_BYTES bytes.

    C(facts) are the controller's own, and replace what the host answered under the same keys.
    If the answer is too long, texts, lists and mappings in it are cut, and C(cut) says so.
    """
    answer = answer if isinstance(answer, Mapping) else {"answer": answer}
    evidence = {**{key: answer[key] for key in answer if key != "cut"}, **facts}
    for text, entries, depth in _EVIDENCE_LIMITS:
        scissors = _Scissors(text, entries, depth)
        try:
            kept = scissors.apply(evidence)
        except _TooLongError:
            continue
        if scissors.has_cut:
            kept["cut"] = (
                f"The host's answer is too long or too deep for this file. Texts are cut to {text} characters,"
                f" lists and mappings to {entries} entries, and levels below the {depth}th are left out."
            )
        rendered = _render({**kept, **facts})
        if len(rendered) <= EVIDENCE_BYTES:
            return rendered
    cut = "The host's answer is too long for this file. Only the verdict, the reasons and the report are kept."
    return _render({**judge_trial(answer), **facts, "cut": cut})


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - len(_ELLIPSIS)] + _ELLIPSIS


def _render(value: Any) -> str:
    # Escapes everything but ASCII, so a character is a byte.
    return json.dumps(value, indent=4, sort_keys=True) + "\n"


class _TooLongError(Exception):
    """What is left of an answer does not fit into the file."""


class _Scissors:
    """Cuts long texts, long lists, long mappings and deep levels, and escapes all texts.

    It stops as soon as the result is too long for the file: to escape megabytes takes minutes.
    """

    def __init__(self, text: int, entries: int, depth: int) -> None:
        self._room = EVIDENCE_BYTES
        self._text = text
        self._entries = entries
        self._depth = depth
        self.has_cut = False

    def apply(self, value: Any, level: int = 0) -> Any:
        """Return a value of JSON, cut and escaped. Raises _TooLongError."""
        self._take(1)
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)  # JSON has no infinity
        if isinstance(value, (Mapping, list, tuple)):
            return self._apply_inside(value, level)
        return self._cut(str(value))

    def _apply_inside(self, value: Any, level: int) -> Any:
        if level == self._depth:
            self.has_cut = True
            return _ELLIPSIS
        if len(value) > self._entries:
            self.has_cut = True
        if isinstance(value, Mapping):
            kept = list(value)[: self._entries]
            return {self._cut(str(key)): self.apply(value[key], level + 1) for key in kept}
        return [self.apply(one, level + 1) for one in value[: self._entries]]

    def _cut(self, text: str) -> str:
        if len(text) > self._text:
            self.has_cut = True
        kept = _shorten(text, self._text)
        self._take(len(kept))
        return printable(kept)

    def _take(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            raise _TooLongError
