# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find messages behind prefixes of an unknown kind, and learn these prefixes from the text.

Pure: records in, records out, in one pass. line_prefix.py knows the prefixes of kernels and log
daemons. People and tools put more before a line: quotes, bullets, columns, cells of a table, names
of files and hosts. No list of them is complete, so two rules find them:

- By shape: stamps, brackets, and words before a delimiter may stand before one whole message.
- By repetition: what stands before two messages, digits apart, is the prefix of both.

A prefix has no stamp that is read before it is stripped, so the known prefixes are read behind it.

What a tool puts behind lines (quotes, tags, columns) is found in the same way: behind the end of a
whole message it can only be a suffix, and the other lines of the report have it, too.

An unknown prefix proves nothing: such a record is never trusted, and a tag with a pid shows that
a program wrote it. A record with a proof of its writer has no other prefix. Behind the kernel's
own prefix only brackets are one. Paths are in the messages of many kernels, and users choose them,
so a prefix that holds one is refused.
"""

import itertools
import re
from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import LONGEST_LINE, Record, split_rows
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.shipper_json import is_second_hand
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.completeness import (
    NEXT_PART,
    lacks_end_of_name,
    may_be_in_name,
    may_end_in_name,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import (
    INVOKED,
    KILL_BEGINNING,
    is_whole_kill,
    measure_kill,
    parse_header,
    parse_message,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import (
    Announcement,
    Header,
    Kill,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.separate import merge, separate
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.user_killers import (
    KILLERS,
    PROGRAM_KILL,
    find_program,
)

# Real prefixes are shorter.
_LONGEST_PREFIX = 200
# Where a known prefix may begin in an unknown one.
_MOST_STARTS = 32
# Lines that wait for a second message with their prefix: a report has one within its first lines.
_MOST_HELD = 64

_KILL_WORDS = ("ill process", "illed ", "illing ", "oom-kill", "killable", "panic", "Kill '", "sigkill", "SIGKILL")
# Other lines of a report; they only help to learn a prefix.
_OTHER_MESSAGE = (
    r"|CPU: \d+ (?:UID: \d+ )?PID: \d+ Comm: |Pid: \d+, comm: |Tasks? in /|memory: usage \d|Memory cgroup stats for /"
    r"|Tasks state \(|\[ *pid *\] +uid |Mem-Info:|Call Trace:"
)
_BEGINNING = re.compile(KILL_BEGINNING + "|" + PROGRAM_KILL)
_LANDMARK = re.compile(KILL_BEGINNING + _OTHER_MESSAGE)

# A prefix by its shape: one part after the other, up to the message.
_PART = re.compile(
    r"\s+"
    r"|\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|<[^<>]{0,80}>"
    r"|[^\w\s]+"  # quotes, bullets, the bars of a table
    r"|\w[\w.@+-]{0,80}(?=\s?[\]:|=,;\t\"'`()}>/]| - |\[\d+\]:)"  # a word before a delimiter
    r"|[\w .:*-]{1,80}=\s?[a-z]?(?:[\"'`]+)"  # the string of a variable
    r"|[\w.:+/@-]*\d[\w.:+/@-]*(?=\W)"  # a stamp, a host, a number
    r"|(?:[A-Z]|EMERG|ALERT|CRIT|ERR|ERROR|WARN|WARNING|NOTICE|INFO|DEBUG|kern|kernel)(?=\s)"
)
# Switches print facility and level of the message there, too: "%KERNEL-3: ".
_BRACKETS = re.compile(
    r"[\s.:*-]+|%[A-Z]{2}[A-Z\d_]*-\d[A-Z\d_-]*:|c?\d+(?=\s)|\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|<[^<>]{0,80}>"
)
# No user makes a cgroup that begins with the folder of logs.
_PATH = re.compile(r"(?:[\s=(]|^)/(?![/\s]|var/log/)|[\w)]=/(?!var/log/)|cpuset=")
_START = re.compile(r"(?<=\W)(?=\S)")
_PID_TAG = re.compile(r"(?P<program>[A-Za-z_][\w.@-]{0,60})(?:\[\d+\]|\( *\d+\)):(?:\s|$)")
_LAST_WORD = re.compile(r"(?P<program>[A-Za-z_][\w.@-]{0,60})(?:\[\d+\]|\( *\d+\))?\s*:\s*$")

_LEVEL = re.compile(r".{0,60}\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b", re.IGNORECASE)

# What may be the name of a trigger without a prefix; any other name waits for a second message.
# A dash before it may be the mark of a diff.
_PLAIN_NAME = re.compile(r"[\w.][\w.-]*$|kworker/")

_CLOSING_TAG = re.compile(r"(?:</?[a-z]{1,10} ?/?>\s*)+$")

# The three messages of a kill from their first word to their last, as the kernel prints them. Their
# names have no blanks and no quotes, so no other message and no prefix can begin in one.
_NAME = r"[\w.][\w.-]{0,14}"
_CGROUP = r"[\w/.@:-]{1,200}"
_WHOLE_MESSAGE = re.compile(
    _NAME
    + r" invoked oom-killer: gfp_mask=0x[\da-f]{1,8}\([A-Z_|]{1,200}\), order=\d{1,2}, oom_score_adj=-?\d{1,4}\Z"
    + r"|oom-kill:constraint=CONSTRAINT_[A-Z_]{1,20},nodemask=(?:\(null\)|[\d,-]{1,40}),cpuset="
    + _CGROUP
    + r",mems_allowed=[\d,-]{1,40},(?:global_oom|oom_memcg="
    + _CGROUP
    + r"),task_memcg="
    + _CGROUP
    + r",task="
    + _NAME
    + r",pid=\d{1,7},uid=\d{1,10}\Z"
    + r"|(?:Memory cgroup out|Out) of memory: Killed process \d{1,7} \("
    + _NAME
    + r"\) total-vm:\d{1,12}kB, anon-rss:\d{1,12}kB, file-rss:\d{1,12}kB, shmem-rss:\d{1,12}kB, UID:\d{1,10}"
    + r" pgtables:\d{1,12}kB oom_score_adj:-?\d{1,4}\Z",
    re.ASCII,
)

# Where a whole message ends; a kill without sizes ends with the last bracket. What looks like the
# end of a summary may be in the name of a cgroup.
_MESSAGES_WITH_END = (Header, Announcement, Kill)
_END = re.compile(r"(?:oom_score_adj|oom_adj|oomkilladj|order)=-?\d+| or sacrifice child| or a child| and children")
# A suffix begins with anything but a word or a path. One blank is where a mail broke the line.
_SUFFIX = re.compile(r"(?:\s{2,})?$|(?:\t|\.?\s*[^\w\s,/=:.]).{0,80}$")
_LONGEST_SUFFIX = 200  # with the end before it

# A Kubernetes event over several lines, as YAML or JSON: its message follows within these lines.
_EVENT = re.compile(r"\s{0,60}-?\s{0,9}\"?(?:involvedObject\"?:|regarding\"?:|kind\"?: \"?Event\b)")
_EVENT_MESSAGE = re.compile(r"\s{0,60}-?\s{0,9}\"?(?:message|note)\"?: ")
_MOST_EVENT_LINES = 16

# A mail in quoted-printable writes an equals sign so, and any other byte in the same way.
_QUOTED_EQUALS = re.compile(r"\b(?:gfp_mask|order|oom_score_adj|constraint)=3D")
_QUOTED_BYTE = re.compile(r"=([2-7][0-9A-F])")
# Markdown and LaTeX write a backslash before marks; word processors write blanks that hold words
# together. Markdown writes it before both brackets of a stamp and of a row. A task's name behind a
# line feed may begin with one.
_ESCAPED_MARK = re.compile(r"^\\\[\s{0,20}(?:\d[\d.]{0,30}|pid)\s{0,20}\\\]|\b(?:gfp|oom|anon|mems|task)\\[_\[]")
_MARK = re.compile(r"\\([_\[\]()<>|*#.+-])")
_HARD_BLANK = "\u00a0"
_HTML_BLANK = "&nbsp;"
# They replace dashes, too: the hyphen that holds words together, and the dash between them.
_DASHES = re.compile("[\u2011\u2013]")
_DASH_OF_MESSAGE = re.compile("(?:oom|anon|file|total)[\u2011\u2013]")
_BLANK_OF_MESSAGE = re.compile("(?:ill|illed|process|invoked)\u00a0")
# What the kernel prints before a path, which may go on in the next record.
_OTHERS_WITH_PATH = ("Memory cgroup stats for /", "Task in /", "Tasks in /")
_WITH_PATH = re.compile("|".join(["oom-kill:constraint=CONSTRAINT_", *_OTHERS_WITH_PATH]))
_LONGEST_UNFINISHED = 2 * LONGEST_LINE
# A program that logs with klog relays a message that stands right behind this. Behind words of its
# own it is a report of what the kernel has logged itself.
_KLOG = re.compile(r"\.go:\d+\]\s*(?P<words>.*)")
_ESCAPED_QUOTE = re.compile(r"(?:\\+[\"']|&(?:quot|#34|#39|apos);)$")
_QUOTES = "\"'`"
_CLOSING = {"[": "]", "(": ")", "{": "}", "<": ">", "*": "*", "_": "_"}


def unwrap_records(records: Iterable[Record]) -> Iterator[Record]:
    """Yield each record, with what stands before and behind its message stripped."""
    unwrapper = _Unwrapper()
    unfinished = ""  # a message so far, if it may end inside a path or a victim's name
    for record in records:
        if record.bare and _EVENT.match(record.text):
            unwrapper.begin_event()
        joint = _find_joint(unfinished, record.text) if unfinished else None
        if joint is None:
            unfinished = _find_unfinished(record.text)
            record = record if unfinished else _decode(record)
        else:
            joined = unfinished + joint + record.text
            # A message can begin behind a line end, and ends the one before it.
            unfinished = (_find_unfinished(record.text) if joint else "") or _find_unfinished(joined)
            if joint and not unfinished and not _is_readable(joined):
                record = _decode(record)
        if unwrapper.is_idle and (record.trusted is not None or not _may_hold_kill(record.text)):
            yield record
        elif unwrapper.is_idle and not record.bare and _WHOLE_MESSAGE.match(record.text):
            unwrapper.remember(record)
            yield record
        else:
            for one in split_rows(record):
                for part in separate(one):
                    yield from unwrapper.take(part)
    yield from unwrapper.flush()


def _find_unfinished(text: str) -> str:
    """Return a message if its path or its victim's name may go on in the next record; else "".

    What goes on there can look like the codes of a mail or a markup.
    """
    if ("ill" not in text and not text.startswith(_OTHERS_WITH_PATH)) or len(text) > _LONGEST_UNFINISHED:
        return ""
    return text if _WITH_PATH.match(text) or lacks_end_of_name(text) or may_end_in_name(text) else ""


def _find_joint(unfinished: str, text: str) -> Optional[str]:
    r"""Return what stood between an unfinished message and its rest; None if this is another text.

    The kernel cuts a long message before a path; a name may have a line end, \x0a in /dev/kmsg.
    """
    if text[:1] in NEXT_PART and _WITH_PATH.match(unfinished):
        return ""
    return "\\x0a" if may_be_in_name(unfinished, text) else None


def _decode(record: Record) -> Record:
    """Return a record without the codes of a mail, of a markup, or of a word processor.

    A message that can be read as it is has none: names of tasks and cgroups can hold them.
    """
    text = record.text
    if record.trusted is not None or not _may_be_encoded(text) or _is_readable(text):
        return record
    text = decode_mail(text)
    if _ESCAPED_MARK.search(text):
        text = _MARK.sub(r"\1", text)
    text = text.replace(_HTML_BLANK, " ")
    if _HARD_BLANK in text and (" " not in text or _BLANK_OF_MESSAGE.search(text)):
        text = text.replace(_HARD_BLANK, " ")
    if _DASH_OF_MESSAGE.search(text):
        text = _DASHES.sub("-", text)
    return record if text == record.text else merge(record, parse_text_line(text))


def _is_readable(text: str) -> bool:
    message = parse_message(text)
    return is_whole_kill(text) if isinstance(message, Kill) else message is not None


def _may_be_encoded(text: str) -> bool:
    """Return whether a text holds any sign of it; nearly none does, so this is cheap."""
    return (
        "=3D" in text
        or "\\" in text
        or _HARD_BLANK in text
        or _HTML_BLANK in text
        or "\u2011" in text
        or "\u2013" in text
    )


def decode_mail(text: str) -> str:
    """Return a text as it was before a mail program wrote it in quoted-printable."""
    if "=3D" not in text or not _QUOTED_EQUALS.search(text):
        return text
    return decode_printable(text)


def decode_printable(text: str) -> str:
    """Return a text in quoted-printable, without the codes of its ASCII characters."""
    return _QUOTED_BYTE.sub(lambda match: chr(int(match.group(1), 16)), text)


def _may_hold_kill(text: str) -> bool:
    """Return whether a text may hold a message; most lines of a log hold none of these words."""
    if "ill" in text:
        for word in _KILL_WORDS:
            if word in text:
                return True
    return "sending SIG" in text


class _Affix(NamedTuple):
    """An unknown prefix or suffix, and the known prefixes of the lines that have it."""

    pattern: "re.Pattern[str]"
    form: Tuple[Optional[str], bool, bool]


class _Unwrapper:
    """The prefix and the suffix that were learned, and the lines that wait for a prefix."""

    def __init__(self) -> None:
        self.is_idle = True  # none of them
        self._learned: Optional[_Affix] = None
        self._suffix: Optional[_Affix] = None
        self._held: List[Record] = []
        self._event_lines = 0  # of a Kubernetes event, which may follow
        self._last = Record("")  # that was released
        self._before = ""  # the text of the line before

    def begin_event(self) -> None:
        """Note that a Kubernetes event has begun, whose message is no message of the kernel."""
        self._event_lines = _MOST_EVENT_LINES
        self.is_idle = False

    def remember(self, record: Record) -> None:
        """Remember a record that needs no unwrapping: the next line may continue it."""
        self._before, self._last = record.text, record

    def take(self, record: Record) -> List[Record]:
        """Use one record; return those that wait for nothing more, without prefix and suffix."""
        self._event_lines = max(0, self._event_lines - 1)
        is_events = self._event_lines > 0 and record.bare and _EVENT_MESSAGE.match(record.text)
        # A terminal may have broken the words of a message: they are no prefix of its rest.
        is_rest = record.bare and _begins_across(self._before, record.text)
        self._before = record.text
        return self._release(self._pass(record) if is_events or is_rest else self._take(record))

    def flush(self) -> List[Record]:
        """Return the records that wait: nothing more than the shape of a prefix shows one."""
        return self._release(self._give_up())

    def _release(self, records: List[Record]) -> List[Record]:
        released = []
        for record in records:
            one = self._strip_suffix(record) if record.trusted is None else record
            if not one.text or one.text != self._last.text or not _is_repeated(self._last, one):
                released.append(one)
            self._last = one
        self.is_idle = not (self._learned or self._suffix or self._held or self._event_lines)
        return released

    def _take(self, record: Record) -> List[Record]:
        if record.trusted is not None:
            return self._pass(record)
        if self._learned is not None:
            stripped = _strip_unread(record, self._learned)
            if stripped is not None and not _has_more_before(stripped.text):
                return [*self._give_up(), stripped]
        found = (_LANDMARK if self._held else _BEGINNING).search(record.text[: _LONGEST_PREFIX + 1])
        if found is None:
            name, invoked, _fields = record.text.partition(INVOKED)
            return self._hold(record) if invoked and not _PLAIN_NAME.match(name) else self._pass(record)
        if not found.start():
            # Of a host without a tag, which stands before the header, only some lines are stripped.
            is_same = not self._held or _measure_known(self._held[0]) == _measure_known(record)
            is_end = is_same or _BEGINNING.match(record.text)
            return [*self._give_up(), record] if is_end else self._pass(record)
        prefix = record.text[: found.start()]
        if not _may_be_prefix(record, prefix):
            return self._pass(record)
        outer = _find_outer(prefix, record.text)
        learned = _Affix(_compile(outer), _form_of(record))
        if not (
            _is_wrapped(record, (prefix, outer), learned) or any(_share(learned, one, record) for one in self._held)
        ):
            return self._hold(record)
        self._learned = learned
        held, self._held = self._held, []
        return [_strip_unread(one, learned) or _strip_label(one) or one for one in [*held, record]]

    def _give_up(self) -> List[Record]:
        held, self._held = self._held, []
        return [_strip_label(one) or one for one in held]

    def _strip_suffix(self, record: Record) -> Record:
        """Return a record without its suffix, which its message shows or the last whole one did."""
        text = record.text
        suffix = _find_suffix(text)
        if suffix is not None:
            self._suffix = _Affix(_compile(suffix, "$"), _form_of(record)) if suffix else None
            return record._replace(text=text[: -len(suffix)]) if suffix else record
        if self._suffix is None or _form_of(record) != self._suffix.form:
            return record
        match = self._suffix.pattern.search(text, max(0, len(text) - _LONGEST_SUFFIX))
        return record._replace(text=text[: match.start()]) if match else record

    def _pass(self, record: Record) -> List[Record]:
        return self._hold(record) if self._held else [record]

    def _hold(self, record: Record) -> List[Record]:
        self._held.append(record)
        return self._give_up() if len(self._held) > _MOST_HELD else []


def _measure_known(record: Record) -> int:
    """Return the length of the known prefixes of a record."""
    return len(record.raw) - len(record.text)


def _has_more_before(text: str) -> bool:
    """Return whether more than the learned prefix stands before a kill, such as a quote."""
    return _may_hold_kill(text) and parse_message(text) is None and _BEGINNING.search(text) is not None


def _begins_across(before: str, text: str) -> bool:
    """Return whether a message begins in one line and goes on in the next."""
    if not before or _BEGINNING.match(text):
        return False
    matches = (_BEGINNING.match(before + glue + text) for glue in ("", " "))
    return any(match is not None and match.end() > len(before) + 1 for match in matches)


def _is_repeated(last: Record, record: Record) -> bool:
    """Return whether two records with the same text are fields of one, each behind its own prefix.

    rsyslog writes them so for debugging.
    """
    prefixes = [one.raw.partition(one.text)[0] for one in (last, record)]
    if last.trusted is not None or record.trusted is not None or _compile(prefixes[0]) == _compile(prefixes[1]):
        return False
    is_unknown = all(parse_text_line(prefix + record.text).text != record.text for prefix in prefixes)
    return is_unknown and parse_message(record.text) is not None


def _may_be_prefix(record: Record, prefix: str) -> bool:
    """Return whether a text before a message may be a prefix, and not a part of the message."""
    if len(prefix) > _LONGEST_PREFIX or is_second_hand(record.raw) or _PATH.search(prefix, 1):
        return False
    klog = _KLOG.search(_find_outer(prefix, record.text)) if ".go:" in prefix else None
    if klog and klog.group("words"):
        return False
    is_kernels = not record.bare and (record.program == "kernel" or record.monotonic is not None)
    return not is_kernels or _consists_of(_BRACKETS, prefix)


def _find_suffix(text: str) -> Optional[str]:
    """Return what stands behind a whole message, maybe nothing; None for any other text."""
    message = parse_message(text) if _may_hold_kill(text) else None
    if not isinstance(message, _MESSAGES_WITH_END):
        return None  # the name of a cgroup can hold all these words
    end = measure_kill(text)
    if end is None and isinstance(message, Kill) and lacks_end_of_name(text):
        return None  # a name with a line end may go on
    if end is None:
        end = text.rfind(")") + 1
        for match in _END.finditer(text, max(0, len(text) - _LONGEST_SUFFIX)):
            end = max(end, match.end())
    return text[end:] if end and _SUFFIX.match(text, end) else None


def _strip_own_suffix(text: str) -> str:
    return text[: len(text) - len(_find_suffix(text) or "")]


def _is_wrapped(record: Record, prefixes: Tuple[str, str], learned: _Affix) -> bool:
    """Return whether one message alone shows that this is its prefix, with or without known ones.

    A kill that is there to its last size is the same message behind any text, and so is one behind
    an uptime. One without sizes may be what any program says.
    """
    stripped = _strip_unread(record, learned)
    if stripped is None:
        return False
    text = _strip_own_suffix(stripped.text)
    message = parse_message(text)
    if isinstance(message, Kill):
        if _is_said_by_program(message, record.text):
            return False
        whole, outer = prefixes
        has_uptime = parse_text_line(whole[len(outer) :] + "x").monotonic is not None
        is_plain = _consists_of(_PART if message.origin or has_uptime else _BRACKETS, *prefixes)
        return (is_plain and has_uptime) or (is_whole_kill(text) and (bool(message.sizes_kb) or is_plain))
    return (message is not None or find_program(text) is not None) and _consists_of(_PART, *prefixes)


def _share(learned: _Affix, first: Record, second: Record) -> bool:
    """Return whether two messages have a prefix: a header and any other, or two whole ones."""
    stripped, other = _strip_unread(first, learned), _strip_unread(second, learned)
    if stripped is None or other is None:
        return False
    text = _strip_own_suffix(other.text)
    message = parse_message(text)
    if INVOKED in stripped.text or not isinstance(message, Kill):
        return True
    return is_whole_kill(text) and not _is_said_by_program(message, second.text)


def _is_said_by_program(kill: Kill, line: str) -> bool:
    """Return whether a program with levels in its log may have written this, without the kernel."""
    return not (kill.origin or kill.sizes_kb) and _LEVEL.match(line) is not None


def _consists_of(part: "re.Pattern[str]", *prefixes: str) -> bool:
    return any(_measure_parts(part, prefix) == len(prefix) for prefix in prefixes)


def _measure_parts(part: "re.Pattern[str]", text: str) -> int:
    """Return how much of a text consists of such parts, from its left end."""
    at = 0
    match = part.match(text)
    while match is not None and match.end() > at:
        at = match.end()
        match = part.match(text, at)
    return at


def _find_outer(prefix: str, text: str) -> str:
    """Return the part of a prefix before the known prefixes in it, which hold stamps and tags."""
    for start in itertools.islice(_START.finditer(prefix), _MOST_STARTS):
        known = parse_text_line(text[start.start() :])
        if known.text == text[len(prefix) :]:
            return prefix[: start.start()]
    return prefix


def _compile(affix: str, end: str = "") -> "re.Pattern[str]":
    """Return a pattern for a prefix or suffix, in which numbers and runs of blanks may differ.

    So may colons and dashes: grep -C writes "kern.log:7:" and "kern.log-8-".
    """
    parts = re.findall(r"(\d+)|(\s+)|([:-])|([^\d\s:-]+)", affix)
    patterns = (
        r"\d+" if number else r"\s+" if blanks else "[:-]" if mark else re.escape(text)
        for number, blanks, mark, text in parts
    )
    return re.compile("".join(patterns) + end)


def _strip_label(record: Record) -> Optional[Record]:
    """Return a header without the labels before the name of its task; None for any other line."""
    name = record.text.partition(INVOKED)[0]
    if len(name) == len(record.text) or parse_message(record.text) is not None:
        return None
    at = _measure_parts(_PART, name[: name.rfind("kworker/")] if "kworker/" in name else name)
    if at == 0 or not _may_be_prefix(record, name[:at]):
        return None
    return _strip_unread(record, _Affix(_compile(name[:at]), _form_of(record)))


def _form_of(record: Record) -> Tuple[Optional[str], bool, bool]:
    return record.program, record.monotonic is not None, record.clock is not None


def _strip_unread(record: Record, learned: _Affix) -> Optional[Record]:
    """Return a record without a prefix.

    None if it has another, or if its text is a message as it is: what can be read without a
    learned prefix is read so, whatever was learned.
    """
    match = learned.pattern.match(record.text)
    if not match or record.trusted is not None or _form_of(record) != learned.form:
        return None
    message = parse_message(record.text)
    is_unread = message is None or (isinstance(message, Header) and not _PLAIN_NAME.match(message.name or " "))
    return _strip(record, match) if is_unread else None


def _strip(record: Record, match: "re.Match[str]") -> Optional[Record]:
    """Return a record without what matched; None if that leaves a header without a name."""
    prefix = match.group()
    rest = record.text[match.end() :]
    inner = parse_text_line(rest)
    text = _close(inner.text, prefix)
    before = record.text[: -len(inner.text) or None]
    if "|" in before:  # the row of a table ends with a bar
        text = text.rstrip(" |")
    inner = inner._replace(text=text)
    if INVOKED.strip() in inner.text and not _has_name(inner.text):
        return None
    stripped = merge(record, inner)._replace(bare=False)
    tag = _PID_TAG.search(before) or _LAST_WORD.search(prefix)
    if tag is None or inner.program is not None or tag.group("program") == "kernel":
        return stripped
    is_killer, has_pid = tag.group("program") in KILLERS, tag.re is _PID_TAG
    return stripped._replace(
        program=tag.group("program") if is_killer or has_pid else stripped.program,
        trusted=False if has_pid and not is_killer else stripped.trusted,
    )


def _has_name(text: str) -> bool:
    header = parse_header(text)
    return isinstance(header, Header) and header.name is not None


def _close(text: str, prefix: str) -> str:
    """Return a text without what closes the quotes, brackets and cells that its prefix opens."""
    text = _CLOSING_TAG.sub("", text.rstrip())
    escaped = _ESCAPED_QUOTE.search(prefix)
    if escaped:
        return text.partition(escaped.group())[0]
    for opening in reversed(prefix.rstrip()):
        if opening in _QUOTES:
            return _cut_at_quote(text, opening)
        if opening not in _CLOSING:
            break
        if text.endswith(_CLOSING[opening]):
            text = text[:-1].rstrip()
    return text


def _cut_at_quote(text: str, quote: str) -> str:
    r"""Return what a quote holds, up to the first of its kind that is not escaped (\" or "")."""
    end = re.search(r"(?<![\\" + quote + "])" + quote + "(?!" + quote + ")", text)
    return text[: end.start()] if end else text
