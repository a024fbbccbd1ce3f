# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published schema fits every event that oom_events returns, and nothing else."""

import copy
import glob
import json
import os

import jsonschema
import pytest
import yaml
from event_lines import DOCKER, POD, SHOP, kmsg, report, stamped

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.gather import gather
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import Query
from ansible_collections.oomguard.linux.plugins.modules import oom_events
from ansible_collections.oomguard.linux.plugins.plugin_utils.oom_log import parse_log

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECORDED = sorted(glob.glob(os.path.join(ROOT, "tests/unit/fixtures/kernel_logs/recorded/*/*.*")))
LOGS = [path for path in RECORDED if not path.endswith(".json")]
TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}

with open(os.path.join(ROOT, "docs/schemas/events.schema.json"), encoding="utf-8") as stream:
    SCHEMA = json.load(stream)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


PINS = [dict(process="x", score=-500), dict(unit="shop", score=-1000)]


def read(path, **changes):
    options = dict.fromkeys(Query._fields)
    options.update(source="file", paths=[str(path)], boot="current", limit=10000)
    options.update(tasks=True, raw=True, untrusted=True, own_trials=True, what_if=PINS)
    # What the controller gets is JSON.
    return json.loads(json.dumps(gather(Query(**dict(options, **changes)), Procfs())["events"]))


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", LOGS, ids=[os.path.relpath(path, ROOT) for path in LOGS])
def test_recorded_logs(path):
    events = read(path)
    assert len(events) >= 16
    VALIDATOR.validate(events)
    assert any(event["why"] and event["what_if"] for event in events)
    VALIDATOR.validate(read(path, tasks=False, raw=False, what_if=None))


LINES = {
    "kinds": stamped([report(), report(limit=DOCKER), report(limit=POD), report(cause="cpuset"), report(group=[1, 2])]),
    "outcomes": stamped(
        [
            report(end="Out of memory and no killable processes..."),
            report(end="Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled"),
            report()[:1],
        ],
        step=60,
    ),
    "old kernel": ["Out of memory: Kill process 6 (p) score 9 or sacrifice child", "Killed process 7 (x) vsz:4kB"],
    "kmsg": kmsg([report(order=-1, cause="none")]),
    "programs": [
        'h earlyoom[5]: sending SIGTERM to process 12 uid 0 "web": badness 300, VmRSS 2 MiB',
        f"h systemd-oomd[1]: Killed {SHOP} due to memory pressure for / being 52% > 50% for > 20s",
        "h nohang[9]: Sending SIGTERM to the victim",
        f"oomd kill: 1 2 3 {SHOP} 4096 ruleset:[a] detectorgroup:[b] killer:x v2",
    ],
    "own trial": stamped([report(limit="/oomguardtrial_1_2.slice")]),
}


@pytest.mark.parametrize("lines", LINES.values(), ids=list(LINES))
def test_every_kind_of_event(tmp_path, lines):
    (tmp_path / "kern.log").write_text("\n".join(lines) + "\n")
    events = read(tmp_path / "kern.log")
    assert events
    VALIDATOR.validate(events)


def test_events_of_parse_log():
    """They have neither what nor own_trial, as an event of oom_trial."""
    [event] = parse_log(report())
    inner = jsonschema.Draft202012Validator({**SCHEMA, "type": "object", "items": {}, "$ref": "#/$defs/event"})
    inner.validate(event)
    assert not VALIDATOR.is_valid([event])


@pytest.fixture
def event(tmp_path):
    (tmp_path / "kern.log").write_text("\n".join(stamped([report()])) + "\n")
    return read(tmp_path / "kern.log")[0]


WRONG = {
    "missing key": lambda event: event.pop("trusted"),
    "missing what": lambda event: event.pop("what"),
    "unknown killer": lambda event: event.update(killer="cron"),
    "unknown constraint": lambda event: event.update(constraint="MEMCG"),
    "local time": lambda event: event.update(time="2026-11-28 14:00:00"),
    "text for a number": lambda event: event["victims"][0].update(pid="7"),
    "no text": lambda event: event["what"].update(text=""),
    "short id": lambda event: event["what"].update(container="69dc3709e8f3"),
    "null list": lambda event: event.update(victims=None),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_wrong_event(event, change):
    VALIDATOR.validate([event])
    wrong = copy.deepcopy(event)
    change(wrong)
    assert not VALIDATOR.is_valid([wrong])


def compare(contains, schema, path=""):
    """Yield where the schema has other keys or types than RETURN."""
    schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if set(contains) != set(schema["properties"]):
        yield path, set(contains) ^ set(schema["properties"])
    for key, entry in contains.items():
        found = schema["properties"][key]
        types = SCHEMA["$defs"]["what"]["type"] if "$ref" in found else found.get("type", "string")
        if TYPES[entry["type"]] not in types:
            yield path + key, types
        if "contains" in entry:
            yield from compare(entry["contains"], found.get("items", found), f"{path}{key}.")


def test_schema_has_the_keys_that_are_documented():
    documented = yaml.safe_load(oom_events.RETURN)["events"]["contains"]
    assert list(compare(documented, SCHEMA["$defs"]["event"])) == []
