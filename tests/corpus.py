# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Score the parser against logs whose truth is known: python tests/corpus.py FOLDER

FOLDER holds real/NN-name.log with NN-name.json, and recorded/KERNEL/ with one
truth.json for the same kills in many forms. Prints a line for each case and
ends with 1 when one of them is not read to its truth.
"""

import json
import os
import sys

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import read_log
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

VICTIM_FIELDS = ("name", "uid", "score", "oom_score_adj", "anon_rss_kb", "total_vm_kb")


class Score:
    """Fields that were right, and sentences on those that were not."""

    def __init__(self):
        self.right = 0
        self.wrong = []

    def check(self, what, found, *accepted):
        if found in accepted:
            self.right += 1
        else:
            self.wrong.append(f"{what}: {found!r}, not {accepted[0]!r}")


def events_of(path):
    return [event for event in parse_events(read_log(path)) if event["trusted"] is not False]


def score_real(path, truth):
    score = Score()
    events = events_of(path)
    score.check("events", len(events), len(truth["events"]))
    for number, (event, wanted) in enumerate(zip(events, truth["events"])):
        score_event(score, f"event {number} ", event, wanted)
    return score


def score_event(score, at, event, wanted):
    def alternatives(facts, key):
        extra = facts.get(key + "_alt", [])
        return [facts[key]] + (extra if isinstance(extra, list) else [extra])

    score.check(at + "victims", [one["pid"] for one in event["victims"]], [one["pid"] for one in wanted["victims"]])
    for victim, truth in zip(event["victims"], wanted["victims"]):
        for field in VICTIM_FIELDS:
            score.check(f"{at}pid {truth['pid']} {field}", victim[field], *alternatives(truth, field))
        if "signal" in truth:
            score.check(at + "signal", event["signal"], truth["signal"])
            score.check(at + "escalated", event["escalated"], "escalated" in truth)
            score.check(at + "rss_kb", victim["rss_kb"], truth.get("vmrss_kib") or truth["vmrss_mib"] * 1024)
        if "intended_pid" in truth:
            score.check(at + "announced", (event["announced"] or {}).get("pid"), truth["intended_pid"])
    if wanted["trigger"] is None:
        score.check(at + "trigger", event["trigger"], None)
    else:
        trigger = event["trigger"] or dict.fromkeys(("name", "pid", "oom_score_adj"))
        for field in ("name", "pid", "oom_score_adj"):
            score.check(at + "trigger " + field, trigger[field], *alternatives(wanted["trigger"], field))
    score.check(at + "killer", event["killer"], wanted["killer"])
    for field, key in (("reason", "reason"), ("killed_count", "nr_killed")):
        if key in wanted:
            score.check(at + field, event[field], wanted[key])
    score.check(at + "constraint", event["constraint"], *alternatives(wanted, "constraint"))
    score.check(at + "tasks_count", event["tasks_count"], *alternatives(wanted, "tasks_count"))
    memcg = event["memcg"]["path"] if event["memcg"] else None
    if not wanted.get("memcg_ambiguous"):
        score.check(at + "memcg", memcg, wanted["memcg"])
        if "task_memcg" in wanted:
            score.check(
                at + "task_memcg", event["victims"][0]["cgroup"] if event["victims"] else None, wanted["task_memcg"]
            )
    outcome = next((name for name in ("panic", "group_kill", "no_killable", "incomplete") if wanted.get(name)), "kill")
    score.check(at + "outcome", event["outcome"], outcome)
    score.check(at + "sysrq", event["sysrq"], wanted.get("sysrq", False))
    score.check(at + "allocating_task", event["allocating_task"], wanted.get("allocating_task", False))
    score.check(at + "skipped_pids", event["skipped_pids"], wanted.get("skipped_pids", []))
    if "panic_policy" in wanted:
        score.check(at + "panic_policy", event["panic_policy"], wanted["panic_policy"])
    if "boot" in wanted:
        score.check(at + "boot", event["boot_index"], wanted["boot"])
    if outcome == "incomplete" and "intended_pid" in wanted:
        score.check(at + "announced", (event["announced"] or {}).get("pid"), wanted["intended_pid"])


def score_recorded(path, truth):
    """The kills of truth.json, in their order, and none besides."""
    score = Score()
    wanted = [case for case in truth["cases"] if case["victims"]]
    forged = 4242  # where the text does not give the facility the forged line cannot be told from the kernel's
    events = [
        event
        for event in events_of(path)
        if not (event["trusted"] is None and forged in [victim["pid"] for victim in event["victims"]])
    ]
    score.check("events", len(events), len(wanted))
    for event, case in zip(events, wanted):
        at = f"{case['kind']} {case['victims'][0]} "
        score.check(at + "victims", [[one["pid"], one["name"]] for one in event["victims"]], case["victims"])
        score.check(
            at + "constraint", event["constraint"], case["constraint"], *([None] if event["trigger"] is None else [])
        )
        if "memcg" in case and event["trigger"] is not None:
            score.check(at + "memcg", event["memcg"]["path"], case["memcg"])
        if "adj" in case:
            score.check(at + "oom_score_adj", event["victims"][0]["oom_score_adj"], case["adj"])
        score.check(at + "outcome", event["outcome"], "group_kill" if case["kind"] == "group" else "kill")
        score.check(at + "sysrq", event["sysrq"], case["kind"] == "sysrq")
        score.check(at + "allocating_task", event["allocating_task"], case["kind"] == "allocating")
    return score


def cases(folder):
    """Name and scoring of each case."""
    real = os.path.join(folder, "real")
    for name in sorted(os.listdir(real)) if os.path.isdir(real) else []:
        if name.endswith(".log"):
            with open(os.path.join(real, name[:-4] + ".json")) as stream:
                truth = json.load(stream)
            yield "real/" + name, lambda path=os.path.join(real, name), truth=truth: score_real(path, truth)
    recorded = os.path.join(folder, "recorded")
    for kernel in sorted(os.listdir(recorded)) if os.path.isdir(recorded) else []:
        with open(os.path.join(recorded, kernel, "truth.json")) as stream:
            truth = json.load(stream)
        for name in sorted(os.listdir(os.path.join(recorded, kernel))):
            if name != "truth.json":
                path = os.path.join(recorded, kernel, name)
                yield f"recorded/{kernel}/{name}", lambda path=path, truth=truth: score_recorded(path, truth)


def main(folder):
    passed = failed = 0
    for name, scoring in cases(folder):
        score = scoring()
        total = score.right + len(score.wrong)
        passed, failed = passed + (not score.wrong), failed + bool(score.wrong)
        print(f"{'FAILED' if score.wrong else 'passed'}  {name}: {score.right} of {total} fields")
        for sentence in score.wrong:
            print("       " + sentence)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
