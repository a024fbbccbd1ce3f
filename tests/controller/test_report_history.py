# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the history: one for each host, whatever a host is called."""

import os

import pytest
from report_answers import HOSTILE, NOW, answer, event

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError, InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import name_key
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_history import (
    describe_record,
    load_record,
    load_records,
    parse_mode,
    refuse_facts,
    update_record,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import (
    merge_answer,
    merge_failure,
    new_record,
)

SINCE = NOW - 30 * 86400
NAMES = [name for name in HOSTILE.values() if isinstance(name, str) and name]


def merging(*events, now=NOW, **values):
    return lambda record: merge_answer(record, answer(*events, **values), now, SINCE)


def test_a_record_comes_back(tmp_path):
    written = update_record(str(tmp_path / "h"), "web1", merging(event(1)), NOW)
    assert load_record(str(tmp_path / "h"), "web1", NOW) == written
    assert load_record(str(tmp_path / "h"), "web2", NOW) == new_record("web2")
    assert sorted(os.listdir(tmp_path / "h")) == [".lock", "web1.json"]


def test_nothing_is_created_to_read(tmp_path):
    assert load_record(str(tmp_path / "h"), "web1", NOW) == new_record("web1")
    assert load_records(str(tmp_path / "h"), ["web1"], SINCE, NOW) == {}
    assert os.listdir(tmp_path) == []


def test_every_name_has_a_file_of_its_own(tmp_path):
    for number, name in enumerate(NAMES):
        update_record(str(tmp_path / "h"), name, merging(event(number + 1)), NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["h"]
    records = load_records(str(tmp_path / "h"), NAMES, SINCE, NOW)
    assert set(records) == set(map(name_key, NAMES))
    assert len({record["events"][0]["id"] for record in records.values()}) == len(NAMES)


def test_another_job_has_written_meanwhile(tmp_path):
    """Keep what it added: the record is read again under the lock."""
    before = load_record(str(tmp_path / "h"), "web1", NOW)
    update_record(str(tmp_path / "h"), "web1", merging(event(1)), NOW)
    update_record(str(tmp_path / "h"), "web1", merging(event(2)), NOW)
    assert before["events"] == []
    assert len(load_record(str(tmp_path / "h"), "web1", NOW)["events"]) == 2


def test_a_record_that_somebody_has_edited(tmp_path):
    """It begins anew and says so; no run fails because of it."""
    path = tmp_path / "h" / "web1.json"
    update_record(str(tmp_path / "h"), "web1", merging(event(1)), NOW)
    path.write_text(path.read_text().replace("java", "perl"))
    record = update_record(str(tmp_path / "h"), "web1", merging(event(2)), NOW)
    assert (record["state"], [one["id"] for one in record["events"]]) == ("ok", [event(2)["id"]])
    assert record["lost"][0]["text"] == "the record of this host could not be read, so it begins anew"
    assert load_record(str(tmp_path / "h"), "web1", NOW) == record


def test_other_hosts_of_the_history(tmp_path):
    """Those that were tried in the window, and no copies of files."""
    history = str(tmp_path / "h")
    for name, tried in (("here", NOW), ("elsewhere", SINCE), ("long-gone", SINCE - 1), ("old-but-asked", SINCE - 1)):
        update_record(history, name, lambda record, tried=tried: merge_failure(record, "failed", "x", tried), NOW)
    (tmp_path / "h" / "copy.json").write_bytes((tmp_path / "h" / "here.json").read_bytes())
    (tmp_path / "h" / "broken.json").write_text("{")
    (tmp_path / "h" / "notes.txt").write_text("mine")
    assert set(load_records(history, ["here", "old-but-asked", "new"], SINCE, NOW)) == {
        "here",
        "elsewhere",
        "old-but-asked",
    }


def test_a_broken_record_of_this_run_is_on_the_page(tmp_path):
    update_record(str(tmp_path / "h"), "web1", merging(), NOW)
    (tmp_path / "h" / "web1.json").write_text("{")
    assert load_records(str(tmp_path / "h"), ["web1"], SINCE, NOW)["web1"]["lost"]


def test_a_history_of_others(tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h").chmod(0o777)
    with pytest.raises(AccessError, match="other users may write"):
        load_records(str(tmp_path / "h"), [], SINCE, NOW)
    with pytest.raises(AccessError, match="other users may write"):
        update_record(str(tmp_path / "h"), "x", merging(), NOW)


@pytest.mark.parametrize(
    "runs, line",
    [
        ([answer()], "1 finding, 1 medium; 0 kills"),
        ([answer(event(1), findings=[])], "0 findings; 1 kill, 1 new"),
        ([answer(event(1)), answer(event(2), kernel="6.12")], "1 finding, 1 medium; 2 kills, 1 new; 1 change"),
        ([answer(event(1)), answer(event(1))], "1 finding, 1 medium; 1 kill"),
        ([answer(findings=[], events=None)], "0 findings; 0 kills; not read: the log"),
        (
            [answer(event(1)), answer(events=None, unread=["units", "kills", "<b>", 7], kernel="6.12")],
            "1 finding, 1 medium; 1 kill; 1 change; not read: the log, the kills since boot, the units",
        ),
        ([answer(events=None), answer(event(1))], "1 finding, 1 medium; 1 kill, 1 new"),
    ],
)
def test_one_line(runs, line):
    before, after = new_record("x"), new_record("x")
    for number, one in enumerate(runs):
        before, after = after, merge_answer(after, one, NOW + number, SINCE)
    assert describe_record(before, after) == line


@pytest.mark.parametrize("text, mode", [("0600", 0o600), ("640", 0o640), ("0644", 0o644)])
def test_mode(text, mode):
    assert parse_mode(text) == mode


@pytest.mark.parametrize("text", ["0666", "0660", "0755", "0400", "0", "", "u=rw", "384", "00600", "\u0660600"])
def test_modes_that_are_refused(text):
    with pytest.raises(InputError, match="is not possible: set 0600, 0640 or 0644, in quotes"):
        parse_mode(text)


@pytest.mark.parametrize("facts", [None, {}, [], "x", {"oom_report": 1}, {"distribution": "x"}])
def test_facts_of_others_do_not_count(facts):
    refuse_facts({"ansible_facts": facts, "oom_report_dir": "/x"})


def test_a_fact_that_names_a_folder_is_refused():
    with pytest.raises(InputError, match="a fact named oom_report_dir, and a host must not choose a folder"):
        refuse_facts({"ansible_facts": {"oom_report_dir": "/etc"}})
