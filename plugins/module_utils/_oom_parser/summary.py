# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Parse the summary of a report, the line that begins with "oom-kill:constraint=".

Pure. The kernel prints, in one line (mm/oom_kill.c:dump_oom_summary)

    oom-kill:constraint=CONSTRAINT_X,nodemask=N,cpuset=NAME,mems_allowed=N
    ,global_oom | ,oom_memcg=PATH
    ,task_memcg=PATH,task=NAME,pid=N,uid=N

Users choose NAME and PATH, which can hold any of these words. Nothing but these facts is used:

- The constraint stands before all that users choose, pid and uid stand behind it.
- The cpuset's name has no slash, unless it is the root's, which is one slash. Both paths begin
  with a slash. So the words before the first slash are the kernel's, and they are either
  ",global_oom,task_memcg=" or ",oom_memcg=".
- The victim's cgroup lies in the one that reached its limit.
- A task's name has at most 15 bytes.

If these leave two readings, the value is None. A kernel without cpusets prints neither cpuset nor
mems_allowed; one without memory cgroups prints neither path.
"""

import re
from typing import Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.messages import Summary
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.task_names import (
    LONGEST_PATH,
    TASK,
    TASK_MEMCG,
    begins_inside,
    count_name_bytes,
    find_longest_name,
    split_paths,
)

_START = re.compile(r"oom-kill:constraint=CONSTRAINT_(\w+),(nodemask=)?")
_END = re.compile(r",pid=(\d{1,10}),uid=(-?\d{1,10})\s*$")
_LONGEST_END = 40
_ROOT_CPUSET = re.compile(r"(?:\(null\)|[\d,-]*),cpuset=/")
# What the kernel prints before the first word about memory cgroups.
_BEFORE = r"(?:^(?:\(null\)|[\d,-]*)|,mems_allowed=[\d,-]*)"
_SCOPE = re.compile(_BEFORE + r"(?:(?P<everywhere>,global_oom,task_memcg=)|,oom_memcg=)$")
# No name is long enough to hold the words before itself, so the last occurrence counts.
_WITHOUT_MEMCG = re.compile(r"(?:.*,mems_allowed=[\d,-]*|(?:\(null\)|[\d,-]*))(?P<task>,task=.*)$", re.DOTALL)


def parse_summary(text: str) -> Optional[Summary]:
    """Return the summary in a text, also if its end was cut."""
    start = _START.match(text)
    if not start:
        return None
    end = _END.search(text, max(0, len(text) - _LONGEST_END))
    body = text[start.end() : end.start()] if end else text[start.end() :]
    if start.group(2):
        is_global, memcg, rest = _parse_body(body, is_whole=end is not None)
    else:  # a person cut parts out
        is_global, memcg, rest = None, None, _find_task_part("," + body)
    if not (start.group(2) or end or rest):  # only the constraint, as people write about it
        return None
    pid, uid = (int(end.group(1)), to_unsigned(int(end.group(2)))) if end else (None, None)
    return Summary(start.group(1), is_global, memcg, rest, pid, uid)


def _parse_body(body: str, is_whole: bool) -> Tuple[Optional[bool], Optional[str], str]:
    """Return whether the kill is global, the cgroup at its limit, and what Summary.rest holds."""
    root = _ROOT_CPUSET.match(body)
    slash = body.find("/", root.end() if root else 0)
    scope = _SCOPE.search(body[:slash]) if slash >= 0 else None
    if scope is None:
        found = _WITHOUT_MEMCG.match(body) if is_whole else None
        return (True, None, found.group("task")) if found else (None, None, _find_task_part(body))
    paths = body[slash:]
    if scope.group("everywhere"):
        return True, None, TASK_MEMCG + paths
    split = split_paths(paths, TASK_MEMCG, lambda memcg, rest: begins_inside(rest, memcg)) if is_whole else None
    if split is None:  # two readings, or the text ends inside a path
        return False, None, _find_task_part(paths)
    memcg, task_memcg = split
    return False, drop_cut_path(memcg), TASK_MEMCG + task_memcg


def _find_task_part(text: str) -> str:
    """Return C(,task=NAME) with the longest name that a task can have; empty if there is none."""
    name = find_longest_name(text)
    return "" if name is None else TASK + name


def drop_cut_path(path: Optional[str]) -> Optional[str]:
    """Return the path, or None if it is so long that the kernel may have cut it."""
    return None if path is None or count_name_bytes(path) > LONGEST_PATH else path


def to_unsigned(uid: int) -> int:
    """Return the uid that the kernel printed with %d."""
    return uid + (1 << 32) if uid < 0 else uid
