#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the posture and the new kills of a host, for the record that the controller keeps of it."""

DOCUMENTATION = r"""
module: oom_report_host
short_description: Read the posture and the new kills of a host, and keep them on the controller
version_added: 1.0.0
description:
  - Reads on the host what M(oomguard.linux.oom_info) and M(oomguard.linux.oom_events) return, in one run of Python.
  - Writes the host's record on the controller, in O(history). The record has the last posture, what changed since, and
    the kills. M(oomguard.linux.oom_report_fleet) makes the report of all records.
  - The host's answer stays in the record. The result of the task is small, however many kills there are.
  - A host that fails or is unreachable gets a record that says so. The task itself does not fail then, so that the
    report can be written. Check RV(state) afterwards.
  - The role P(oomguard.linux.oom_report#role) and the playbook C(oomguard.linux.report) do all of it.
options:
  history:
    description:
      - The folder on the controller that has the records, one file for each host. It must be the same for all hosts of
        a report.
      - It is created if it does not exist. A link is refused, and so is a folder that other users may write to.
    type: str
    default: oom-report/history
  since:
    description:
      - How far back kills and changes are kept, such as V(-30d), or ISO 8601 with a zone.
      - The first run reads the log of all boots from then on. Later runs read what is new.
    type: str
    default: -30d
  dir:
    description:
      - The folder that M(oomguard.linux.oom_report_fleet) writes the report to. It is only compared with
        O(first_folders).
    type: str
  first_folders:
    description:
      - O(dir) and O(history) of the first host of the play. A host with other folders is refused before it is read,
        because a play writes one report, into the folders of its first host.
      - The role sets it.
    type: list
    elements: str
  record:
    description: What the host needs of its record. The action plugin sets it, whatever the task says.
    type: dict
    suboptions:
      cursor:
        description: The cursor of the last run, as in M(oomguard.linux.oom_events).
        type: str
      pins:
        description: A digest of the pins that the kills in the record were compared with.
        type: str
      boot:
        description: The id of the boot in which the last run counted kills.
        type: str
      kills_until:
        description: The uptime until which it counted them, in microseconds.
        type: int
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [The host is only read. In check mode no record is written, either.]
  diff_mode:
    support: N/A
    details: [The host is only read.]
  async:
    support: none
    details: [The record is written by the action plugin, which an asynchronous task does not run.]
notes:
  - The kills of this collection's own trials are left out, as in M(oomguard.linux.oom_events).
  - The task never reports a change. A record documents a run, it is no state to keep.
seealso:
  - module: oomguard.linux.oom_report_fleet
  - module: oomguard.linux.oom_info
  - module: oomguard.linux.oom_events
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Read the host, and keep what it answers
  oomguard.linux.oom_report_host:
    history: /var/lib/oom-report/history
  register: host
  ignore_unreachable: true
"""

RETURN = r"""
msg:
  description: What was found, or why the host could not be read, in one line.
  returned: always
  type: str
  sample: "2 findings, 1 high; 3 kills, 1 new; 1 change"
state:
  description: V(ok), V(failed) or V(unreachable).
  returned: always
  type: str
  sample: ok
severities:
  description: The severities of the findings, each once.
  returned: always
  type: list
  elements: str
  sample: [high, low]
"""

import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable, printable_values
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import Query
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts
from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.losses import describe_losses
from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.named_kills import NamedKills
from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.reduced_event import reduce_event
from ansible_collections.oomguard.linux.plugins.module_utils._oom_report_host.todays_pins import (
    TodaysPins,
    find_todays_pins,
    judge_todays_pins,
)
from ansible_collections.oomguard.linux.plugins.module_utils._posture.examine import examine_host

MAX_EVENTS = 400
# What the report shows of the result of oom_info.
_SHOWN = (
    "kernel",
    "domain",
    "policy",
    "next_victim",
    "protected",
    "protected_count",
    "immune",
    "immune_count",
    "findings",
)
_KILLER = ("name", "unit", "active", "version", "reads_scores")
_QUERY = Query(
    source="auto",
    paths=[],
    boot="all",
    since=None,
    until=None,
    cursor=None,
    victim=None,
    unit=None,
    container=None,
    constraint=None,
    killer=None,
    own_trials=False,
    tasks=False,
    raw=False,
    untrusted=False,
    limit=MAX_EVENTS,
)


def read_host(since: str, record: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the posture, and the kills that the record does not have yet.

    Raises OomError if neither can be read.
    """
    lost: List[str] = []
    examined = examine_host(dict(domain="host", grower=None, what_if=None, top=0), lost)
    info = examined.results
    pins = find_todays_pins(examined.posture.snapshot.tasks.values())
    # Kills of earlier runs were compared with other pins: they are read again.
    answer = dict(
        {key: info[key] for key in _SHOWN},
        killers=[{key: killer[key] for key in _KILLER} for killer in info["killers"]],
        clock=int(time.time()),
        unread=examined.unread,
        pins=pins.digest,
        boot=_read_boot(),
        counted_kills=examined.posture.kills.counted,
        unlogged_kills=None,
        new_kills=None,
        kills_until=None,
        events=None,
        cursor=None,
    )
    place = _Place(
        since=since,
        cursor=record.get("cursor") if record.get("pins") == pins.digest else None,
        boot=answer["boot"],
        kills_until=record.get("kills_until") if record.get("boot") == answer["boot"] else None,
    )
    try:
        answer.update(_read_log(place, pins, lost))
    except OomError as error:
        lost.append(f"the log was not read: {error}")
        return dict(answer, lost=lost)
    if "kills" not in examined.unread:
        try:
            answer["unlogged_kills"] = _count_unlogged(examined.posture.kills)
        except OomError as error:
            lost.append(f"the kills since boot were not compared with the log: {error}")
            answer["unread"] = [*examined.unread, "kills"]
    return dict(answer, lost=lost)


class _Place(NamedTuple):
    """Hold where a run begins to read, and to count the kills of this boot."""

    since: str
    cursor: Optional[str]
    boot: Optional[str]
    kills_until: Optional[int]


def _read_boot() -> Optional[str]:
    """Return the id of this boot, as events have it; None if it cannot be read."""
    try:
        return Procfs().read("sys/kernel/random/boot_id").strip().replace("-", "")
    except OomError:
        return None


def _read_log(place: _Place, pins: TodaysPins, lost: List[str]) -> Dict[str, Any]:
    """Return the kills behind the cursor, or those since then if there is none, and add losses."""
    since = place.since
    whole = _QUERY._replace(since=since, what_if=pins.targets)
    query = _QUERY._replace(cursor=place.cursor, what_if=pins.targets) if place.cursor else whole
    named = NamedKills(place.boot, place.kills_until)
    try:
        found = gather(query, Procfs(), note_kills=named.add)
    except OomError as error:
        if not place.cursor:
            raise
        named = NamedKills(place.boot, place.kills_until)
        found = gather(whole, Procfs(), note_kills=named.add)  # if this fails, the sentence would be wrong
        problem = "was refused" if isinstance(error, InputError) else "could not be read from"
        lost.append(f"the place of the last run {problem}, so the log was read from {since} on: {error}")
    lost += describe_losses(found)
    return dict(
        events=[reduce_event(event, *judge_todays_pins(event, pins)) for event in found["events"]],
        cursor=found["cursor"],
        new_kills=named.kills,
        kills_until=named.until,
    )


def _count_unlogged(kills: KillCounts) -> int:
    """Return how many kills since boot no log has now.

    The kernel's buffer forgets old lines. Then the log is asked that keeps them. The record knows
    what earlier runs have read.
    """
    if kills.counted <= kills.logged:
        return 0
    counts = gather(_QUERY._replace(boot="current", limit=1), Procfs())["counts"]
    return kills.counted - kills.logged if counts["unlogged"] is None else int(counts["unlogged"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            history=dict(type="str", default="oom-report/history"),
            since=dict(type="str", default="-30d"),
            dir=dict(type="str"),
            first_folders=dict(type="list", elements="str"),
            record=dict(
                type="dict",
                options=dict(
                    cursor=dict(type="str"), pins=dict(type="str"), boot=dict(type="str"), kills_until=dict(type="int")
                ),
            ),
        ),
        supports_check_mode=True,
    )
    try:
        answer = read_host(module.params["since"], module.params["record"] or {})
    except OomError as error:
        module.fail_json(msg=printable(str(error)))
    except OSError as error:
        from ansible_collections.oomguard.linux.plugins.module_utils._host.advice import explain_os_error

        module.fail_json(msg=printable(f"this host cannot be read: {explain_os_error(error)}"))
    module.exit_json(changed=False, **printable_values(answer))


if __name__ == "__main__":
    main()
