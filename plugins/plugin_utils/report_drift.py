# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Compare two postures of a host: what changed, and since when.

Pure. A posture is compared as facts: a sentence's worth of words, such as C(sysctl vm.swappiness
live), and a value as text. What could not be read this time keeps its value, and is no change.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import MAX_FINDINGS

MAX_CHANGES = 200
MAX_FACTS = 300
_MAX_WHAT = 160
_MAX_VALUE = 100
_NOT_SET = "not set"  # no file sets it, and what the kernel starts with depends on the host
# The kernel computes these from the memory that is free at boot (mm/mmap.c:init_user_reserve).
_BY_MEMORY = ("vm.admin_reserve_kbytes", "vm.user_reserve_kbytes")
# Nothing before means that there was none. Of the other facts it means that none was known.
_THINGS = ("pin", "killer", "finding")
# Of processes, containers and pods, in the object of a finding: each start has another one.
_IDS = re.compile(r"\[[0-9]+\]|[0-9a-f]{64}|[0-9a-f]{8}(?:[_-][0-9a-f]{4}){3}[_-][0-9a-f]{12}")


class Facts(NamedTuple):
    """Hold what is known of a posture."""

    known: dict[str, str]
    complete: tuple[str, ...]  # first words of facts of which none is missing


def state_facts(
    posture: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], unread: Iterable[str], has_all_pins: bool
) -> Facts:
    """Return a posture as facts; C(unread) are the parts that could not be read."""
    known: dict[str, Any] = {}
    for sysctl in posture["sysctls"]:
        name, live, boot = sysctl["name"], sysctl["live"], sysctl["boot"]
        known[f"sysctl {name} boot"] = _NOT_SET if boot is None else str(boot)
        if live is not None and not (boot is None and name in _BY_MEMORY):
            known[f"sysctl {name} live"] = str(live)
    known.update(_state_pins(posture["pins"]))
    for killer in posture["killers"]:
        known[f"killer {killer['name']}"] = _describe_killer(killer)
    for finding in findings:
        known[f"finding {name_finding(finding)}".strip()] = finding["severity"]
    if posture["kernel"]:
        known["kernel"] = posture["kernel"]
    victim = posture["next_victim"]
    if victim and victim["certain"]:  # two processes of one size would else take turns
        known["next victim"] = victim["unit"] or victim["name"]
    unread = set(unread)
    complete = ["pin"] if has_all_pins else []
    complete += ["killer"] if "units" not in unread else []
    complete += ["finding"] if not unread and len(findings) < MAX_FINDINGS else []
    cut = {cut_text(what, _MAX_WHAT): cut_text(value, _MAX_VALUE) for what, value in known.items()}
    return Facts(cut, tuple(complete))


def compare_facts(before: Mapping[str, str], now: Facts, seen: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the facts that hold now, and each change with the time when it was seen."""
    kept = {
        what: value for what, value in before.items() if what in now.known or what.partition(" ")[0] not in now.complete
    }
    held = dict([*now.known.items(), *((what, kept[what]) for what in kept if what not in now.known)][:MAX_FACTS])
    changes = [
        {"seen": seen, "what": what, "before": before.get(what), "after": held.get(what)}
        for what in sorted({*before, *held})
        if before.get(what) != held.get(what)
        and (what in before or what.startswith(_THINGS))
        and (what in held or what.partition(" ")[0] in now.complete)
    ]
    return held, changes


def name_finding(finding: Mapping[str, Any]) -> str:
    """Return what identifies a finding in every run: its id and its object, without numbers."""
    return f"{finding['id']} {_IDS.sub('', finding['object'])}"


def _state_pins(pins: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    scores: dict[str, set[int]] = defaultdict(set)
    for pin in pins:
        place = pin["unit"] or (f"of process {pin['name']}" + (" in a container" if pin["container"] else ""))
        scores[f"pin {place}"].add(pin["score"])
    return {what: ", ".join(map(str, sorted(found))) for what, found in scores.items()}


def _describe_killer(killer: Mapping[str, Any]) -> str:
    """Return whether a killer runs, its version, and whether it reads scores."""
    words = ["runs" if killer["active"] else "does not run", killer["version"]]
    if killer["reads_scores"] is not None:
        words.append("reads scores" if killer["reads_scores"] else "does not read scores")
    return ", ".join(filter(None, words))
