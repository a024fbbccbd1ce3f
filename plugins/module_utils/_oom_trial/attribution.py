# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Decide which kills of the kernel log a trial caused, may have caused, or had no part in.

Pure. On a busy host other cgroups run out of memory at any time, also a hundred times during a
trial. Such a kill has no effect on the trial if another cgroup hit its limit, in another part of
the tree. The kernel prints that cgroup's path only in a report, and at most ten reports in five
seconds (mm/oom_kill.c:oom_kill_process). For a kill without one the counters decide: if the
trial's cgroup counted only the kills of its own processes, and no cgroup above it ran out of
memory, the kill was in another part of the tree.
"""

from typing import List, NamedTuple, Optional, Set, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.event import Event


class TrialCgroup(NamedTuple):
    """What is known of the trial's cgroup when the kills of the log are sorted."""

    name: str  # unique on this host; empty for the root
    path: Optional[str]  # as the kernel's log writes it; None if unknown
    members: Set[int]  # pids that were seen in it
    # Its counter shows only the kills that the log names, and those above it show none. False also
    # where there are no such counters.
    counters_fit: bool


def pids_of(events: List[Event]) -> Set[int]:
    """Return the pids of all victims of these events."""
    return {victim["pid"] for event in events for victim in event["victims"]}


def path_of(event: Event) -> Optional[str]:
    """Return the path of the cgroup that hit its limit; None if the log does not show one."""
    memcg = event["memcg"] or {}
    path: Optional[str] = memcg.get("path")
    return path or None


def select_own_kills(
    events: List[Event], name: str, own_path: Optional[str], members: Set[int], scope: str
) -> List[Event]:
    """Return the kills that the trial caused.

    On the host that is a host-wide kill of a member. In the trial's cgroup the whole path decides,
    because anybody may give a cgroup elsewhere the same name. Where the own path is not known (in a
    cgroup namespace), it is learned from a kill of a member. After many kills in a short time the
    kernel leaves the path out. Then the pid decides.
    """
    if scope == "host":
        return [event for event in events if event["constraint"] != "memcg" and pids_of([event]) & members]
    at_limits = [event for event in events if event["constraint"] == "memcg"]
    of_members = [event for event in at_limits if pids_of([event]) & members]
    path = own_path or find_own_path(of_members, name)
    return [event for event in at_limits if (path_of(event) == path if path_of(event) else pids_of([event]) & members)]


def find_own_path(events: List[Event], name: str) -> Optional[str]:
    """Return the path of the trial's cgroup as these kills of the trial show it, or None."""
    paths = [path_of(event) or "" for event in events]
    return next((path for path in paths if path.endswith(f"/{name}")), None)


def sort_other_kills(events: List[Event], trial: TrialCgroup) -> Tuple[List[Event], List[Tuple[Event, str]]]:
    """Return the unrelated kills, and those that may have to do with the trial, with the reason."""
    unrelated, doubtful = [], []
    for event in events:
        doubt = _doubt(event, trial)
        if doubt:
            doubtful.append((event, doubt))
        else:
            unrelated.append(event)
    return unrelated, doubtful


def _doubt(event: Event, trial: TrialCgroup) -> Optional[str]:
    """Return why a kill may have to do with the trial; None if it is unrelated."""
    path = path_of(event)
    if event["constraint"] != "memcg":
        return "not at the limit of a memory cgroup"
    if pids_of([event]) & trial.members:
        return "a process of the trial"
    if path is None:
        return None if trial.counters_fit else "its cgroup is not in the log, and no counter rules out the trial's"
    if trial.path is None:
        if trial.name and trial.name in path.split("/"):
            return f"its cgroup {path} is named like the trial's"
        return "the log does not show where the trial's own cgroup is"
    if trial.path != "/" and (path + "/").startswith(trial.path + "/"):
        return f"its cgroup {path} is the trial's"
    if path == "/" or (trial.path + "/").startswith(path.rstrip("/") + "/"):
        return f"its cgroup {path} contains the trial"
    return None
