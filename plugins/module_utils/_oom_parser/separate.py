# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

r"""Separate messages that lost the line ends between them.

Pure. A web page, a mail program or a JSON string makes one line of many: with blanks, with
C(<br>), or with C(\n) as two characters. Where a line was cut can only be seen in the text, and
users have a say in it: names of tasks and cgroups hold what looks like a cut. So:

- Before a cut stands a part of a message, and behind it a stamp, a kill, a summary or a header. No
  name of a task has room for more than a stamp, and what follows names follows no stamp.
- A part that holds the name of a cgroup is a whole message, and the last part is a whole kill:
  behind a name that looks like parts stands the end of its own message. The two cgroups of a limit
  begin with the same name, so what looks like a cut in one stands in both. Only behind another
  message this shows the end of a limit.
- Behind a whole header, announcement or kill the kernel prints nothing. What follows one in its
  line was joined to it, and is also cut where a message begins without a stamp.

A string in quotes that begins with a header or a kill is cut everywhere.
"""

import re
from typing import Any, Iterator, List, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import LONGEST_LINE, Record
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.completeness import has_possible_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import (
    INVOKED,
    KILL_BEGINNING,
    LIMIT_OF,
    is_whole_kill,
    measure_announcement,
    measure_header,
    measure_kill,
    parse_message,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Announcement,
    MemcgLimit,
    MemcgStats,
    Summary,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import is_inside

# Blanks before a stamp only from the first of them on: a search from each takes minutes.
_ANY_CUT = (
    r"(?:(?:\\r){0,9}\\n|<br ?/?>|%0A|&#10;)\s*|(?:(?<!\s)\s+)?(?P<stamp>\[[ \d]{5,12}\.\d{6}\] "
    r"|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] "
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\s\]]+ kernel: "
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20} [^\s\]]+ kernel: )"
)
_CUT = re.compile(_ANY_CUT)
# In a line that certainly has several messages: where one begins, with what stands between the two.
_BARE_CUT = re.compile(
    _ANY_CUT + r"|(?P<bare>(?:(?:Out of [Mm]emory|Memory cgroup out of memory)[^:]{0,40}: )?"
    r"[Kk]ill(?:ed)? process \d+(?:, UID \d+,)? ?\(|oom-kill:constraint=CONSTRAINT_|Tasks? in /"
    r"|Memory cgroup stats for /|(?:memory(?:\+swap)?|kmem|swap): usage \d|CPU: \d+ (?:UID: \d+ )?PID: \d"
    r"|Pid: \d+, comm: |\[ *pid *\] +uid |\[ *\d+\] +-?\d+ +\d+ +\d+ |Hardware name: |Call Trace:|Mem-Info:"
    r"|Tasks state \(|oom_reaper: |Kernel panic - not syncing: )"
)
_REST_OF_DATE = re.compile(r"-\d\d-\d\dT")  # its year is taken for a part of the last number
# What people and programs write instead of a line end.
_SEPARATOR = re.compile(r"(?:(?:\\r)*\\n|#012|\\x0a|<br ?/?>|%0A|&#10;|[^\w()\[\]<])*")
_AFTER_NAMES = re.compile(r"\)| ?(?:invoked oom-killer|Not tainted|Tainted|cpuset=)|,pid=|$")
_WORDS = re.compile(r"ill process|invoked oom|oom-kill:|-rss:|total-vm|child|oom_score_adj|,uid=|Call Trace|Mem-Info")
_BEGINNING = re.compile(KILL_BEGINNING + r"|.{1,15} invoked oom-killer: ")
_TAG_WITH_PID = re.compile(r"[\w.-]\[\d+\]: ")  # from the last letter of the tag on
_LETTER = re.compile(r"\w")
_CGROUP_NAME = re.compile(r"[\s=,(]/|cpuset=")
_CPUSET = re.compile(r".{1,15} cpuset=.* mems_allowed=[\d,-]+$")
_QUOTE = re.compile(r"[\"']|<(?!br)[a-z]{1,10}(?: [^<>]{0,60})?>")
_CLOSING_TAGS = re.compile(r"(?:</[a-z]{1,10}>\s*)+$")
_LONGEST_PREFIX = 100  # of a string
_LONGEST_BEGINNING = 100  # of a part, with its stamps
_MOST_MISSES = 64  # what looks like a cut and is none

_Key = Tuple[Any, ...]


def separate(record: Record) -> List[Record]:
    """Return the records of the messages in a line, which are nearly always one."""
    if record.trusted is not None:
        return [record]
    text = record.text + record.raw[LONGEST_LINE:]
    string = _find_string(text) if record.bare else 0
    parts = list(_cut(text, string))
    if len(parts) == 1 or _TAG_WITH_PID.search(parts[0]) or not (string or _are_certain(parts)):
        return [record]
    parts[0] = parts[0][string:]
    parts = _drop_repeated(parts)
    raws = [*parts[:-1], record.raw]  # the last one ends where the line ends
    return [_parse_part(record, part, raw) for part, raw in zip(parts, raws)]


def _drop_repeated(parts: List[str]) -> List[str]:
    """Return the parts of a line without those that repeat the message before them.

    A daemon writes a message in several fields. At another moment it is another message.
    """
    kept: List[str] = []
    last: Optional[_Key] = None
    for part in parts:
        key = _identify(part)
        if key is None or key != last:
            kept.append(part)
        last = key or last
    return kept


def _identify(part: str) -> Optional[_Key]:
    """Return stamps and words of a header, an announcement or a kill; None for any other part."""
    record = parse_text_line(part)
    end = measure_header(record.text) or measure_kill(record.text)
    message = None if end else parse_message(record.text)
    if end is None and not isinstance(message, Announcement):
        return None
    return record.monotonic, record.clock, message or record.text[:end]


def _cut(text: str, string: int) -> Iterator[str]:
    """Yield the parts of a text; C(string) is where a string in quotes begins in it, or 0."""
    words = _WORDS.search(text)
    begin = misses = 0
    separator = ""
    end = _find_first_end(text, string) if words else 0
    if end:
        yield text[:end]
        between = _SEPARATOR.match(text, end)
        separator = between.group().strip() if between else ""
        begin = between.end() if between else end
    for match in (_BARE_CUT if end else _CUT).finditer(text, end or words.start()) if words else ():
        at, behind = match.start(), match.end()
        for group in ("stamp", "bare") if end else ("stamp",):
            behind = match.start(group) if match.group(group) else behind
        before = not begin or parse_text_line(text[begin:at]).text
        rest = text[behind : behind + _LONGEST_BEGINNING]
        is_bare = end and match.group("bare") is not None
        if before and (is_bare or (_LETTER.search(rest) if string or end else _begins_part(rest))):
            yield _strip_end(text[begin:at], separator)
            begin = behind
            continue
        misses += 1
        if misses > _MOST_MISSES:
            break
    yield text[begin:]


def _strip_end(part: str, separator: str) -> str:
    part = part.rstrip()
    return part[: -len(separator)].rstrip() if separator and part.endswith(separator) else part


def _find_first_end(text: str, start: int) -> int:
    """Return where the first message of a line ends, if it is there whole and more follows; else 0.

    It is a header, an announcement or a kill.
    """
    first = parse_text_line(text[start:]).text if start else text
    if not text.endswith(first):
        return 0
    end = measure_header(first) or measure_kill(first)
    if end is None:
        end = measure_announcement(first)
        if end is not None and _CUT.search(first, end):  # a stamp shows the cut, whatever names hold
            return 0
    if end is None or _REST_OF_DATE.match(first, end):
        return 0
    if not any(match.group("stamp") or match.group("bare") for match in _BARE_CUT.finditer(first, end)):
        return 0
    return len(text) - len(first) + end


def _begins_part(text: str) -> bool:
    rest = parse_text_line(text).text
    is_stamped = len(rest) < len(text) and _AFTER_NAMES.match(rest) is None
    return is_stamped or _BEGINNING.match(rest) is not None


def _begins_message(text: str) -> bool:
    return _BEGINNING.match(parse_text_line(text).text) is not None


def _find_string(text: str) -> int:
    """Return where a string in quotes or tags begins that holds a message; 0 if there is none."""
    ends = [quote.end() for quote in _QUOTE.finditer(text, 0, _LONGEST_PREFIX)]
    ends = [end for end in ends if _begins_message(text[end : end + _LONGEST_BEGINNING])]
    if not ends:
        return 0
    # A quote before the last one may seem to be in the name of a header's task.
    invoked = text.find(INVOKED, ends[0], ends[0] + _LONGEST_BEGINNING)
    return max(end for end in ends if end <= max(invoked, ends[0]))


def _are_certain(parts: List[str]) -> bool:
    """Return whether no name of a cgroup can have made these parts."""
    texts = [parse_text_line(part).text for part in parts]
    while len(texts) > 1 and texts[-1].startswith("oom_reaper: "):
        del texts[-1]
    named = [text for text in texts[:-1] if _CGROUP_NAME.search(text)]
    if not named:
        return True
    last = _CLOSING_TAGS.sub("", texts[-1])
    if not (is_whole_kill(last) and has_possible_name(last)):
        return False
    # A line of the kernel that begins with a limit may be this one message, in whatever cgroup.
    return all(_has_own_end(text) or (named[0] is not texts[0] and _is_whole_limit(text)) for text in named)


def _has_own_end(text: str) -> bool:
    if _CUT.search(text):
        return False
    message = parse_message(text)
    if isinstance(message, Summary):
        return message.pid is not None
    if isinstance(message, MemcgStats):
        return message.memcg is not None
    return LIMIT_OF not in text and _CPUSET.match(text) is not None


def _is_whole_limit(text: str) -> bool:
    """Return whether a text is a limit whose second cgroup was not cut.

    The first one would hold the cut, too.
    """
    if _CUT.search(text) or text.count(LIMIT_OF) != 1:
        return False
    message = parse_message(text)
    if not isinstance(message, MemcgLimit) or message.task_memcg is None or message.memcg is None:
        return False
    return is_inside(message.task_memcg, message.memcg)


def _parse_part(record: Record, part: str, raw: str) -> Record:
    return merge(record, parse_text_line(part))._replace(raw=raw)


def merge(record: Record, inner: Record) -> Record:
    """Return a part of a record, with its own stamps if it has any; it is never trusted."""
    return record._replace(
        text=inner.text,
        monotonic=record.monotonic if inner.monotonic is None else inner.monotonic,
        time=inner.time or record.time,
        clock=record.clock if inner.clock is None else inner.clock,
        trusted=False if inner.trusted is False else None,
        program=inner.program or record.program,
        bare=record.bare and (inner.monotonic, inner.clock, inner.program) == (None, None, None),
    )
