# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test what a record keeps of a host from run to run."""

import json

import pytest
from report_answers import HOSTILE, NOW, SECOND, answer, event, places, poison, put

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import MAX_EVENTS
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_drift import MAX_CHANGES
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import (
    MAX_BYTES,
    format_record,
    format_second,
    is_answer,
    merge_answer,
    merge_failure,
    new_record,
    parse_record,
    parse_since,
    recall_place,
)

DAY = 86400
SINCE = NOW - 30 * DAY


def run(*answers, step=DAY, record=None):
    """Return the record after these runs, one each C(step) seconds, through its file."""
    record = record or new_record("web1")
    for number, one in enumerate(answers):
        now = NOW + number * step
        record = merge_answer(record, one, now, now - 30 * DAY)
        record = parse_record("web1", format_record(record), now)
    return record


def ids(record):
    return [int(one["id"].split("-")[1], 16) for one in record["events"]]


def at(number, seconds, **values):
    return event(number, time=format_second(NOW + seconds), **values)


def test_first_run_has_no_changes():
    record = run(answer(event(1)))
    assert (record["state"], record["read"], record["changes"]) == ("ok", SECOND, [])
    assert record["cursor"] == "kmsg|machine|boot:7|"
    assert ids(record) == [1]


def test_second_run_has_only_what_changed():
    policy = {**answer()["policy"], "live": {"vm.panic_on_oom": 1, "kernel.panic": 10}}
    record = run(answer(event(1)), answer(at(2, DAY), policy=policy), answer(policy=policy))
    assert record["changes"] == [
        {"seen": "2026-11-30T07:00:00Z", "what": "sysctl vm.panic_on_oom live", "before": "0", "after": "1"}
    ]
    assert ids(record) == [2, 1]
    assert record["read"] == "2026-12-01T07:00:00Z"


def test_a_kill_that_is_read_twice_is_one():
    record = run(answer(event(1, name="unfinished")), answer(event(1, name="whole"), event(2)))
    assert sorted(ids(record)) == [1, 2]
    assert {one["name"] for one in record["events"]} == {"whole", "java"}
    assert next(one for one in record["events"] if one["name"] == "whole")["seen"] == SECOND


def test_kills_are_ordered_and_kept_for_the_window():
    first = answer(at(1, -29 * DAY), at(2, -1), at(3, -31 * DAY), event(4, time=None))
    record = run(first, answer(), step=2 * DAY)
    assert ids(record) == [4, 2]


def test_a_clock_that_is_ahead_does_not_keep_a_kill_for_ever():
    """A kill happened before it was read, whatever a host says."""
    record = run(answer(event(1, time="2999-01-01T00:00:00Z")), answer(), answer(), step=16 * DAY)
    assert ids(record) == []


def test_the_newest_kills_are_kept():
    many = [answer(*(at(number, number - 2000, text="") for number in range(first, first + 300))) for first in (0, 300)]
    record = run(*many, step=1)
    assert ids(record) == list(range(599, 599 - MAX_EVENTS, -1))


def test_a_loss_of_the_oldest_kills_is_said_once():
    """By number, and by bytes: a busy host has it in each run."""
    runs = [[at(first + n, first + n - 2000, text="") for n in range(300)] for first in range(0, 1500, 300)]
    for text in ("", "x" * 500):
        record = run(*(answer(*({**one, "text": text} for one in kills), lost=["a gap"]) for kills in runs), step=1)
        assert [one["text"] for one in record["lost"]] == [
            "there are more kills than the record has room for: the newest are kept",
            "a gap",
        ]
        assert record["lost"][0]["seen"] == record["read"]
    assert run(answer(*runs[0]))["lost"] == []


@pytest.mark.parametrize("hours, words", [(2, "ahead of"), (-2, "behind"), (-24 * 365 * 20, "behind")])
def test_a_wrong_clock_is_told(hours, words):
    clock = int(NOW) + hours * 3600
    record = run(answer(clock=clock), answer(clock=clock + 5), step=5)
    assert [one["text"].partition(":")[0] for one in record["lost"]] == [
        f"the host's clock is over an hour {words} the controller's"
    ]


@pytest.mark.parametrize("clock", [int(NOW) + 600, None, "x", True, 10**30, NOW + 7200])
def test_a_clock_that_is_not_wrong(clock):
    assert run(answer(clock=clock))["lost"] == []


def test_findings_have_a_first_and_a_last_time():
    record = run(answer(), answer(findings=[{**answer()["findings"][0], "object": "postgres[9]"}]))
    [finding] = record["findings"]
    assert (finding["first_seen"], finding["last_seen"]) == (SECOND, "2026-11-30T07:00:00Z")
    assert finding["object"] == "postgres[9]"


def test_a_finding_that_is_gone_begins_anew():
    record = run(answer(), answer(findings=[]), answer())
    assert [finding["first_seen"] for finding in record["findings"]] == ["2026-12-01T07:00:00Z"]


def test_a_finding_outlives_a_run_that_could_not_look():
    record = run(answer(), answer(findings=[], unread=["units"], killers=[]), answer())
    assert [(one["first_seen"], one["last_seen"]) for one in record["findings"]] == [(SECOND, "2026-12-01T07:00:00Z")]
    assert record["changes"] == []


@pytest.mark.parametrize("part, key", [("sysctls", "sysctls"), ("units", "killers")])
def test_what_could_not_be_read_stays(part, key):
    nothing = answer(policy={}, killers=[], unread=[part])
    assert run(answer(), nothing)[key] == run(answer())[key]
    assert run(answer(), {**nothing, "unread": []})[key] == []


def test_failure_keeps_what_was_known():
    record = merge_failure(run(answer(event(1))), "unreachable", "no\nroute", NOW + DAY)
    assert (record["state"], record["reason"], record["tried"]) == ("unreachable", "no\\x0aroute", NOW + DAY)
    assert (record["read"], ids(record)) == (SECOND, [1])
    record = merge_answer(record, answer(), NOW + 2 * DAY, SINCE)
    assert (record["state"], record["reason"], record["changes"]) == ("ok", "", [])


def test_a_host_that_never_answered():
    record = merge_failure(new_record("web1"), "failed", "x", NOW)
    assert (record["read"], record["events"]) == (None, [])


# --- pins and cursor ----------------------------------------------------------------


def verdicts(record):
    return {number: one["with_todays_pins"] for number, one in zip(ids(record), record["events"])}


def test_other_pins_make_old_answers_unknown():
    """The kills that the log still has are read again and asked about again."""
    first = answer(at(1, -2), at(2, -1, with_todays_pins=None, with_todays_pins_text=None), at(3, 0))
    record = run(first, answer(at(3, 0, with_todays_pins="other"), pins="changed"))
    assert verdicts(record) == {1: "unknown", 2: None, 3: "other"}
    assert record["events"][-1]["with_todays_pins_text"].startswith("the log no longer has this kill")
    assert verdicts(run(first, answer())) == {1: "same", 2: None, 3: "same"}


def test_an_earlier_since_has_the_log_read_again():
    """Else kills before the old one would never be on the report, which says that it has them."""
    record = merge_answer(new_record("x"), answer(at(1, -5)), NOW, NOW - 60)
    known = {"cursor": "kmsg|machine|boot:7|", "pins": "0123456789abcdef", "boot": "0" * 32, "kills_until": 5}
    assert recall_place(record, NOW - 60) == recall_place(record, NOW - 30) == known
    assert recall_place(record, NOW - 61) == {**known, "cursor": None}
    record = merge_answer(record, answer(at(2, -90)), NOW, NOW - 100)
    assert ids(record) == [1, 2]
    assert recall_place(record, NOW - 61) == recall_place(merge_failure(record, "failed", "x", NOW), NOW - 61) == known
    assert recall_place(new_record("x"), NOW)["cursor"] is None
    unread = merge_answer(record, answer(events=None), NOW, NOW - 50)
    assert recall_place(unread, NOW - 100) == known


def test_a_log_that_was_not_read_moves_no_cursor():
    record = run(answer(event(1)), answer(events=None, cursor=None, pins="changed"))
    assert (record["cursor"], record["pins_digest"]) == ("kmsg|machine|boot:7|", "0123456789abcdef")
    assert verdicts(record) == {1: "same"}


def test_what_was_not_read_is_of_the_last_answer():
    record = run(answer(events=None, unread=["pins"]))
    assert record["unread"] == ["log", "pins"]
    assert merge_failure(record, "failed", "x", NOW)["unread"] == ["log", "pins"]
    assert run(answer(), record=record)["unread"] == []


def test_losses_are_kept_for_the_window_once_each():
    record = run(answer(lost=["a gap"]), answer(), answer(lost=["a gap", "a file"]), step=10 * DAY)
    assert [(one["text"], one["seen"][:10]) for one in record["lost"]] == [
        ("a gap", "2026-12-19"),
        ("a file", "2026-12-19"),
    ]
    assert run(answer(lost=["a gap"]), answer(), step=31 * DAY)["lost"] == []


# --- kills that no log names ----------------------------------------------------------

BOOT, OTHER_BOOT = "0" * 31 + "1", "0" * 31 + "2"
UNLOGGED = {**answer()["findings"][0], "id": "kills_unlogged", "severity": "low", "object": "kernel log", "fix": None}


class SmallBuffer:
    """A host whose log names the newest kills alone, as the module reads it."""

    def __init__(self, size):
        self._size = size
        self._kills = []  # by uptime in microseconds; None is one that the log never had
        self.boot = BOOT

    def kill(self, number, is_logged=True):
        first = len(self._kills)
        self._kills += [first + n if is_logged else None for n in range(number)]

    def restart(self):
        self._kills, self.boot = [], OTHER_BOOT

    def answer(self, record, *events, **values):
        place = recall_place(record, SINCE)
        until = place["kills_until"] if place["boot"] == self.boot else None
        named = [one for one in self._kills if one is not None][-self._size :]
        new = [one for one in named if until is None or one > until]
        found = {
            "boot": self.boot,
            "counted_kills": len(self._kills),
            "unlogged_kills": len(self._kills) - len(named),
            "new_kills": len(new),
            "kills_until": max(new, default=until),
            "findings": [UNLOGGED] if len(named) < len(self._kills) else [],
        }
        return answer(*events, **{**found, **values})

    def run(self, record, **values):
        return run(self.answer(record, **values), record=record)


def test_kills_that_an_earlier_run_has_read_are_named():
    """The log forgets them, and the number of those that nobody saw does not grow."""
    host, record = SmallBuffer(40), new_record("web1")
    host.kill(165, is_logged=False)
    shown = []
    for kills in (30, 10, 0, 25, 40):
        host.kill(kills)
        record = host.run(record)
        shown.append(record["unlogged_kills"])
    assert shown == [165] * 5
    host.kill(60)  # 20 of them left the log before this run
    record = host.run(record)
    assert record["unlogged_kills"] == 185
    [finding] = record["findings"]
    assert finding["message"].startswith("the kernel counted 185 kills since boot that no run found in a log: ")


def test_no_finding_is_left_if_every_kill_was_read():
    host, record = SmallBuffer(10), new_record("web1")
    for _run in range(5):
        host.kill(10)
        record = host.run(record)
        assert (record["unlogged_kills"], record["findings"]) == (0, [])


def test_another_boot_counts_anew():
    host = SmallBuffer(5)
    host.kill(5)
    record = host.run(new_record("web1"))
    host.restart()
    host.kill(3, is_logged=False)
    record = host.run(record)
    assert (record["unlogged_kills"], record["kills"]) == (3, {"boot": OTHER_BOOT, "named": 0, "until": None})


def test_a_run_that_could_not_compare_forgets_nothing():
    host, record = SmallBuffer(10), new_record("web1")
    host.kill(10)
    record = host.run(record)
    unread = {"events": None, "unlogged_kills": None, "new_kills": None, "kills_until": None, "unread": ["kills"]}
    record = host.run(record, **unread)
    assert record["unlogged_kills"] is None
    host.kill(10)
    record = host.run(record, unlogged_kills=None, unread=["kills"])  # the log was read, and the counter not
    host.kill(10)
    assert host.run(record)["unlogged_kills"] == 0


def test_two_jobs_count_a_kill_once():
    host = SmallBuffer(10)
    host.kill(10)
    before = host.run(new_record("web1"))
    host.kill(2, is_logged=False)
    host.kill(3)
    first, second = (host.answer(before) for _job in range(2))
    record = merge_answer(before, first, NOW, SINCE, before)
    record = merge_answer(record, second, NOW, SINCE, before)
    assert (record["unlogged_kills"], record["kills"]["named"]) == (2, 13)
    host.kill(4)
    assert host.run(record)["unlogged_kills"] == 2


@pytest.mark.parametrize("boot", [None, 7, "x", "0" * 33, BOOT + "\n"])
def test_a_host_that_does_not_say_of_which_boot(boot):
    record = run(answer(boot=boot, unlogged_kills=3))
    assert (record["kills"], record["unlogged_kills"]) == (None, 3)


# --- bounds -------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_make_a_record(name):
    """In every place of the answer, one after the other, and in all at once."""
    honest = answer(event(1), lost=["x"])
    record = run(honest)
    for place in list(places(honest))[1:]:
        changed = put(honest, place, HOSTILE[name])
        record = merge_answer(record, changed, NOW, SINCE) if is_answer(changed) else record
    record = run(poison(honest, HOSTILE[name]), record=record)
    assert len(format_record(record)) <= MAX_BYTES
    assert len(record["changes"]) <= MAX_CHANGES


@pytest.mark.parametrize("letter", ["x", "\x1b", "\U0001f600"])
def test_a_record_has_a_bound(letter):
    """The newest kills are kept, and with them everything else."""
    long = letter * 2000
    texts = ("name", "unit", "container", "pod", "text", "why", "runner_up", "with_todays_pins_text")
    kills = [at(number, -number, **dict.fromkeys(texts, long)) for number in range(MAX_EVENTS)]
    findings = [
        {"id": "pin_lost", "severity": "high", "object": f"{number}{long}", "message": long, "fix": long[:900]}
        for number in range(50)
    ]
    pins = [{"name": f"{n}{long}", "unit": f"{n}{long}", "container": long, "score": -n} for n in range(1, 101)]
    full = answer(*kills, findings=findings, protected=pins, lost=[f"{n}{long}" for n in range(20)], cursor="c" * 20000)
    record = run(full, answer(protected=[], protected_count=0, findings=[]), full)
    text = format_record(record)
    assert len(text) <= MAX_BYTES
    kept = parse_record("web1", text, NOW)
    assert kept["cursor"] == "c" * 20000 and kept["lost"]
    assert ids(kept) == list(range(len(kept["events"])))
    assert kept["lost"][0]["text"] == "there are more kills than the record has room for: the newest are kept"


def test_facts_go_last(monkeypatch):
    record = run(answer())
    record["facts"] = {f"fact {number}": "x" * 100 for number in range(5000)}
    kept = parse_record("web1", format_record(record), NOW)
    assert kept["facts"] == {}
    assert run(answer(kernel="6.12"), record=kept)["changes"] == []


# --- the file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"7", b"null", b"\xff", b'{"version": 1}', b'{"version": 2}', b"[" * 100_000, b"1" * 5000],
)
def test_a_broken_record_begins_anew(text):
    record = parse_record("web1", text, NOW)
    assert record["lost"] == [{"seen": SECOND, "text": "the record of this host could not be read, so it begins anew"}]
    assert {**record, "lost": []} == new_record("web1")


@pytest.mark.parametrize("edit", [(b"java", b"perl"), (b'"score":0', b'"score":"0"'), (b"]", b"")])
def test_a_record_that_was_changed_is_broken(edit):
    """Whatever would be wrong with it: nothing that reads a record has to expect that."""
    text = format_record(run(answer(event(1))))
    for changed in (text.replace(*edit), text[:-1], text + b"\n", text[77:], b"{" + text[77:]):
        assert changed != text and parse_record("web1", changed, NOW)["lost"]
    assert json.loads(text)["events"]


def test_a_record_of_a_newer_version_begins_anew():
    newer = {**run(answer(event(1))), "version": 2}
    assert parse_record("web1", format_record(newer), NOW)["events"] == []


def test_no_record_is_a_new_one():
    assert parse_record("web1", None, NOW) == new_record("web1")


def test_a_record_says_whose_it_is():
    text = format_record(run(answer()))
    assert parse_record(None, text, NOW)["name"] == "web1"
    assert parse_record("other", text, NOW)["name"] == "other"


@pytest.mark.parametrize(
    "text, epoch", [("-30d", SINCE), (SECOND, NOW), ("-1h", NOW - 3600), ("1795935600", NOW), ("-999999w", 0)]
)
def test_since(text, epoch):
    assert parse_since(text, NOW) == epoch


@pytest.mark.parametrize(
    "text, words",
    [
        ("yesterday", "since=yesterday is not a time"),
        ("2999-01-01T00:00:00Z", "since=2999-01-01T00:00:00Z lies in the future: give a time that has passed"),
        ("999999999999", "since=999999999999 lies in the future"),
    ],
)
def test_since_that_is_refused(text, words):
    """A future one, such as a wrong year, would remove all that the records have."""
    with pytest.raises(InputError, match=words):
        parse_since(text, NOW)


@pytest.mark.parametrize("value", [{}, {"policy": {}}, {"findings": []}, {"policy": [], "findings": []}])
def test_other_answers_are_none(value):
    assert not is_answer(value)
    assert is_answer(answer())
