# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a fleet: the document fits its schema, and the table is safe to open."""

import copy
import csv
import io
import json

import jsonschema
import pytest
from report_answers import HOSTILE, NOW, SECOND, answer, event, poison
from spreadsheet import DELIMITERS, list_formulas
from test_hostile_answers import COLLECTION

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_document import (
    EVENT_KEYS,
    build_document,
    count_hosts,
    guard_cell,
    render_document,
    render_table,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import (
    format_record,
    is_answer,
    merge_answer,
    merge_failure,
    new_record,
    parse_record,
)

SINCE = NOW - 30 * 86400
SCHEMA = json.loads((COLLECTION / "docs" / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def record_of(host, *answers):
    record = new_record(host)
    for number, one in enumerate(answers):
        record = merge_answer(record, one, NOW + number, SINCE)
    return parse_record(None, format_record(record), NOW)


def document_of(records, expected=(), started=NOW):
    return json.loads(render_document(build_document(records, expected, started, NOW, SINCE, "0.1.0")))


CHANGED = answer(event(2, name=None, time=None), kernel="6.12", killers=[], findings=[], lost=["a gap"])
FLEET = {
    "web1": record_of("web1", answer(event(1)), CHANGED),
    "web2": record_of("web2", answer(), answer(next_victim=None, domain=None, cursor=None)),
    "db1": merge_failure(record_of("db1", answer(event(3))), "unreachable", "no route", NOW),
    "db2": merge_failure(new_record("db2"), "failed", "no python", NOW),
}


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_document_fits_the_schema():
    document = document_of(FLEET, [*FLEET, "never"])
    VALIDATOR.validate(document)
    assert {key: document[key] for key in ("version", "made", "started", "since", "collection_version")} == {
        "version": 1,
        "made": SECOND,
        "started": SECOND,
        "since": "2026-10-30T07:00:00Z",
        "collection_version": "0.1.0",
    }
    assert [(host["name"], host["state"]) for host in document["hosts"]] == [
        ("db1", "unreachable"),
        ("db2", "failed"),
        ("never", "failed"),
        ("web1", "ok"),
        ("web2", "ok"),
    ]
    web1 = document["hosts"][3]
    assert [(change["what"], change["after"]) for change in web1["changes"]] == [
        ("finding pin_not_lasting postgres", None),
        ("kernel", "6.12"),
        ("killer earlyoom", None),
    ]
    assert web1["lost"] == ["a gap (2026-11-29T07:00:01Z)"]
    assert len(web1["events"]) == 2


@pytest.mark.parametrize(
    "edit",
    [
        lambda host: host.pop("events"),
        lambda host: host.update(extra=1),
        lambda host: host.update(state="fine"),
        lambda host: host.update(unread=["everything"]),
        lambda host: host["events"][0].update(killer="mine"),
        lambda host: host["events"][0].update(time="yesterday"),
        lambda host: host["findings"][0].pop("first_seen"),
        lambda host: host["changes"].append({"what": "x"}),
        lambda host: host["pins"][0].update(score=0),
    ],
)
def test_schema_refuses_other_documents(edit):
    document = copy.deepcopy(document_of({"x": record_of("x", answer(event(1)))}))
    VALIDATOR.validate(document)
    edit(document["hosts"][0])
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_hosts_fit_the_schema(name):
    """Their name, too: a dynamic inventory may have any."""
    hostile = poison(answer(event(1), lost=["x"]), HOSTILE[name])
    mixed = {**answer(*(event(number, text=HOSTILE[name], unit=HOSTILE[name]) for number in range(3)))}
    host = HOSTILE[name] if isinstance(HOSTILE[name], str) else name
    record = record_of(host or "x", mixed, hostile if is_answer(hostile) else mixed)
    VALIDATOR.validate(document_of({record["name"]: record}))
    VALIDATOR.validate(document_of({record["name"]: merge_failure(record, "failed", host, NOW)}))


def test_a_record_of_an_earlier_run_is_none_of_this_one():
    [host] = document_of({"web1": FLEET["web1"]}, ["web1"], NOW + 60)["hosts"]
    assert (host["state"], host["reason"]) == (
        "failed",
        "this run wrote no record of the host for this report: see its lines in the output of the play",
    )
    assert host["read"] == "2026-11-29T07:00:01Z" and host["events"]


def test_a_host_of_a_later_batch_has_no_line_yet():
    """It may never have one: nothing says that its line has the reason."""
    odd = record_of("a\nb", answer())
    records = {"web1": FLEET["web1"], odd["name"]: odd}
    document = build_document(records, ["web1", "a\nb", "db1"], NOW + 60, NOW, SINCE, "1", ["a\nb", "db1"])
    reasons = {host["name"]: host["reason"] for host in document["hosts"]}
    assert reasons.pop("web1").startswith("this run wrote no record of the host")
    assert {reason.partition(":")[0] for reason in reasons.values()} == {
        "the play had not come to this host when the report was written"
    }
    read = build_document(FLEET, FLEET, NOW, NOW, SINCE, "1", ["web1"])
    assert read["hosts"][2]["state"] == "ok"


def test_a_program_can_see_which_hosts_this_run_read():
    """The state of a host outside this run does not say it: read and started do."""
    later = merge_answer(FLEET["web1"], answer(), NOW + 60, SINCE)
    document = document_of({**FLEET, "web1": later}, ["web1"], NOW + 60)
    VALIDATOR.validate(document)
    assert [host["name"] for host in document["hosts"] if (host["read"] or "") >= document["started"]] == ["web1"]
    assert document_of(FLEET, ["web1"], 0.0)["started"] is None
    VALIDATOR.validate(document_of(FLEET, ["web1"], 0.0))


def test_hosts_outside_this_run_have_their_last_state():
    states = {host["name"]: host["state"] for host in document_of(FLEET, ["web1"], NOW)["hosts"]}
    assert states == {"web1": "ok", "web2": "ok", "db1": "unreachable", "db2": "failed"}


def test_nothing_is_older_than_the_document_says():
    """A record that this run did not merge may reach further back."""
    gone = merge_failure(FLEET["web1"], "unreachable", "no route", NOW + 60)
    since = NOW + 2
    [host] = build_document({"web1": gone}, ["web1"], NOW, NOW + 60, since, "1")["hosts"]
    assert gone["events"] and gone["changes"] and gone["lost"]
    assert (host["events"], host["changes"], host["lost"]) == ([], [], [])


@pytest.mark.parametrize(
    "records, line",
    [
        ({}, "0 hosts, 0 kills"),
        ({"x": record_of("x", answer(event(1)))}, "1 host, 1 kill"),
        ({"x": record_of("x", answer(events=None))}, "1 host, 1 whose log was not read, 0 kills"),
        ({"x": merge_failure(record_of("x", answer(events=None)), "failed", "x", NOW)}, "1 host, 1 failed, 0 kills"),
        (FLEET, "4 hosts, 1 failed, 1 unreachable, 3 kills"),
        (
            {"x": record_of("x", answer(findings=[{**answer()["findings"][0], "severity": "high"}]))},
            "1 host, 1 with high findings, 0 kills",
        ),
    ],
)
def test_one_line(records, line):
    assert count_hosts(document_of(records)) == line


# --- the table ----------------------------------------------------------------------


def test_table_has_every_kill():
    text = render_table(document_of(FLEET)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == ["host", *EVENT_KEYS]
    assert [(row["host"], row["id"]) for row in rows] == [
        (host["name"], one["id"]) for host in document_of(FLEET)["hosts"] for one in host["events"]
    ]
    [nameless] = [row for row in rows if not row["name"]]
    assert (nameless["time"], nameless["score"], nameless["trusted"]) == ("", "0", "true")


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("name", [name for name, value in HOSTILE.items() if isinstance(value, str)])
def test_no_cell_is_a_formula(name, delimiter):
    """Also in a language whose spreadsheets split at another delimiter."""
    host = HOSTILE[name] or "x"
    texts = dict.fromkeys(("name", "unit", "container", "pod", "text", "why", "runner_up"), HOSTILE[name])
    record = record_of(host, answer(event(1, **texts), event(2, score=-900, **texts)))
    text = render_table(document_of({record["name"]: record})).decode()
    assert len(text.split("\r\n")) == 4
    assert list_formulas(text, delimiter) == []


@pytest.mark.parametrize(
    "value, cell",
    [
        (None, ""),
        (-900, -900),
        (True, "true"),
        (False, "false"),
        (0, 0),
        (1, 1),
        ("java", "java"),
        ("=1+1", "'=1+1"),
        (" =1", "' =1"),
        ("-bash", "'-bash"),
        ("a;=1", "a;'=1"),
        ('a","=1', 'a",\'"=1'),
        ("a - b, c", "a - b, c"),
        ("x=1", "x=1"),
    ],
)
def test_cell(value, cell):
    assert guard_cell(value) == cell
