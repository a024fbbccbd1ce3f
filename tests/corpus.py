# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Score the parser on logs with known events: python tests/corpus.py FOLDER

FOLDER holds real/NN-name.log with NN-name.json, and recorded/KERNEL/ with the same kills in
many forms and one truth.json. Prints a line for each case, and exits with 1 if one of them
is not read as expected.
"""

import functools
import json
import os
import sys

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import read_log
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

VICTIM_FIELDS = ("name", "uid", "score", "oom_score_adj", "anon_rss_kb", "total_vm_kb")


class Score:
    """The number of fields that were right, and a sentence for each that was wrong."""

    def __init__(self):
        self.right = 0
        self.wrong = []

    def check(self, what, found, *accepted):
        if found in accepted:
            self.right += 1
        else:
            self.wrong.append(f"{what}: {found!r}, not {accepted[0]!r}")


def load_events(path):
    return [event for event in parse_events(read_log(path)) if event["trusted"] is not False]


def score_real(path, truth):
    score = Score()
    events = load_events(path)
    score.check("events", len(events), len(truth["events"]))
    for number, (event, expected) in enumerate(zip(events, truth["events"])):
        at = f"event {number} "
        for score_part in (score_victims, score_trigger, score_killer, score_memcg, score_outcome, score_extras):
            score_part(score, at, event, expected)
    return score


def list_alternatives(facts, key):
    """Return all values that are right."""
    extra = facts.get(key + "_alt", [])
    return [facts[key]] + (extra if isinstance(extra, list) else [extra])


def score_victims(score, at, event, expected):
    score.check(at + "victims", [one["pid"] for one in event["victims"]], [one["pid"] for one in expected["victims"]])
    for victim, truth in zip(event["victims"], expected["victims"]):
        for field in VICTIM_FIELDS:
            score.check(f"{at}pid {truth['pid']} {field}", victim[field], *list_alternatives(truth, field))
        if "signal" in truth:
            score.check(at + "signal", event["signal"], truth["signal"])
            score.check(at + "escalated", event["escalated"], "escalated" in truth)
            score.check(at + "rss_kb", victim["rss_kb"], truth.get("vmrss_kib") or truth["vmrss_mib"] * 1024)
        if "intended_pid" in truth:
            score.check(at + "announced", (event["announced"] or {}).get("pid"), truth["intended_pid"])


def score_trigger(score, at, event, expected):
    if expected["trigger"] is None:
        score.check(at + "trigger", event["trigger"], None)
        return
    trigger = event["trigger"] or dict.fromkeys(("name", "pid", "oom_score_adj"))
    for field in ("name", "pid", "oom_score_adj"):
        score.check(at + "trigger " + field, trigger[field], *list_alternatives(expected["trigger"], field))


def score_killer(score, at, event, expected):
    score.check(at + "killer", event["killer"], expected["killer"])
    for field, key in (("reason", "reason"), ("killed_count", "nr_killed")):
        if key in expected:
            score.check(at + field, event[field], expected[key])


def score_memcg(score, at, event, expected):
    score.check(at + "constraint", event["constraint"], *list_alternatives(expected, "constraint"))
    if expected.get("memcg_ambiguous"):
        return
    score.check(at + "memcg", event["memcg"]["path"] if event["memcg"] else None, expected["memcg"])
    if "task_memcg" in expected:
        cgroup = event["victims"][0]["cgroup"] if event["victims"] else None
        score.check(at + "task_memcg", cgroup, expected["task_memcg"])


def score_outcome(score, at, event, expected):
    outcomes = ("panic", "group_kill", "no_killable", "incomplete")
    outcome = next((name for name in outcomes if expected.get(name)), "kill")
    score.check(at + "outcome", event["outcome"], outcome)
    if "panic_policy" in expected:
        score.check(at + "panic_policy", event["panic_policy"], expected["panic_policy"])
    if outcome == "incomplete" and "intended_pid" in expected:
        score.check(at + "announced", (event["announced"] or {}).get("pid"), expected["intended_pid"])


def score_extras(score, at, event, expected):
    score.check(at + "tasks_count", event["tasks_count"], *list_alternatives(expected, "tasks_count"))
    score.check(at + "sysrq", event["sysrq"], expected.get("sysrq", False))
    score.check(at + "allocating_task", event["allocating_task"], expected.get("allocating_task", False))
    score.check(at + "skipped_pids", event["skipped_pids"], expected.get("skipped_pids", []))
    if "boot" in expected:
        score.check(at + "boot", event["boot_index"], expected["boot"])


def score_recorded(path, truth):
    """Expect the kills of truth.json in their order, and no others."""
    score = Score()
    expected = [case for case in truth["cases"] if case["victims"]]
    forged = 4242  # a text without the facility does not show that a program wrote this line
    events = [
        event
        for event in load_events(path)
        if not (event["trusted"] is None and forged in [victim["pid"] for victim in event["victims"]])
    ]
    score.check("events", len(events), len(expected))
    for event, case in zip(events, expected):
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


def find_cases(folder):
    """Yield the name of each case, and the function that scores it."""
    real = os.path.join(folder, "real")
    for name in sorted(os.listdir(real)) if os.path.isdir(real) else []:
        if name.endswith(".log"):
            with open(os.path.join(real, name[:-4] + ".json")) as stream:
                truth = json.load(stream)
            yield "real/" + name, functools.partial(score_real, os.path.join(real, name), truth)
    recorded = os.path.join(folder, "recorded")
    for kernel in sorted(os.listdir(recorded)) if os.path.isdir(recorded) else []:
        with open(os.path.join(recorded, kernel, "truth.json")) as stream:
            truth = json.load(stream)
        for name in sorted(os.listdir(os.path.join(recorded, kernel))):
            if name != "truth.json":
                path = os.path.join(recorded, kernel, name)
                yield f"recorded/{kernel}/{name}", functools.partial(score_recorded, path, truth)


def main(folder):
    passed = failed = 0
    for name, scoring in find_cases(folder):
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
