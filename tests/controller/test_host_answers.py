# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make safe what a host answered."""

import json

import pytest

from ansible_collections.oomguard.linux.plugins.filter.host_outcome import FilterModule as HostOutcome
from ansible_collections.oomguard.linux.plugins.filter.printable import FilterModule as Printable
from ansible_collections.oomguard.linux.plugins.filter.trial_evidence import FilterModule as TrialEvidence
from ansible_collections.oomguard.linux.plugins.filter.trial_evidence import read_version
from ansible_collections.oomguard.linux.plugins.filter.trial_verdict import FilterModule as TrialVerdict
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import (
    EVIDENCE_BYTES,
    OUTCOMES,
    cut_text,
    cut_texts,
    evidence_text,
    judge_trial,
    name_key,
    state_outcome,
)

printable = Printable().filters()["printable"]
host_outcome = HostOutcome().filters()["host_outcome"]
trial_verdict = TrialVerdict().filters()["trial_verdict"]
trial_evidence = TrialEvidence().filters()["trial_evidence"]


@pytest.mark.parametrize(
    "value, text",
    [
        (None, ""),
        ("", ""),
        ("docker.service", "docker.service"),
        ("größer", "größer"),
        (7, "7"),
        (["a"], "['a']"),
        ("a\x1b[31m\r\n\tb\u202e\udcff", "a\\x1b[31m\\x0d\\x0a\\x09b\\u202e\\xff"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
        ("\x1b" * 300, "\\x1b" * 74 + "\\x1" + "…"),
    ],
)
def test_cut_text(value, text):
    assert cut_text(value) == printable(value) == text


def test_value_with_many_levels():
    value = []
    for _level in range(200_000):
        value = [value]
    assert cut_texts([value]) == ["a value with too many levels"]
    assert json.loads(evidence_text({"a": value}, {}))["cut"]


def test_length_is_an_option():
    assert printable("abcdef", 4) == printable("abcdef", length="4") == "abc…"


@pytest.mark.parametrize(
    "value, texts",
    [
        (None, []),
        ([], []),
        ("ab", ["ab"]),
        ({"a": 1}, ["{'a': 1}"]),
        ([None, 7, "a\n"], ["", "7", "a\\x0a"]),
        (["r"] * 22, ["r"] * 20 + ["2 more texts are left out"]),
    ],
)
def test_cut_texts(value, texts):
    assert cut_texts(value) == texts


def test_names_stay_different():
    names = ["web1", "Web1", "a/b", "\x1b", "\\x1b", "x" * 253, "x" * 254, "x" * 255, "\udcff", "\\xff"]
    names += [name_key(name) for name in names]
    keys = {name: name_key(name) for name in names}
    assert len(set(keys.values())) == len(keys)
    assert all(len(key) <= 253 and key.isprintable() for key in keys.values())
    assert (keys["web1"], keys["Web1"], keys["a/b"]) == ("web1", "Web1", "a/b")


# --- verdicts and outcomes --------------------------------------------------------


@pytest.mark.parametrize("verdict", ["proven", "refuted", "inconclusive"])
def test_known_verdict(verdict):
    judged = {"verdict": verdict, "reasons": ["a"], "report": ["b"]}
    assert judge_trial({**judged, "runs": []}) == trial_verdict(judged) == judged


@pytest.mark.parametrize(
    "answer, first",
    [
        ({"verdict": "hosts", "report": ["proven: x"]}, "the host returned an unknown verdict: hosts"),
        ({"verdict": "Proven"}, "the host returned an unknown verdict: Proven"),
        ({"verdict": "ok"}, "the host returned an unknown verdict: ok"),
        ({"verdict": True}, "the host returned an unknown verdict: True"),
        ({"verdict": ["proven"]}, "the host returned an unknown verdict: ['proven']"),
        ({"verdict": None}, "the host returned an unknown verdict: null"),
        ({}, "the host returned an unknown verdict: null"),
        ("proven", "the host returned an unknown verdict: null"),
        (None, "the host returned an unknown verdict: null"),
    ],
)
def test_unknown_verdict_is_inconclusive(answer, first):
    assert judge_trial(answer) == {"verdict": "inconclusive", "reasons": [first], "report": [first]}


def test_long_verdict_is_cut():
    [reason] = judge_trial({"verdict": "v" * 5_000_000})["reasons"]
    assert len(reason) == 300


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_known_outcome(outcome):
    assert state_outcome(outcome) == {"word": outcome, "detail": "", "line": outcome}
    assert host_outcome(outcome, "a\x1b", "web1") == {
        "word": outcome,
        "detail": "a\\x1b",
        "line": outcome + ": a\\x1b",
        "host": "web1",
    }


@pytest.mark.parametrize("outcome, quoted", [("hosts", "hosts"), (["ok"], "['ok']"), (None, ""), ("o" * 400, "oooo")])
def test_unknown_outcome_is_failed(outcome, quoted):
    stated = state_outcome(outcome, "a reason")
    assert stated["word"] == "failed" and stated["line"].startswith("failed: unknown outcome " + quoted)
    assert len(stated["detail"]) <= 300


# --- evidence ---------------------------------------------------------------------


def test_evidence_of_an_honest_host():
    answer = {"verdict": "proven", "runs": [{"event": {"victims": [{"pid": 7, "name": "a\x1bb"}]}}], "x": 0.5}
    kept = json.loads(evidence_text(answer, {"host": "web1"}))
    assert kept == {
        **answer,
        "host": "web1",
        "runs": [{"event": {"victims": [{"pid": 7, "name": "a\\x1bb"}]}}],
    }


def test_facts_of_the_controller_win():
    answer = {"host": "another", "scope": "host", "started": "never", "cut": "no", "kernel": "6.1"}
    kept = json.loads(trial_evidence(answer, "web1", "cgroup", "2026-11-28T10:00:00.000000Z"))
    assert "cut" not in kept and kept["verdict"] == "inconclusive"
    assert (kept["host"], kept["scope"], kept["started"]) == ("web1", "cgroup", "2026-11-28T10:00:00.000000Z")
    assert (kept["kernel"], kept["boot_id"], kept["collection_version"]) == ("6.1", None, read_version())
    assert kept["ended"] > kept["started"]


def bury(value, levels):
    for _level in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "answer",
    [
        {"reasons": ["r" * 5_000_000]},
        {"reasons": ["r" * 200] * 30_000},
        {"reasons": ["\x1b" * 100] * 3_000},
        {str(number): "r" * 200 for number in range(30_000)},
        {"r" * 5_000_000: 1},
        bury("x", 31),
        bury(["r" * 50] * 20_000, 12),
        {"a": [["r" * 300] * 30] * 30},
        {"a": [[["\x1b" * 300] * 30] * 30] * 30, "reasons": ["r" * 400]},
    ],
    ids=["text", "texts", "escapes", "keys", "key", "deep", "deep and long", "square", "cube"],
)
def test_evidence_is_bounded(answer):
    text = evidence_text({"verdict": "proven", **answer}, {"host": "web1"})
    kept = json.loads(text)
    assert len(text.encode()) <= EVIDENCE_BYTES
    assert (kept["verdict"], kept["host"]) == ("proven", "web1")
    assert "too long" in kept["cut"] or answer == {"a": [["r" * 300] * 30] * 30}


def test_as_much_as_possible_is_kept():
    kept = json.loads(evidence_text({"verdict": "proven", "raw": ["r" * 5000] * 60}, {}))
    assert [len(line) for line in kept["raw"]] == [4096] * 60
    assert "Texts are cut to 4096 characters" in kept["cut"]


def test_evidence_is_strict_json():
    kept = evidence_text({"a": float("nan"), "b": [float("inf")], "c": None, "d": True, "e": ()}, {})
    assert json.loads(kept, parse_constant=pytest.fail) == {"a": "nan", "b": ["inf"], "c": None, "d": True, "e": []}


def test_evidence_has_a_known_verdict():
    kept = json.loads(trial_evidence({"verdict": "hosts", "reasons": ["a"]}, "web1", "cgroup", "now"))
    assert kept["verdict"] == "inconclusive"
    assert kept["reasons"] == ["the host returned an unknown verdict: hosts", "a"]
    known = {"verdict": "refuted", "reasons": ["a"] * 30, "report": ["b" * 2000]}
    assert known.items() <= json.loads(trial_evidence(known, "web1", "cgroup", "now")).items()


def test_answer_that_is_no_mapping_is_kept():
    assert json.loads(trial_evidence("text", "web1", "cgroup", "now"))["answer"] == "text"


def test_version_of_an_installed_collection(tmp_path, monkeypatch):
    from ansible_collections.oomguard.linux.plugins.filter import trial_evidence as module

    monkeypatch.setattr(module, "_COLLECTION", tmp_path)
    assert read_version() is None
    (tmp_path / "galaxy.yml").write_text("version: 1.0.0\n")
    assert read_version() == "1.0.0"
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "2.0.0"}}')
    assert read_version() == "2.0.0"
